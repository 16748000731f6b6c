"""The losses of ``torch.nn.functional`` with their argument checks."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

from dispatchtorch.nn.functional.reduction import checked, chosen, reduced
from dispatchtorch.ops import ctc, distances
from dispatchtorch.ops import loss as ops
from dispatchtorch.tensor.sizes import broadcast_shapes
from dispatchtorch.tensor.tensor import Tensor, read

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "ctc_loss", "gaussian_nll_loss",
    "huber_loss", "kl_div", "l1_loss", "mse_loss", "nll_loss", "poisson_nll_loss", "smooth_l1_loss", "soft_margin_loss",
]  # fmt: skip


def _together(input: Tensor, target: Tensor, *, warn: bool = True) -> tuple[Tensor, Tensor]:
    """Returns both at their common shape and dtype; torch warns where that is not already so."""
    mine, other = input._a.shape, target._a.shape
    if mine != other:
        if warn:
            warnings.warn(
                f"Using a target size ({target.size()}) that is different to the input size ({input.size()}). "
                f"This will "
                "likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
                stacklevel=3,
            )
        shape = broadcast_shapes(tuple(mine), tuple(other))
        input, target = input.expand(shape), target.expand(shape)
    return input, target


def _require_floats(kernel: str, *tensors: Tensor) -> None:
    """Raises torch's error where a kernel has nothing for integers."""
    for t in tensors:
        if t._key.dtype.category < 2:
            raise NotImplementedError(f"\"{kernel}\" not implemented for '{t._key.dtype.legacy}'")


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Returns the cross entropy of logits (N, C, ...) with class indices (N, ...) or probabilities (N, C, ...)."""
    kind = chosen(reduction, size_average, reduce)
    return ops.cross_entropy_loss(input, target, weight, kind, ignore_index, label_smoothing)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns the negative log likelihood of class indices (N, ...) under log probabilities (N, C, ...)."""
    return ops.nll_loss_nd(input, target, weight, chosen(reduction, size_average, reduce), ignore_index)


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Returns the mean of squared differences."""
    input, target = _together(input, target)
    kind = chosen(reduction, size_average, reduce)
    if weight is not None:
        return _weighted_mean((input - target) * (input - target), weight, kind)
    if input._key.dtype is target._key.dtype:
        _require_floats("mse_cpu", input)
        if kind == "mean":
            return ops._mean_squared_error(input, target)
    return ops._mse_loss(input, target, kind)


def _weighted_mean(loss: Tensor, weight: Tensor, reduction: str) -> Tensor:
    if weight.size() != loss.size():
        raise ValueError("Weights and input must have the same size.")
    loss = loss * weight
    if reduction == "mean":
        return loss.sum() / weight.sum()
    return reduced(loss, reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Returns the mean of absolute differences."""
    input, target = _together(input, target)
    kind = chosen(reduction, size_average, reduce)
    if weight is not None:
        return _weighted_mean((input - target).abs(), weight, kind)
    return reduced((input - target).abs(), kind)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """Returns the mean of absolute differences, quadratic below ``beta``."""
    input, target = _together(input, target)
    kind = chosen(reduction, size_average, reduce)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0.0:
        return reduced((input - target).abs(), kind)
    if input._key.dtype is target._key.dtype:
        _require_floats("smooth_l1_cpu", input)
    return ops._smooth_l1_loss(input, target, kind, float(beta))


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """Returns the mean of half squared differences, linear above ``delta``."""
    input, target = _together(input, target)
    if not isinstance(delta, (int, float)):
        raise TypeError(f"delta must be a float or int, got: {type(delta)}")
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    if weight is not None:
        return _weighted_mean(ops._huber_loss(input, target, "none", float(delta)), weight, checked(reduction))
    if input._key.dtype is target._key.dtype:
        _require_floats("huber_cpu", input)
    return ops._huber_loss(input, target, checked(reduction), float(delta))


def _check_probabilities(input: Tensor) -> None:
    """Raises torch's error for a number outside [0, 1], where values can be looked at."""
    key = input._key
    if key.device.type != "cpu" or not input._a.size:
        return
    try:
        host = key.backend.to_host(read(input))
    except TypeError:  # a traced value
        return
    if not (host.min() >= 0 and host.max() <= 1):
        raise RuntimeError("all elements of input should be between 0 and 1")


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns the cross entropy of probabilities with targets in [0, 1]."""
    kind = chosen(reduction, size_average, reduce)
    if target.size() != input.size():
        raise ValueError(
            f"Using a target size ({target.size()}) that is different to the input size ({input.size()}) is "
            f"deprecated. "
            "Please ensure they have the same size."
        )
    _check_probabilities(input)
    if weight is not None:
        weight = weight.expand(broadcast_shapes(tuple(target.shape), tuple(weight.shape)))
    return ops._binary_cross_entropy(input, target, kind, weight)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Returns the cross entropy of the sigmoid of logits with targets in [0, 1]."""
    kind = chosen(reduction, size_average, reduce)
    if target.size() != input.size():
        raise ValueError(f"Target size ({target.size()}) must be the same as input size ({input.size()})")
    return distances.binary_cross_entropy_with_logits(input, target, weight, pos_weight, kind)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """Returns the divergence of the distribution ``target`` from the log probabilities ``input``."""
    if size_average is not None or reduce is not None:
        reduction = chosen(reduction, size_average, reduce)
    elif reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean' "
            "divides only "
            "by the batch size, and aligns with the KL div math definition.'mean' will be changed to behave the "
            "same as "
            "'batchmean' in the next major release.",
            stacklevel=2,
        )
    kind = "sum" if reduction == "batchmean" else checked(reduction)
    loss = distances.kl_div(input, target, kind, log_target=log_target)
    return loss / input.size()[0] if reduction == "batchmean" and input.dim() else loss


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns the negative log likelihood of counts under a Poisson distribution."""
    kind = chosen(reduction, size_average, reduce)
    return distances.poisson_nll_loss(input, target, log_input, full, eps, kind)


def _differing(input: Tensor, variance: Tensor) -> int:
    """Returns the sum of the variance's sizes that are not the input's."""
    return sum([int(y) for x, y in zip(input.shape, variance.shape, strict=True) if x != y])


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Tensor | float, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """Returns the negative log likelihood of targets under normal distributions of given variance."""
    if isinstance(var, float):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        variance = input.new_full(input.shape, var)
    else:
        variance = var
        if bool((variance < 0).any()):
            raise ValueError("var has negative entry/entries")
    if variance.size() != input.size():
        if input.size()[:-1] == variance.size():
            variance = variance.unsqueeze(-1)
        elif input.ndim != variance.ndim or _differing(input, variance) != 1:
            raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(reduction + " is not valid")
    before = variance.detach().clamp(min=eps)
    floor = variance + (before - variance.detach())  # clamped in value, with the gradient of the variance itself
    loss = 0.5 * (floor.log() + (input - target) ** 2 / floor)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return reduced(loss, reduction)


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns the mean of ``log(1 + exp(-target * input))``."""
    kind = chosen(reduction, size_average, reduce)
    if input._key.dtype.category < 2 and target._key.dtype.category < 2:
        raise RuntimeError(f"result type Float can't be cast to the desired output type {input._key.dtype.legacy}")
    return reduced((input * -target).exp().log1p(), kind)


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[int],
    target_lengths: Tensor | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Returns minus the log likelihood of labels (N, S), or all in a row, under log probabilities (T, N, C) or (T, C).

    The mean is taken over losses divided by their numbers of labels.
    """
    kind = checked(reduction)
    number = ("none", "mean", "sum").index(kind)
    return ctc.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, number, zero_infinity)
