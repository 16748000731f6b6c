"""Reductions, scans and searches over an array-API namespace; half-precision sums are accumulated in float32.

``dims`` is None for all dimensions, else a tuple; 0-dimensional arrays have the empty one.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from dispatchtorch.plugin.numpylike import kernel
from dispatchtorch.plugin.numpylike.pointwise import complex_logaddexp, is_complex

Array = Any


@lru_cache(maxsize=64)
def is_half(dtype: Any) -> bool:
    """Returns whether a native dtype is float16 or bfloat16."""
    return str(dtype) in ("float16", "bfloat16")


def wide(xp: Any, a: Array) -> Array:
    """Returns the array in the type that sums of it are accumulated in."""
    return a.astype(xp.float32) if is_half(a.dtype) else a


def count(a: Array, dims: tuple[int, ...] | None) -> int:
    """Returns how many elements are reduced to one."""
    return math.prod(a.shape if dims is None else [a.shape[d] for d in dims])


def where_nan(xp: Any, a: Array) -> Array:
    """Returns where an array of any dtype holds nan."""
    return a != a


@kernel
def _sum(xp: Any, a: Array, dims: Any, keepdim: bool, dtype: Any) -> Array:
    """Returns sums."""
    wider = xp.float32 if is_half(dtype) else dtype
    return xp.sum(a, axis=dims, keepdims=keepdim, dtype=wider).astype(dtype)


@kernel
def _mean(xp: Any, a: Array, dims: Any, keepdim: bool) -> Array:
    """Returns means."""
    total = xp.sum(wide(xp, a), axis=dims, keepdims=keepdim)
    n = count(a, dims)
    return (total / n if n else total * math.nan).astype(a.dtype)


@kernel
def _prod(xp: Any, a: Array, dims: Any, keepdim: bool, dtype: Any) -> Array:
    """Returns products."""
    wider = xp.float32 if is_half(dtype) else dtype
    return xp.prod(a, axis=dims, keepdims=keepdim, dtype=wider).astype(dtype)


@kernel
def _amax(xp: Any, a: Array, dims: Any, keepdim: bool) -> Array:
    """Returns maxima; nan wins."""
    return xp.max(a, axis=dims, keepdims=keepdim)


@kernel
def _amin(xp: Any, a: Array, dims: Any, keepdim: bool) -> Array:
    """Returns minima; nan wins."""
    return xp.min(a, axis=dims, keepdims=keepdim)


@kernel
def _argmax(xp: Any, a: Array, dim: int | None, keepdim: bool) -> Array:
    """Returns the first positions of maxima."""
    return _position(xp, xp.argmax, a, dim, keepdim)


@kernel
def _argmin(xp: Any, a: Array, dim: int | None, keepdim: bool) -> Array:
    """Returns the first positions of minima."""
    return _position(xp, xp.argmin, a, dim, keepdim)


def _position(xp: Any, find: Any, a: Array, dim: int | None, keepdim: bool) -> Array:
    if not a.ndim:
        return xp.zeros((), dtype=xp.int64)
    found = find(a, axis=dim).astype(xp.int64)
    if keepdim:
        return xp.reshape(found, (1,) * a.ndim) if dim is None else xp.expand_dims(found, dim)
    return found


def _at(xp: Any, a: Array, index: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    if not a.ndim:
        return xp.reshape(a, ()) + xp.zeros((), dtype=a.dtype) if a.dtype.kind != "b" else a | False, index
    kept = xp.expand_dims(index, dim)
    values = xp.take_along_axis(a, kept, axis=dim)
    return (values, kept) if keepdim else (xp.squeeze(values, axis=dim), index)


@kernel
def _max_dim(xp: Any, a: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """Returns maxima along one dimension, and where they are."""
    return _at(xp, a, _position(xp, xp.argmax, a, dim, False), dim, keepdim)


@kernel
def _min_dim(xp: Any, a: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """Returns minima along one dimension, and where they are."""
    return _at(xp, a, _position(xp, xp.argmin, a, dim, False), dim, keepdim)


@kernel
def _all(xp: Any, a: Array, dims: Any, keepdim: bool) -> Array:
    """Returns whether all elements are true."""
    return xp.all(a, axis=dims, keepdims=keepdim)


@kernel
def _any(xp: Any, a: Array, dims: Any, keepdim: bool) -> Array:
    """Returns whether any element is true."""
    return xp.any(a, axis=dims, keepdims=keepdim)


@kernel
def _count_nonzero(xp: Any, a: Array, dims: Any) -> Array:
    """Returns how many elements are not zero."""
    return xp.sum(a != 0, axis=dims, dtype=xp.int64)


@kernel
def _var_mean(xp: Any, a: Array, dims: Any, correction: Any, keepdim: bool) -> tuple[Array, Array]:
    """Returns variances, the sum of squares divided by the count less ``correction``, and means."""
    dtype, a = a.dtype, wide(xp, a)
    n = count(a, dims)
    total = xp.sum(a, axis=dims, keepdims=True)
    mean = total / n if n else total * math.nan
    off = a - mean
    square = (off.real * off.real + off.imag * off.imag) if off.dtype.kind == "c" else off * off
    below = max(0, n - correction)
    var = xp.sum(square, axis=dims, keepdims=keepdim)
    var = var / below if below else var / xp.zeros((), dtype=var.dtype)
    if not keepdim:
        mean = xp.squeeze(mean, axis=tuple(range(a.ndim)) if dims is None else dims)
    real = var.dtype if off.dtype.kind == "c" else dtype
    return var.astype(real), mean.astype(dtype)


@kernel
def _var(xp: Any, a: Array, dims: Any, correction: Any, keepdim: bool) -> Array:
    """Returns variances."""
    return _var_mean(xp, a, dims, correction, keepdim)[0]


@kernel
def _std(xp: Any, a: Array, dims: Any, correction: Any, keepdim: bool) -> Array:
    """Returns standard deviations."""
    dtype = a.dtype
    var = _var_mean(xp, wide(xp, a), dims, correction, keepdim)[0]
    return xp.sqrt(var).astype(dtype if dtype.kind != "c" else var.dtype)


@kernel
def _std_mean(xp: Any, a: Array, dims: Any, correction: Any, keepdim: bool) -> tuple[Array, Array]:
    """Returns standard deviations and means."""
    var, mean = _var_mean(xp, a, dims, correction, keepdim)
    return xp.sqrt(var), mean


@kernel
def _vector_norm(xp: Any, a: Array, order: float, dims: Any, keepdim: bool, dtype: Any) -> Array:
    """Returns norms of vectors: of order 2, 1, 0 (how many are not zero), inf, -inf or any number."""
    size = xp.abs(wide(xp, a))
    if order == math.inf:
        out = xp.max(size, axis=dims, keepdims=keepdim)
    elif order == -math.inf:
        out = xp.min(size, axis=dims, keepdims=keepdim)
    elif order == 0:
        out = xp.sum(size != 0, axis=dims, keepdims=keepdim, dtype=size.dtype)
    elif order == 1:
        out = xp.sum(size, axis=dims, keepdims=keepdim)
    elif order == 2:
        out = xp.sqrt(xp.sum(size * size, axis=dims, keepdims=keepdim))
    else:
        out = xp.sum(size**order, axis=dims, keepdims=keepdim) ** (1 / order)
    return out.astype(dtype)


@kernel
def _logsumexp(xp: Any, a: Array, dims: Any, keepdim: bool) -> Array:
    """Returns logarithms of sums of exponentials, without overflow."""
    dtype, a = a.dtype, wide(xp, a)
    if not count(a, dims):
        return xp.log(xp.sum(a, axis=dims, keepdims=keepdim)).astype(dtype)
    key = a.real if a.dtype.kind == "c" else a
    top = xp.max(key, axis=dims, keepdims=True)
    top = xp.where(xp.isfinite(top), top, xp.zeros((), dtype=top.dtype))
    out = xp.log(xp.sum(xp.exp(a - top), axis=dims, keepdims=True)) + top
    if not keepdim:
        out = xp.squeeze(out, axis=tuple(range(a.ndim)) if dims is None else dims)
    return out.astype(dtype)


# --- scans ------------------------------------------------------------------------------------------------------------


@kernel
def _cumsum(xp: Any, a: Array, dim: int, dtype: Any) -> Array:
    """Returns running sums."""
    wider = xp.float32 if is_half(dtype) else dtype
    return xp.cumsum(a, axis=dim, dtype=wider).astype(dtype) if a.ndim else a.astype(dtype) + xp.zeros((), dtype=dtype)


@kernel
def _cumprod(xp: Any, a: Array, dim: int, dtype: Any) -> Array:
    """Returns running products."""
    wider = xp.float32 if is_half(dtype) else dtype
    return xp.cumprod(a, axis=dim, dtype=wider).astype(dtype) if a.ndim else a.astype(dtype) + xp.zeros((), dtype=dtype)


def _running(xp: Any, best: Any, a: Array, dim: int) -> tuple[Array, Array]:
    if not a.ndim:
        return xp.asarray(a, copy=True), xp.zeros((), dtype=xp.int64)
    values = best.accumulate(a, axis=dim)
    places = xp.reshape(xp.arange(a.shape[dim]), [-1 if d == dim else 1 for d in range(a.ndim)])
    hits = xp.where((a == values) | where_nan(xp, a), places, xp.zeros((), dtype=places.dtype))
    return values, xp.maximum.accumulate(hits, axis=dim).astype(xp.int64)


@kernel
def _cummax(xp: Any, a: Array, dim: int) -> tuple[Array, Array]:
    """Returns running maxima and where each was last seen."""
    return _running(xp, xp.maximum, a, dim)


@kernel
def _cummin(xp: Any, a: Array, dim: int) -> tuple[Array, Array]:
    """Returns running minima and where each was last seen."""
    return _running(xp, xp.minimum, a, dim)


@kernel
def _logcumsumexp(xp: Any, a: Array, dim: int) -> Array:
    """Returns logarithms of running sums of exponentials."""
    if not a.ndim:
        return xp.asarray(a, copy=True)
    if is_complex(a.dtype):
        return complex_logcumsumexp(xp, a, dim)
    return xp.logaddexp.accumulate(wide(xp, a), axis=dim).astype(a.dtype)


def complex_logcumsumexp(xp: Any, a: Array, dim: int) -> Array:
    """Returns logarithms of running sums of exponentials of complex numbers, for which no library has a scan."""
    runs = [xp.take(a, i, axis=dim) for i in range(a.shape[dim])]
    for i in range(1, len(runs)):
        runs[i] = complex_logaddexp(xp, runs[i - 1], runs[i])
    return xp.stack(runs, axis=dim) if runs else a


# --- picking one element along a dimension ---------------------------------------------------------------------------


@kernel
def _select_back(xp: Any, g: Array, index: Array, dim: int, size: int) -> Array:
    """Returns zeros with ``g`` at ``index``, one place along ``dim`` for each."""
    if not index.ndim:
        return g + xp.zeros((), dtype=g.dtype)
    places = xp.reshape(xp.arange(size), [-1 if d == dim else 1 for d in range(index.ndim)])
    return xp.where(places == index, g, xp.zeros((), dtype=g.dtype))
