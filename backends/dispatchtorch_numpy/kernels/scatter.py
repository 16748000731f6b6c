"""Reading and adding along one dimension where an index array says: positions in flat memory, block by block.

Positions in a flat array are what numpy reads (`take`) and adds at (`add.at`) fastest. They are made for a block of
rows at a time, so that they stay in the cache. Must not know: which indices are valid, which was checked above.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch_numpy.kernels.bare import bare

__all__ = ["KERNELS", "add_rows"]

Array = np.ndarray[Any, Any]
Ints = tuple[int, ...]

_BLOCK: Final = 1 << 15  # positions at a time
_ROUNDS: Final = 12  # of rows that differ, until what is left is added one by one


@lru_cache(maxsize=16)
def _starts(rows: int, width: int, step: int) -> Array:
    """Returns, for so many rows of positions, where each row starts."""
    return np.ascontiguousarray(np.broadcast_to(np.arange(rows)[:, None] * step, (rows, width)))


@lru_cache(maxsize=64)
def _columns(width: int) -> Array:
    return np.arange(width)


def _cropped(a: Array, dim: int, shape: Ints) -> Array:
    """Returns ``a`` without what an index of this shape does not reach along the other dims."""
    sizes = (*shape[:dim], a.shape[dim], *shape[dim + 1 :])
    return a if a.shape == sizes else a[tuple([slice(0, n) for n in sizes])]


def _blocks(index: Array, dim: int, size: int) -> Iterator[tuple[int, slice, Array]]:
    """Yields positions by blocks: where the block's memory starts, which of the index it is, positions from there.

    ``index`` is taken as (outer, along ``dim``, inner), as is the array of C order that the positions are in.
    """
    if index.size <= _BLOCK and dim == index.ndim - 1:
        width = index.shape[dim]
        yield 0, slice(None), np.add(index, _starts(index.size // width, width, size).reshape(index.shape))
        return
    inner = math.prod(index.shape[dim + 1 :])
    width = index.shape[dim] * inner
    flat = index.reshape(-1, width)
    step = max(1, _BLOCK // width)
    room = np.empty((min(step, len(flat)), width), np.intp)
    for row in range(0, len(flat), step):
        part = flat[row : row + step]
        here = room[: len(part)]
        if inner == 1:
            np.add(part, _starts(step, width, size)[: len(part)] if step > 1 else 0, out=here)
        else:
            np.multiply(part, inner, out=here, dtype=np.intp)
            spread = here.reshape(len(part), -1, inner)
            np.add(spread, _columns(inner), out=spread)
            if len(part) > 1:
                np.add(here, np.arange(len(part))[:, None] * (size * inner), out=here)
        yield row * size * inner, slice(row * width, (row + len(part)) * width), here


@bare
def _gather(a: Array, dim: int, index: Array) -> Array:
    source = _cropped(a, dim, index.shape)
    if not index.size:
        return np.empty(index.shape, a.dtype)
    flat, size = source.reshape(-1), source.shape[dim]
    out = np.empty(index.shape, a.dtype)
    into = out.reshape(-1)
    for start, part, positions in _blocks(index, dim, size):
        flat[start:].take(positions.reshape(-1), mode="wrap", out=into[part])
    return out


def _add_at(out: Array, dim: int, index: Array, src: Array) -> None:
    """Adds at each position of the index to ``out``, which has the index's sizes along other dims and C order."""
    flat, values = out.reshape(-1), src.reshape(-1)
    for start, part, positions in _blocks(index, dim, out.shape[dim]):
        np.add.at(flat[start:], positions.reshape(-1), values[part])


def _scatter_add(a: Array, dim: int, index: Array, src: Array) -> Array:
    out = a.copy()
    if not index.size:
        return out
    target = _cropped(out, dim, index.shape)
    values = src if src.shape == index.shape else src[tuple([slice(0, n) for n in index.shape])]
    if target.flags.c_contiguous:
        _add_at(target, dim, index, values)
        return out
    whole = np.ascontiguousarray(target)
    _add_at(whole, dim, index, values)
    target[...] = whole
    return out


def add_rows(out: Array, index: Array, rows: Array) -> None:
    """Adds each row of ``rows`` to the row of ``out`` that ``index`` names, in the index's order; both in C order.

    In each round the rows that are named for the first time are taken, added and put back at once; every row gets its
    summands in their order. What is named many times is added element by element.
    """
    count = index.size
    if not count or not out.size:
        return
    index = index.astype(np.intp, copy=False)
    out, rows = out.reshape(len(out), -1), rows.reshape(count, -1)
    if rows.size > 2048 and rows.shape[1] >= 16 and count < 4 * len(out):
        index, rows = _added_in_rounds(out, index, rows)
    if index.size:
        _added_singly(out, index, rows)


def _added_in_rounds(out: Array, index: Array, rows: Array) -> tuple[Array, Array]:
    """Returns the indices and rows that are left."""
    whole = np.dtype((np.void, out.shape[1] * out.itemsize))
    targets = out.view(whole).reshape(-1)
    latest = np.empty(len(out), np.intp)
    left = np.arange(index.size)
    for _ in range(_ROUNDS):
        at = index[left]
        latest[at[::-1]] = left[::-1]  # the last write stays: the first in the index's order
        first = latest[at] == left
        chosen, where = left[first], at[first]
        sums = out.take(where, 0)
        sums += rows.take(chosen, 0)
        targets[where] = sums.view(whole).reshape(-1)
        left = left[~first]
        if not left.size:
            break
    return index[left], rows[left]


def _added_singly(out: Array, index: Array, rows: Array) -> None:
    width = out.shape[1]
    flat, values = out.reshape(-1), rows.reshape(-1)
    if width == 1:
        np.add.at(flat, index, values)
        return
    starts, step = index * width, max(1, _BLOCK // width)
    room = np.empty((min(step, index.size), width), np.intp)
    for i in range(0, index.size, step):
        part = starts[i : i + step, None]
        positions = np.add(part, _columns(width), out=room[: len(part)])
        np.add.at(flat, positions.reshape(-1), values[i * width : (i + step) * width])


def _index_add(a: Array, dim: int, index: Array, source: Array) -> Array:
    if not index.size or not a.size:
        return a.copy()
    if dim == 0:
        out = a.copy(order="C")
        add_rows(out, index, np.ascontiguousarray(source))
        return out
    out = np.array(np.moveaxis(a, dim, 0), order="C")
    add_rows(out, index, np.ascontiguousarray(np.moveaxis(source, dim, 0)))
    return np.ascontiguousarray(np.moveaxis(out, 0, dim))


def _index_backward(g: Array, indices: list[Array], shape: Ints, dims: Ints) -> Array:
    out = np.zeros(shape, g.dtype)
    if not g.size:
        return out
    if len(dims) == 1 and dims[0] == 0:
        index = indices[0].reshape(-1)
        add_rows(out, index % shape[0], g.reshape(index.size, *shape[1:]))
        return out
    where: list[Any] = [slice(None)] * len(shape)
    for dim, index in zip(dims, indices, strict=True):
        where[dim] = index
    at: Any = tuple(where)
    np.add.at(out, at, g)
    return out


_ALL: Final = (_gather, _scatter_add, _index_add, _index_backward)
KERNELS: Final[dict[str, Kernel]] = {kernel.__name__: kernel for kernel in _ALL}
