"""Reductions: long float sums as BLAS products with ones, which read memory faster than `add.reduce`.

A product sums at most `BLOCK` numbers in a row; the blocks' sums are added pairwise, so rounding errors stay those of
pairwise summation. Top-k selects before it sorts.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch_numpy.kernels.bare import bare

__all__ = ["KERNELS", "total"]

BLOCK: Final = 256
LONG: Final = 2048  # elements from which products with ones are the faster sums along a dimension
_DOT: Final = 2048  # elements of one product of vectors, which has many sums side by side
WHOLE: Final = 8192  # and from which they are of all elements
_BLAS: Final = frozenset((np.dtype("f4"), np.dtype("f8")))
_HALF: Final = np.dtype("f2")
_PLAIN: Final = frozenset(np.dtype(c) for c in "?bBhHiIlLqQfdFD")
_LEADING: Final = tuple(range(32))
_ONES: Final = {dtype: np.ones(BLOCK, dtype) for dtype in _BLAS}

_add: Final[Any] = np.add.reduce  # arguments by position, which numpy's annotations do not know
_ndarray: Final = np.ndarray


@lru_cache(maxsize=1024)
def _block(n: int) -> int:
    """Returns the largest divisor of ``n`` up to `BLOCK` that is not small; 0 where there is none."""
    return next((d for d in range(min(n, BLOCK), BLOCK // 8, -1) if n % d == 0), 0)


def _rows(a: Any) -> Any:
    """Returns sums over the last dimension of a C-contiguous matrix."""
    rows, n = a.shape
    ones = _ONES[a.dtype]
    block = _block(n)
    if block == n:
        return a.dot(ones[:n])
    if block:
        return _add(a.reshape(-1, block).dot(ones[:block]).reshape(rows, n // block), 1)
    if rows == 1 and n > BLOCK:
        whole = n - n % BLOCK
        return _rows(a[:, :whole]) + a[:, whole:].dot(ones[: n - whole])
    return _add(a, 1)


def _columns(a: Any) -> Any:
    """Returns sums over the first dimension of a C-contiguous matrix."""
    rows, n = a.shape
    ones = _ONES[a.dtype]
    if rows <= BLOCK:
        return ones[:rows].dot(a)
    whole = rows - rows % BLOCK
    sums = np.matmul(ones, a[:whole].reshape(-1, BLOCK, n))
    out = _columns(sums)
    if whole < rows:
        out += ones[: rows - whole].dot(a[whole:])
    return out


_short_ones: Final[dict[Any, dict[int, Any]]] = {dtype: {} for dtype in _BLAS}


def _ones_of(n: int, dtype: Any) -> Any:
    """Returns so many ones, at most `BLOCK`, of a dtype that BLAS has."""
    known = _short_ones[dtype]
    ones = known.get(n)
    if ones is None:
        ones = known[n] = _ONES[dtype][:n]
    return ones


def total(a: Any, dims: Any, keepdim: bool) -> Any:
    """Returns sums of a plain-dtype array over ``dims``; ``dims`` None means all."""
    dtype, size = a.dtype, a.size
    if dtype in _BLAS and size and a.flags.c_contiguous:
        ndim = a.ndim
        if dims is None or len(dims) == ndim:
            if size <= BLOCK:
                out = np.asarray((a if ndim == 1 else a.reshape(-1)).dot(_ones_of(size, dtype)))
            elif size >= WHOLE:
                out = _rows(a.reshape(1, size)).reshape(())
            else:
                out = np.asarray(_add(a, dims))
            return out.reshape((1,) * ndim) if keepdim else out
        lead, shape = len(dims), a.shape
        if lead == 1 and dims[0] == 0 and ndim == 2 and shape[0] <= BLOCK:
            out = _ones_of(shape[0], dtype).dot(a)
            return out.reshape((1, shape[1])) if keepdim else out
        if lead == 1 and dims[0] == ndim - 1:
            if shape[-1] >= 32 and size >= LONG:
                rows = _rows(a.reshape(-1, shape[-1]))
                return rows.reshape((*shape[:-1], 1) if keepdim else shape[:-1])
        elif size >= LONG and dims == _LEADING[:lead]:
            kept = shape[lead:]
            width = math.prod(kept)
            if width >= 16:
                out = _columns(a.reshape(-1, width))
                return out.reshape((*(1,) * lead, *kept) if keepdim else kept)
    out = _add(a, dims, None, None, keepdim)
    return out if type(out) is _ndarray else np.asarray(out)


@bare
def _sum(a: Any, dims: Any, keepdim: bool, dtype: Any) -> Any:
    """Returns sums."""
    if dims is None and a.ndim == 1 and a.dtype is dtype and dtype in _BLAS and not keepdim:
        ones = _short_ones[dtype].get(a.size)
        if ones is not None:  # a few numbers of a length that was met before
            return np.asarray(a.dot(ones))
    if a.dtype is dtype and dtype in _PLAIN:
        return total(a, dims, keepdim)
    wide = dtype if dtype in _PLAIN else np.dtype(np.float32)
    with np.errstate(all="ignore"):
        return np.asarray(_add(a, dims, wide, None, keepdim)).astype(dtype, copy=False)


@bare
def _mean(a: Any, dims: Any, keepdim: bool) -> Any:
    """Returns means."""
    dtype = a.dtype
    if dtype not in _PLAIN:
        return _mean(a.astype(np.float32), dims, keepdim).astype(dtype)
    n = a.size if dims is None else math.prod([a.shape[d] for d in dims])
    out = total(a, dims, keepdim)
    if not n:
        return out * np.asarray(math.nan, dtype)
    return np.asarray(np.true_divide(out, dtype.type(n)))


def _vector_norm(a: Any, order: float, dims: Any, keepdim: bool, dtype: Any) -> Any:
    """Returns norms of vectors."""
    if a.dtype not in _PLAIN:
        a = a.astype(np.float32)
    if order == 2 and a.dtype.kind == "f":
        if (dims is None or len(dims) == a.ndim) and a.flags.c_contiguous:
            out = np.sqrt(_squares(a.reshape(-1)), out=...)
            if a.dtype is dtype and not keepdim:
                return out
            out = out.reshape((1,) * a.ndim if keepdim else ())
        else:
            out = np.sqrt(total(a * a, dims, keepdim))
        return np.asarray(out).astype(dtype, copy=False)
    size = np.abs(a)
    if math.isinf(order):
        out = (np.max if order > 0 else np.min)(size, axis=dims, keepdims=keepdim)
    elif order == 0:
        out = np.count_nonzero(size, axis=dims, keepdims=keepdim)
    elif order == 1:
        out = total(size, dims, keepdim)
    elif order == 2:
        out = np.sqrt(total(size * size, dims, keepdim))
    else:
        out = total(size**order, dims, keepdim) ** (1 / order)
    return np.asarray(out).astype(dtype, copy=False)


def _squares(flat: Any) -> Any:
    """Returns the sum of squares of a vector, block by block."""
    whole = flat.size // _DOT
    if not whole:
        return flat.dot(flat)
    blocks = flat[: whole * _DOT].reshape(whole, _DOT)
    rest = flat[whole * _DOT :]
    return _add(np.vecdot(blocks, blocks)) + rest.dot(rest)


def _var_mean(a: Any, dims: Any, correction: Any, keepdim: bool) -> Any:
    """Returns variances and means; the squares are taken in one buffer."""
    dtype = a.dtype
    if dtype not in _PLAIN:
        var, mean = _var_mean(a.astype(np.float32), dims, correction, keepdim)
        return var.astype(dtype), mean.astype(dtype)
    every = tuple(range(a.ndim)) if dims is None else dims
    n = math.prod([a.shape[d] for d in every])
    mean = total(a, every, True) / dtype.type(n) if n else total(a, every, True) * dtype.type(math.nan)
    off = np.asarray(a - mean)
    square = (off.real**2 + off.imag**2) if dtype.kind == "c" else np.multiply(off, off, off if a.ndim else None)
    square = np.asarray(square)
    var = total(square, every, keepdim)
    var = np.asarray(var / var.dtype.type(max(0, n - correction)))
    mean = np.asarray(mean)
    return var, mean if keepdim else mean.reshape(var.shape)


def _var(a: Any, dims: Any, correction: Any, keepdim: bool) -> Any:
    """Returns variances."""
    return _var_mean(a, dims, correction, keepdim)[0]


def _std(a: Any, dims: Any, correction: Any, keepdim: bool) -> Any:
    """Returns standard deviations."""
    dtype = a.dtype
    if dtype not in _PLAIN:
        return _std(a.astype(np.float32), dims, correction, keepdim).astype(dtype)
    return np.sqrt(_var_mean(a, dims, correction, keepdim)[0])


def _topk(a: Any, k: int, dim: int, largest: bool) -> Any:
    """Returns the ``k`` first in order: selected, then sorted; of equal ones the first come first."""
    if not a.ndim:
        return a.copy(), np.zeros((), np.int64)
    if a.dtype.name == "bfloat16":  # its own order leaves nan where it is
        values, places = _topk(a.astype(np.float32), k, dim, largest)
        return values.astype(a.dtype), places
    n = a.shape[dim]
    moved = a if dim == a.ndim - 1 else np.moveaxis(a, dim, -1)
    if 0 < k < n // 4:
        chosen = np.argpartition(moved, n - k if largest else k - 1, axis=-1)
        chosen = np.sort(chosen[..., n - k :] if largest else chosen[..., :k], axis=-1)
        values = np.take_along_axis(moved, chosen, -1)
    else:
        chosen, values = None, moved
    if largest:
        order = values.shape[-1] - 1 - np.flip(np.argsort(np.flip(values, -1), axis=-1, kind="stable"), -1)
    else:
        order = np.argsort(values, axis=-1, kind="stable")
    order = order[..., :k]
    values = np.take_along_axis(values, order, -1)
    places = order if chosen is None else np.take_along_axis(chosen, order, -1)
    places = places.astype(np.int64, copy=False)
    if moved is not a:
        values, places = np.moveaxis(values, -1, dim), np.moveaxis(places, -1, dim)
    return np.ascontiguousarray(values), np.ascontiguousarray(places)


def _searchsorted(boundaries: Any, values: Any, right: bool, dtype: Any) -> Any:
    """Returns insertion places, by bisection in each row."""
    side: Any = "right" if right else "left"
    if boundaries.ndim == 1:
        return np.asarray(np.searchsorted(boundaries, values, side)).astype(dtype)
    out = np.empty(values.shape, dtype)
    for row in np.ndindex(boundaries.shape[:-1]):
        out[row] = np.searchsorted(boundaries[row], values[row], side)
    return out


KERNELS: Final[dict[str, Kernel]] = {
    "_sum": _sum,
    "_mean": _mean,
    "_vector_norm": _vector_norm,
    "_var_mean": _var_mean,
    "_var": _var,
    "_std": _std,
    "_topk": _topk,
    "_searchsorted": _searchsorted,
}
