"""Indexing in numpy: results row-major as torch's are, positions of a mask found in flat memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch_numpy.kernels.bare import bare

__all__ = ["KERNELS"]

Array = np.ndarray[Any, Any]
Ints = tuple[int, ...]

_BLOCK: Final = 1 << 15  # elements of a mask at a time
_FEW: Final = 1 << 13  # elements of a matrix whose places are kept


@bare
def _index(a: Array, indices: Sequence[Array], dims: Ints) -> Array:
    if len(dims) == 1:
        return a.take(indices[0], axis=dims[0])
    where: list[Any] = [slice(None)] * a.ndim
    for dim, index in zip(dims, indices, strict=True):
        where[dim] = index
    return np.ascontiguousarray(a[tuple(where)])


@bare
def _index_select(a: Array, dim: int, index: Array) -> Array:
    return a.take(index, axis=dim)


@bare
def _unsafe_view(a: Array, shape: Ints) -> Array:
    return a.reshape(shape)


@bare
def _select_backward(g: Array, shape: Ints, dim: int, index: int) -> Array:
    out = np.zeros(shape, g.dtype)
    where: Any = (*(slice(None),) * (dim % len(shape)), index)
    out[where] = g
    return out


@bare
def _slice_backward(g: Array, shape: Ints, dim: int, start: int | None, stop: int | None, step: int) -> Array:
    out = np.zeros(shape, g.dtype)
    out[(*(slice(None),) * (dim % len(shape)), slice(start, stop, step))] = g
    return out


@lru_cache(maxsize=16)
def _places(rows: int, columns: int) -> Array:
    """Returns where each element of a matrix is, a row for the rows and one for the columns."""
    return np.ascontiguousarray(np.indices((rows, columns)).reshape(2, -1))


@bare
def _nonzero(a: Array) -> Array:
    holds = a if a.dtype == bool else a != 0
    if a.ndim < 2:
        return np.flatnonzero(holds).reshape(1, -1) if a.ndim else np.zeros((0, int(bool(holds))), np.int64)
    if a.ndim == 2 and a.size <= _FEW:
        return _places(*a.shape).take(holds.reshape(-1).nonzero()[0], 1)
    flat = np.flatnonzero(holds)
    out = np.empty((a.ndim, flat.size), np.int64)
    for dim in range(a.ndim - 1, 0, -1):
        above = np.floor_divide(flat, max(a.shape[dim], 1), out=out[dim - 1])
        np.subtract(flat, np.multiply(above, a.shape[dim]), out=out[dim])  # `flat` may be that row
        flat = above
    return out


@bare
def _index_mask(a: Array, mask: Array, dim: int) -> Array:
    shape, ndim = a.shape, mask.ndim
    if ndim < a.ndim:
        places = np.flatnonzero(mask)
        return a.reshape(*shape[:dim], mask.size, *shape[dim + ndim :]).take(places, axis=dim)
    holds, flat = mask.reshape(-1), a.reshape(-1)
    out = np.empty(np.count_nonzero(holds), a.dtype)
    begin = 0
    for start in range(0, flat.size, _BLOCK):
        places = np.flatnonzero(holds[start : start + _BLOCK])
        end = begin + places.size
        flat[start : start + _BLOCK].take(places, mode="wrap", out=out[begin:end])
        begin = end
    return out


_ALL: Final = (*(_index, _index_select, _unsafe_view, _select_backward, _slice_backward, _nonzero, _index_mask),)
KERNELS: Final[dict[str, Kernel]] = {kernel.__name__: kernel for kernel in _ALL}
