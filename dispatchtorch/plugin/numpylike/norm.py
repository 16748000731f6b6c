"""Kernels of normalisation over any numpy-like namespace; half precision is computed in float32."""

from __future__ import annotations

from typing import Any

from dispatchtorch.plugin.numpylike import kernel

__all__: list[str] = []

Arrays = tuple[Any, ...]


def _wide(xp: Any, a: Any) -> Any:
    """Returns the array in a precision that sums can be taken in."""
    return a.astype(xp.float32) if a.dtype.itemsize < 4 else a


def _statistics(xp: Any, x: Any, axes: tuple[int, ...], eps: float) -> Arrays:
    """Returns the centred array, the mean and the variance, reduced axes kept."""
    mean = xp.mean(x, axis=axes, keepdims=True)
    centred = x - mean
    return centred, mean, xp.mean(centred * centred, axis=axes, keepdims=True)


def _pull(xp: Any, inner: Any, normal: Any, scale: Any, axes: tuple[int, ...]) -> Any:
    """Returns the gradient through the normalisation itself."""
    return scale * (
        inner - xp.mean(inner, axis=axes, keepdims=True) - normal * xp.mean(inner * normal, axis=axes, keepdims=True)
    )


@kernel
def _layer_norm(xp: Any, input: Any, ndim: int, eps: float, weight: Any, bias: Any) -> Arrays:
    x = _wide(xp, input)
    centred, mean, var = _statistics(xp, x, tuple(range(x.ndim - ndim, x.ndim)), eps)
    rstd = 1 / xp.sqrt(var + eps)
    out = centred * rstd
    if weight is not None:
        out = out * weight
    if bias is not None:
        out = out + bias
    return out.astype(input.dtype), mean, rstd


@kernel
def _layer_norm_backward(
    xp: Any, g: Any, input: Any, mean: Any, rstd: Any, ndim: int, eps: float, weight: Any
) -> Arrays:
    dtype = input.dtype
    g, x = _wide(xp, g), _wide(xp, input)
    normal = (x - mean) * rstd
    whole = _pull(xp, g if weight is None else g * weight, normal, rstd, tuple(range(x.ndim - ndim, x.ndim)))
    if weight is None:
        return (whole.astype(dtype),)
    lead = tuple(range(x.ndim - ndim))
    return whole.astype(dtype), xp.sum(g * normal, axis=lead).astype(dtype), xp.sum(g, axis=lead).astype(dtype)


@kernel
def _group_norm(xp: Any, input: Any, groups: int, eps: float, weight: Any, bias: Any) -> Arrays:
    count, channels = input.shape[:2]
    x = xp.reshape(_wide(xp, input), (count, groups, _rest(input.shape, groups)))
    centred, mean, var = _statistics(xp, x, (2,), eps)
    rstd = 1 / xp.sqrt(var + eps)
    shape = (1, channels, *(1 for _ in input.shape[2:]))
    out = xp.reshape(centred * rstd, input.shape)
    if weight is not None:
        out = out * xp.reshape(weight, shape)
    if bias is not None:
        out = out + xp.reshape(bias, shape)
    return out.astype(input.dtype), mean, rstd


def _rest(shape: tuple[int, ...], groups: int) -> int:
    size = 1
    for n in shape[1:]:
        size *= n
    return size // groups


@kernel
def _group_norm_backward(
    xp: Any, g: Any, input: Any, mean: Any, rstd: Any, groups: int, eps: float, weight: Any
) -> Arrays:
    dtype, shape = input.dtype, input.shape
    flat = (shape[0], groups, _rest(shape, groups))
    g = _wide(xp, g)
    normal = (xp.reshape(_wide(xp, input), flat) - mean) * rstd
    inner = g if weight is None else g * xp.reshape(weight, (1, shape[1], *(1 for _ in shape[2:])))
    whole = xp.reshape(_pull(xp, xp.reshape(inner, flat), normal, rstd, (2,)), shape)
    if weight is None:
        return (whole.astype(dtype),)
    axes = (0, *range(2, len(shape)))
    by_weight = xp.sum(g * xp.reshape(normal, shape), axis=axes)
    return whole.astype(dtype), by_weight.astype(dtype), xp.sum(g, axis=axes).astype(dtype)


@kernel
def _batch_norm(xp: Any, input: Any, training: bool, eps: float, weight: Any, bias: Any, mean: Any, var: Any) -> Arrays:
    x = _wide(xp, input)
    shape = (1, x.shape[1], *(1 for _ in x.shape[2:]))
    if training:
        centred, mean, var = _statistics(xp, x, (0, *range(2, x.ndim)), eps)
    else:
        mean, var = xp.reshape(_wide(xp, mean) + 0, shape), xp.reshape(_wide(xp, var) + 0, shape)
        centred = x - mean
    scale = 1 / xp.sqrt(var + eps)
    if training and x.dtype != input.dtype and (weight is None or weight.dtype == input.dtype):
        centred = x - mean.astype(input.dtype).astype(x.dtype)  # PyTorch keeps statistics in the input's dtype
        scale = scale.astype(input.dtype).astype(x.dtype)
    if weight is not None:
        scale = scale * xp.reshape(weight, shape)
    out = centred * scale
    if bias is not None:
        out = out + xp.reshape(bias, shape)
    return out.astype(input.dtype), xp.reshape(mean, (-1,)), xp.reshape(var, (-1,))


@kernel
def _batch_norm_backward(
    xp: Any, g: Any, input: Any, mean: Any, var: Any, training: bool, eps: float, weight: Any
) -> Arrays:
    dtype = input.dtype
    g, x = _wide(xp, g), _wide(xp, input)
    axes, shape = (0, *range(2, x.ndim)), (1, x.shape[1], *(1 for _ in x.shape[2:]))
    scale = xp.reshape(1 / xp.sqrt(var + eps), shape)
    normal = (x - xp.reshape(mean, shape)) * scale
    inner = g if weight is None else g * xp.reshape(weight, shape)
    whole = _pull(xp, inner, normal, scale, axes) if training else scale * inner
    if weight is None:
        return (whole.astype(dtype),)
    narrow = weight.dtype
    return whole.astype(dtype), xp.sum(g * normal, axis=axes).astype(narrow), xp.sum(g, axis=axes).astype(narrow)
