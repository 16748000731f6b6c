"""Copies in another arrangement: joined, repeated, flipped, rolled, cut to a triangle, transposed.

Rows of equal length move as one item each (a void type of their size), which numpy copies with one call of `memcpy`
where a row of floats starts a loop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch_numpy.kernels.bare import bare

__all__ = ["KERNELS"]

Array = np.ndarray[Any, Any]
Ints = tuple[int, ...]

_ITEM: Final = range(64, 1 << 14)  # bytes of a row that is worth moving as one item
_FEW: Final = 1 << 13  # elements of a matrix whose triangle is cut out by a mask of bits
_BITS: Final = {np.dtype(c): np.dtype(f"i{np.dtype(c).itemsize}") for c in "efdhilq"}
_PATCH: Final = 64  # the width of strips that are transposed, of squares that a triangle's diagonal is cut out of


@lru_cache(maxsize=256)
def _item(size: int) -> Any:
    return np.dtype((np.void, size))


def _joined(arrays: Sequence[Array], out: Array, lead: int) -> Array:
    """Writes the arrays side by side into ``out``, each row of theirs one of ``lead`` pieces."""
    rows = out.reshape(lead, -1)
    width = rows.shape[1] // len(arrays) * out.itemsize
    if width in _ITEM and all(a.size == arrays[0].size and a.flags.c_contiguous for a in arrays):
        item = _item(width)
        places = rows.view(item)
        for i, a in enumerate(arrays):
            places[:, i] = a.reshape(lead, -1).view(item)[:, 0]
        return out
    start = 0
    for a in arrays:
        part = a.reshape(lead, -1)
        end = start + part.shape[1]
        rows[:, start:end] = part
        start = end
    return out


@bare
def _cat(arrays: Sequence[Array], dim: int) -> Array:
    first = arrays[0]
    if not dim and first.ndim < 2:
        return np.concatenate(arrays)
    if not dim or first.size < 1 << 13 or first.ndim < 2:
        out = np.concatenate(arrays, dim)
        return out if first.ndim < 2 or out.flags.c_contiguous else np.ascontiguousarray(out)
    shape, sizes = first.shape, 0
    for a in arrays:
        if a.shape[:dim] != shape[:dim] or a.shape[dim + 1 :] != shape[dim + 1 :] or a.dtype != first.dtype:
            return np.concatenate(arrays, axis=dim)  # which says what does not fit
        sizes += a.shape[dim]
    out = np.empty((*shape[:dim], sizes, *shape[dim + 1 :]), first.dtype)
    return _joined(arrays, out, math.prod(shape[:dim]))


@bare
def _stack(arrays: Sequence[Array], dim: int) -> Array:
    first = arrays[0]
    if not dim and first.ndim:
        return np.concatenate(arrays).reshape(len(arrays), *first.shape)
    out = np.empty((*first.shape[:dim], len(arrays), *first.shape[dim:]), first.dtype)
    if not first.size:
        return out
    return _joined(arrays, out, math.prod(first.shape[:dim]))


@bare
def _repeat(a: Array, repeats: Ints) -> Array:
    if not repeats:
        return a.copy()
    lead = len(repeats) - a.ndim
    shape = (1,) * lead + a.shape
    out = np.empty(tuple([n * r for n, r in zip(shape, repeats, strict=True)]), a.dtype)
    if not out.size:
        return out
    last = a.shape[-1] * a.itemsize if a.ndim else 0
    if last in _ITEM and a.flags.c_contiguous:
        item = _item(last)
        whole, part = out.view(item), a.view(item)
        shape = (*shape[:-1], 1)
    else:
        whole, part = out, a
    apart: list[int] = []
    single: list[int] = []
    for n, times in zip(shape, repeats, strict=True):
        apart += (times, n)
        single += (1, n)
    whole.reshape(apart)[...] = part.reshape(single)
    return out


@bare
def _flip(a: Array, dims: Ints) -> Array:
    if not dims or not a.ndim:
        return a.copy()
    turned = a[tuple([slice(None, None, -1) if d in dims else slice(None) for d in range(a.ndim)])]
    return turned.copy()


@bare
def _roll(a: Array, shifts: Ints, dims: Ints) -> Array:
    if not a.size or not a.ndim:
        return a.copy()
    if not dims:
        return _rolled(a.reshape(-1), shifts[0], 0).reshape(a.shape)
    for shift, dim in zip(shifts, dims, strict=True):
        a = _rolled(a, shift, dim)
    return a


def _rolled(a: Array, shift: int, dim: int) -> Array:
    size = a.shape[dim]
    cut = size - shift % size
    out = np.empty(a.shape, a.dtype)
    before = (slice(None),) * dim
    out[(*before, slice(size - cut, None))] = a[(*before, slice(None, cut))]
    out[(*before, slice(None, size - cut))] = a[(*before, slice(cut, None))]
    return out


@lru_cache(maxsize=32)
def _above(rows: int, columns: int, offset: int) -> Array:
    """Returns where a matrix lies above a diagonal."""
    return np.arange(columns) > np.arange(rows)[:, None] + offset


def _cleared(out: Array, offset: int, upper: bool) -> None:
    """Writes zeros above the diagonal, or with ``upper`` below it, of matrices in the last two dims."""
    rows, columns = out.shape[-2:]
    begin, end = max(0, 1 - offset) if upper else 0, min(rows, max(0, columns - offset))
    if upper:
        out[..., end:, :] = 0
    for start in range(begin, end, _PATCH):
        part = out[..., start : min(start + _PATCH, end), :]
        first = start + offset  # the diagonal's column in the first of these rows
        left, right = max(first, 0), max(first + part.shape[-2], 0)
        if upper:
            part[..., :left] = 0
        else:
            part[..., right:] = 0
        if left < right:
            square = part[..., left:right]
            above = _above(*square.shape[-2:], first - left - upper)
            np.copyto(square, out.dtype.type(0), where=~above if upper else above)


@lru_cache(maxsize=32)
def _kept_bits(rows: int, columns: int, offset: int, upper: bool, bits: Any) -> Array:
    """Returns all bits where a triangle of a matrix is, none elsewhere."""
    above = _above(rows, columns, offset - upper)
    return np.negative(above if upper else ~above, dtype=bits)


def _triangle(a: Array, offset: int, upper: bool) -> Array:
    bits = _BITS.get(a.dtype)
    if bits is not None and a.size <= _FEW and a.ndim == 2 and a.flags.c_contiguous:
        kept = _kept_bits(*a.shape, offset, upper, bits)
        cut: Array = np.bitwise_and(a.view(bits), kept)
        return cut.view(a.dtype)
    out = a.copy()
    _cleared(out, offset, upper)
    return out


@bare
def _tril(a: Array, offset: int) -> Array:
    return _triangle(a, offset, False)


@bare
def _triu(a: Array, offset: int) -> Array:
    return _triangle(a, offset, True)


@bare
def _row_major(a: Array) -> Array:
    if a.ndim < 2 or a.size < _PATCH * _PATCH or a.strides[-2] != a.itemsize:
        return a.copy()
    out = np.empty(a.shape, a.dtype)  # transposed: in strips that stay in the cache while they are read across
    for start in range(0, a.shape[-1], _PATCH):
        out[..., start : start + _PATCH] = a[..., start : start + _PATCH]
    return out


@bare
def _one_hot(index: Array, classes: int) -> Array:
    out = np.zeros((*index.shape, classes), np.int64)
    places = np.arange(0, out.size, classes)
    places += index.reshape(-1)
    out.reshape(-1)[places] = 1
    return out


_ALL: Final = (_cat, _stack, _repeat, _flip, _roll, _tril, _triu, _row_major, _one_hot)
KERNELS: Final[dict[str, Kernel]] = {kernel.__name__: kernel for kernel in _ALL}
