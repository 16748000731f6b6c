"""Normalisation on numpy: sums as BLAS products, then the result as ``x * a + b`` with coefficients of rows or columns.

The variance is the mean of squares less the square of the mean where the mean is small beside the deviation; else the
input is centred first, so nothing cancels. Coefficients are spread over a block that stays in the cache, since numpy is
slow where one operand of a row is a single number.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch.plugin.numpylike import KERNELS as SHARED
from dispatchtorch_numpy.kernels.ones import ones

__all__ = ["KERNELS"]

BLOCK: Final = 1 << 16  # elements
_WIDE: Final = frozenset(np.dtype(c) for c in "fd")


def _fits(x: Any, *others: Any) -> bool:
    return x.dtype in _WIDE and x.size > 0 and all(a is None or a.dtype == x.dtype for a in others)


def _parts(rows: int, width: int) -> list[slice]:
    step = max(1, BLOCK // max(width, 1))
    return [slice(i, i + step) for i in range(0, rows, step)]


def _row_sums(x: Any) -> Any:
    return x.dot(ones(x.shape[1], x.dtype))


def _steady(mean: Any, var: Any) -> bool:
    """Returns whether no mean is so large beside its deviation that differences would lose digits."""
    return bool((2 * mean * mean <= var).all())


def _moments(x: Any) -> tuple[Any, Any, Any, Any]:
    """Returns rows, centred where that matters, the means of these, the means of the input and the variances."""
    width = x.shape[1]
    mean = _row_sums(x)
    mean /= width
    var = np.vecdot(x, x)
    var /= width
    var -= mean * mean
    if _steady(mean, var):
        return x, mean, mean, var
    x = x - mean[:, None]
    rest = _row_sums(x)
    rest /= width
    var = np.vecdot(x, x)
    var /= width
    var -= rest * rest
    return x, rest, mean + rest, np.maximum(var, 0, out=var)


def _inverse_root(var: Any, eps: float) -> Any:
    scale = var + eps
    np.sqrt(scale, scale)
    return np.reciprocal(scale, scale)


# --- rows with coefficients -------------------------------------------------------------------------------------------


def _scaled(x: Any, a: Any, b: Any, out: Any) -> None:
    """Writes rows of ``x * a + b``, with a number a row each."""
    rows, width = x.shape
    out = out.reshape(rows, width)
    for part in _parts(rows, width):
        here, spread = out[part], np.empty((len(out[part]), width), x.dtype)
        np.copyto(here, a[part, None])
        here *= x[part]
        np.copyto(spread, b[part, None])
        here += spread


def _mixed(g: Any, a: Any, x: Any, b: Any, c: Any, out: Any) -> None:
    """Writes rows of ``g * a + x * b + c``, with a number a row each."""
    rows, width = x.shape
    out = out.reshape(rows, width)
    for part in _parts(rows, width):
        here, spread = out[part], np.empty((len(out[part]), width), x.dtype)
        np.copyto(here, a[part, None])
        here *= g[part]
        np.copyto(spread, b[part, None])
        spread *= x[part]
        here += spread
        np.copyto(spread, c[part, None])
        here += spread


# --- layer norm -------------------------------------------------------------------------------------------------------


def _pair(first: Any, second: Any, rows: int, dtype: Any) -> Any:
    """Returns two columns, of arrays or numbers."""
    both = np.empty((rows, 2), dtype)
    both[:, 0] = first
    both[:, 1] = second
    return both


def _layer_norm(input: Any, ndim: int, eps: float, weight: Any, bias: Any) -> Any:
    if not _fits(input, weight, bias):
        return SHARED["_layer_norm"](np, input, ndim, eps, weight, bias)
    lead = input.shape[: input.ndim - ndim]
    kept, dtype = (*lead, *(1 for _ in range(ndim))), input.dtype
    x = input.reshape(int(np.prod(lead)), -1)
    rows, width = x.shape
    x, mean, whole_mean, var = _moments(x)
    rstd = _inverse_root(var, eps)
    out = np.empty(input.shape, dtype)
    if weight is None and bias is None:
        _scaled(x, rstd, -mean * rstd, out)
        return out, whole_mean.reshape(kept), rstd.reshape(kept)
    right = np.zeros((2, width), dtype)
    right[0] = 1 if weight is None else weight.reshape(-1)
    shifts = right.copy()
    shifts[1] = 0 if bias is None else bias.reshape(-1)
    scale, shift = _pair(rstd, 0, rows, dtype), _pair(-mean * rstd, 1, rows, dtype)
    flat = out.reshape(rows, width)
    for part in _parts(rows, width):
        here = flat[part]
        np.dot(scale[part], right, here)
        here *= x[part]
        here += np.dot(shift[part], shifts)
    return out, whole_mean.reshape(kept), rstd.reshape(kept)


def _layer_norm_backward(g: Any, input: Any, mean: Any, rstd: Any, ndim: int, eps: float, weight: Any) -> Any:
    if not _fits(input, g, weight):
        return SHARED["_layer_norm_backward"](np, g, input, mean, rstd, ndim, eps, weight)
    rows, dtype = mean.size, input.dtype
    x, gs = input.reshape(rows, -1), g.reshape(rows, -1)
    width = x.shape[1]
    mean, rstd = mean.reshape(rows), rstd.reshape(rows)
    if not _steady(mean * rstd, 1.0):
        x, mean = x - mean[:, None], np.zeros_like(mean)
    right = np.zeros((2, width), dtype)
    right[0] = 1 if weight is None else weight.reshape(-1)
    out, column, scale = np.empty(input.shape, dtype), right[0], _pair(rstd, 0, rows, dtype)
    flat = out.reshape(rows, width)
    sums, along = np.zeros((2, width), dtype), _pair(mean * rstd, 1, rows, dtype)
    by_weight: Any = np.zeros(width, dtype)
    for part in _parts(rows, width):
        here, product = gs[part], gs[part] * x[part]
        if weight is not None:
            sums += along[part].T.dot(here)
            by_weight += rstd[part].dot(product)
        inner = here.dot(column)
        pull = product.dot(column)
        pull -= mean[part] * inner
        pull *= rstd[part] ** 3
        pull /= -width
        inner *= rstd[part]
        inner /= -width
        inner -= pull * mean[part]
        target = flat[part]
        np.dot(scale[part], right, target)
        target *= here
        np.copyto(product, pull[:, None])
        product *= x[part]
        target += product
        np.copyto(product, inner[:, None])
        target += product
    if weight is None:
        return (out,)
    by_weight -= sums[0]
    return out, by_weight.reshape(weight.shape), sums[1].reshape(weight.shape).copy()


# --- group norm -------------------------------------------------------------------------------------------------------


def _per_channel(vector: Any, channels: int, groups: int) -> Any:
    """Returns a vector over channels as (groups, channels of one), or ones."""
    return 1 if vector is None else vector.reshape(groups, channels // groups)


def _group_norm(input: Any, groups: int, eps: float, weight: Any, bias: Any) -> Any:
    if not _fits(input, weight, bias):
        return SHARED["_group_norm"](np, input, groups, eps, weight, bias)
    count, channels = input.shape[:2]
    x, mean, whole_mean, var = _moments(input.reshape(count * groups, -1))
    rstd = _inverse_root(var, eps)
    shape = (count, groups, channels // groups)
    scale = np.broadcast_to(rstd.reshape(count, groups, 1) * _per_channel(weight, channels, groups), shape)
    shift = -mean.reshape(count, groups, 1) * scale
    if bias is not None:
        shift += _per_channel(bias, channels, groups)
    out = np.empty(input.shape, input.dtype)
    _scaled(x.reshape(count * channels, -1), scale.reshape(-1), shift.reshape(-1), out)
    kept = (count, groups, 1)
    return out, whole_mean.reshape(kept), rstd.reshape(kept)


def _group_norm_backward(g: Any, input: Any, mean: Any, rstd: Any, groups: int, eps: float, weight: Any) -> Any:
    if not _fits(input, g, weight):
        return SHARED["_group_norm_backward"](np, g, input, mean, rstd, groups, eps, weight)
    count, channels = input.shape[:2]
    rows, size = count * channels, channels // groups
    x, gs = input.reshape(rows, -1), g.reshape(rows, -1)
    mean, rstd = mean.reshape(count, groups, 1), rstd.reshape(count, groups, 1)
    if not _steady(mean * rstd, 1.0):
        x = (x.reshape(count, groups, -1) - mean).reshape(rows, -1)
        mean = np.zeros_like(mean)
    totals = _row_sums(gs).reshape(count, groups, size)
    normals = np.vecdot(gs, x).reshape(count, groups, size)
    normals -= mean * totals
    normals *= rstd
    factor = _per_channel(weight, channels, groups)
    width = size * x.shape[1]
    pull = (normals * factor).sum(2, keepdims=True)
    pull *= rstd * rstd
    pull /= -width
    rest = (totals * factor).sum(2, keepdims=True)
    rest *= rstd
    rest /= -width
    rest -= pull * mean
    scale, pulls, rests = [np.broadcast_to(a, totals.shape).reshape(-1) for a in (rstd * factor, pull, rest)]
    out = np.empty(input.shape, input.dtype)
    _mixed(gs, scale, x, pulls, rests, out)
    if weight is None:
        return (out,)
    return out, normals.reshape(count, channels).sum(0), totals.reshape(count, channels).sum(0)


# --- batch norm -------------------------------------------------------------------------------------------------------


def _channel_sums(x: Any, y: Any) -> tuple[Any, Any]:
    """Returns the sums of ``x``, and of ``x * y``, in each channel of (count, channels, places), in float64."""
    count, channels, places = x.shape
    if places > 1:
        rows = x.reshape(-1, places)
        sums, products = _row_sums(rows), np.vecdot(rows, y.reshape(-1, places))
        shape, wide = (count, channels), np.float64
        return sums.reshape(shape).sum(0, dtype=wide), products.reshape(shape).sum(0, dtype=wide)
    flat, row = x.reshape(count, channels), ones(count, x.dtype)
    products = row.dot(flat * y.reshape(count, channels))
    return row.dot(flat).astype(np.float64), products.astype(np.float64)


def _planes(vectors: list[Any], places: int, dtype: Any) -> list[Any]:
    """Returns numbers a channel as what an image (channels, places) is combined with; short rows are written out."""
    if places == 1 or places > 512:
        return [v.astype(dtype)[:, None] for v in vectors]
    return [v.astype(dtype).repeat(places).reshape(-1, places) for v in vectors]


def _images(x: Any) -> list[slice]:
    return _parts(len(x), x[0].size)


def _batch_norm(input: Any, training: bool, eps: float, weight: Any, bias: Any, mean: Any, var: Any) -> Any:
    if not _fits(input, weight, bias, mean, var):
        return SHARED["_batch_norm"](np, input, training, eps, weight, bias, mean, var)
    dtype = input.dtype
    x = input.reshape(*input.shape[:2], -1)
    centre: Any = 0
    if training:
        count = x.size // x.shape[1]
        mean, var = _channel_sums(x, x)
        mean /= count
        var /= count
        var -= mean * mean
        if not _steady(mean, var):
            centre = mean.astype(dtype)
            x = x - centre[:, None]
            mean, var = _channel_sums(x, x)
            mean /= count
            var /= count
            var -= mean * mean
            np.maximum(var, 0, out=var)
    else:
        mean, var = mean.astype(np.float64), var.astype(np.float64)
    scale = 1 / np.sqrt(var + eps)
    if weight is not None:
        scale *= weight
    shift = -mean * scale if bias is None else bias - mean * scale
    times, plus = _planes([scale, shift], x.shape[2], dtype)
    out = np.empty(input.shape, dtype)
    flat = out.reshape(x.shape)
    for part in _images(x):
        here = flat[part]
        np.multiply(x[part], times, here)
        here += plus
    return out, (mean + centre).astype(dtype), var.astype(dtype)


def _batch_norm_backward(g: Any, input: Any, mean: Any, var: Any, training: bool, eps: float, weight: Any) -> Any:
    if not _fits(input, g, weight, mean, var):
        return SHARED["_batch_norm_backward"](np, g, input, mean, var, training, eps, weight)
    dtype, shape = input.dtype, (*input.shape[:2], -1)
    x, gs = input.reshape(shape), g.reshape(shape)
    if not _steady(mean, var):
        x, mean = x - mean[:, None], np.zeros_like(mean)
    rstd = 1 / np.sqrt(var.astype(np.float64) + eps)
    by_bias, by_weight = _channel_sums(gs, x)
    by_weight -= mean * by_bias
    by_weight *= rstd
    scale = rstd if weight is None else rstd * weight
    out = np.empty(input.shape, dtype)
    flat = out.reshape(x.shape)
    if training:
        count = x.size // x.shape[1]
        pull = scale * rstd * by_weight / -count
        rest = scale * by_bias / -count - pull * mean
        times, pulls, rests = _planes([scale, pull, rest], x.shape[2], dtype)
        for part in _images(x):
            here = flat[part]
            np.multiply(x[part], pulls, here)
            here += rests
            here += gs[part] * times
    else:
        np.multiply(gs, scale.astype(dtype)[:, None], flat)
    if weight is None:
        return (out,)
    return out, by_weight.astype(dtype), by_bias.astype(dtype)


KERNELS: Final[dict[str, Kernel]] = {
    "_layer_norm": _layer_norm,
    "_layer_norm_backward": _layer_norm_backward,
    "_group_norm": _group_norm,
    "_group_norm_backward": _group_norm_backward,
    "_batch_norm": _batch_norm,
    "_batch_norm_backward": _batch_norm_backward,
}
