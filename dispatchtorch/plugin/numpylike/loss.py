"""Kernels of losses over any numpy-like namespace."""

from __future__ import annotations

from typing import Any

from dispatchtorch.plugin.numpylike import kernel
from dispatchtorch.plugin.numpylike.halves import in_float32, is_half

__all__: list[str] = []


def _reduce(xp: Any, loss: Any, reduction: str) -> Any:
    if reduction == "none":
        return loss
    fold = xp.mean if reduction == "mean" else xp.sum
    return fold(loss.astype(xp.float32)).astype(loss.dtype) if is_half(loss) else fold(loss)


@in_float32
def _smooth(xp: Any, input: Any, target: Any, beta: float) -> Any:
    far = xp.abs(input - target)
    return far if beta == 0 else xp.where(far < beta, 0.5 * far * far / beta, far - 0.5 * beta)


@in_float32
def _huber(xp: Any, input: Any, target: Any, delta: float) -> Any:
    far = xp.abs(input - target)
    return xp.where(far <= delta, 0.5 * far * far, delta * (far - 0.5 * delta))


@kernel
def _mse_loss(xp: Any, input: Any, target: Any, reduction: str) -> Any:
    far = input - target
    return _reduce(xp, far * far, reduction)


@kernel
def _mean_squared_error(xp: Any, input: Any, target: Any) -> Any:
    far = input - target
    return _reduce(xp, far * far, "mean")


@kernel
def _mean_slope(xp: Any, input: Any, other: Any, g_out: Any) -> Any:
    return (input - other) * (g_out * (2 / max(input.size, 1)))


@kernel
def _smooth_l1_loss(xp: Any, input: Any, target: Any, reduction: str, beta: float) -> Any:
    return _reduce(xp, _smooth(xp, input, target, beta), reduction)


@kernel
def _huber_loss(xp: Any, input: Any, target: Any, reduction: str, delta: float) -> Any:
    return _reduce(xp, _huber(xp, input, target, delta), reduction)


@kernel
def _binary_cross_entropy(xp: Any, input: Any, target: Any, reduction: str, weight: Any) -> Any:
    yes, no = xp.maximum(xp.log(input), -100.0), xp.maximum(xp.log1p(-input), -100.0)
    loss = ((target - 1) * no - target * yes).astype(input.dtype)
    return _reduce(xp, loss if weight is None else loss * weight, reduction)


@kernel
def _binary_cross_entropy_with_logits(
    xp: Any, input: Any, target: Any, reduction: str, weight: Any, pos_weight: Any
) -> Any:
    soft = xp.log1p(xp.exp(-xp.abs(input))) + xp.maximum(-input, 0)  # -log(sigmoid(input))
    loss = (1 - target) * input + (soft if pos_weight is None else ((pos_weight - 1) * target + 1) * soft)
    return _reduce(xp, loss if weight is None else loss * weight, reduction)


def _picks(xp: Any, target: Any, classes: int, dim: int, ignore_index: int) -> Any:
    """Returns True where a class is the target of its place, nowhere for an ignored one."""
    grid = xp.reshape(xp.arange(classes, dtype=target.dtype), [classes if d == dim else 1 for d in range(dim + 1)])
    if dim:
        grid = xp.reshape(grid, (1, classes, *(1 for _ in target.shape[1:])))
        target = xp.expand_dims(target, 1)
    else:
        target = xp.reshape(target, (1,))
    return (grid == target) & (target != ignore_index)


def _weights(xp: Any, picks: Any, weight: Any, like: Any, dim: int) -> Any:
    if weight is None:
        return picks.astype(like.dtype)
    shape = [like.shape[dim] if d == dim else 1 for d in range(like.ndim)]
    return xp.where(picks, xp.reshape(weight, shape), 0).astype(like.dtype)


@kernel
def _nll_loss(xp: Any, input: Any, target: Any, reduction: str, ignore_index: int, weight: Any) -> Any:
    dim = 1 if input.ndim > 1 else 0
    weights = _weights(xp, _picks(xp, target, input.shape[dim], dim, ignore_index), weight, input, dim)
    loss = -xp.sum(xp.where(weights != 0, input, 0) * weights, axis=dim)
    if reduction == "none":
        return loss
    total = xp.sum(loss)
    return total / xp.sum(weights) if reduction == "mean" else total


@kernel
def _nll_slopes(xp: Any, target: Any, like: Any, reduction: str, ignore_index: int, weight: Any) -> Any:
    dim = 1 if like.ndim > 1 else 0
    weights = _weights(xp, _picks(xp, target, like.shape[dim], dim, ignore_index), weight, like, dim)
    return -weights / xp.sum(weights) if reduction == "mean" else -weights
