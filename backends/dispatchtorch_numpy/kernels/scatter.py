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

__all__ = ["KERNELS", "WRITERS", "add_rows", "added_by_rank"]

Array = np.ndarray[Any, Any]
Ints = tuple[int, ...]

_BLOCK: Final = 1 << 15  # positions at a time
_RANKS: Final = 12  # of rows with one name, until what is left is added one by one
_BRIEF: Final = 2048  # elements up to which positions are looked up


@lru_cache(maxsize=16)
def _starts(rows: int, width: int, step: int) -> Array:
    """Returns, for so many rows of positions, where each row starts."""
    return np.ascontiguousarray(np.broadcast_to(np.arange(rows)[:, None] * step, (rows, width)))


@lru_cache(maxsize=64)
def _places(rows: int, width: int) -> Array:
    """Returns the positions of so many rows in flat memory."""
    return np.arange(rows * width).reshape(rows, width)


@lru_cache(maxsize=64)
def _columns(width: int) -> Array:
    return np.arange(width)


@lru_cache(maxsize=16)
def _offsets(shape: Ints, step: int) -> Array:
    """Returns, for an index of a shape, where in flat memory the row of each element starts."""
    return _starts(math.prod(shape[:-1]), shape[-1], step).reshape(shape)


def _is_last(a: Array, dim: int, shape: Ints) -> bool:
    """Returns whether an index of a shape goes along the last dim of an array in C order, and is looked up at once."""
    last = len(shape) - 1
    return dim == last and 0 < math.prod(shape) <= _BLOCK and a.flags.c_contiguous and a.shape[:last] == shape[:last]


def _cropped(a: Array, dim: int, shape: Ints) -> Array:
    """Returns ``a`` without what an index of this shape does not reach along the other dims."""
    sizes = (*shape[:dim], a.shape[dim], *shape[dim + 1 :])
    return a if a.shape == sizes else a[tuple([slice(0, n) for n in sizes])]


def _blocks(index: Array, dim: int, size: int) -> Iterator[tuple[int, slice, Array]]:
    """Yields positions by blocks: where the block's memory starts, which of the index it is, positions from there.

    ``index`` is taken as (outer, along ``dim``, inner), as is the array of C order that the positions are in.
    """
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
    if _is_last(a, dim, index.shape):
        return a.reshape(-1).take(np.add(index, _offsets(index.shape, a.shape[dim])), mode="wrap")
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


def _add_scattered(out: Array, dim: int, index: Array, src: Array) -> None:
    """Adds to ``out`` each of ``src`` where the index says."""
    shape = index.shape
    if src.shape == shape and _is_last(out, dim, shape):
        positions = np.add(index, _offsets(shape, out.shape[dim]))
        np.add.at(out.reshape(-1), positions.reshape(-1), src.reshape(-1))
        return
    values = src if src.shape == shape else src[tuple([slice(0, n) for n in shape])]
    target = _cropped(out, dim, shape)
    if not index.size:
        return
    if target.flags.c_contiguous:
        _add_at(target, dim, index, values)
        return
    whole = np.ascontiguousarray(target)
    _add_at(whole, dim, index, values)
    target[...] = whole


def _scatter_add(a: Array, dim: int, index: Array, src: Array) -> Array:
    out = a.copy()
    _add_scattered(out, dim, index, src)
    return out


def add_rows(out: Array, index: Array, rows: Array) -> None:
    """Adds each row of ``rows`` to the row of ``out`` that ``index`` names, in the index's order; both in C order.

    Rows are taken by their rank among those with the same name, so that each step adds to rows that differ and every
    row gets its summands in their order. What is named many times is added element by element.
    """
    count = index.size
    if not count or not out.size:
        return
    index = index.astype(np.intp, copy=False)
    out, rows = out.reshape(len(out), -1), rows.reshape(count, -1)
    if rows.size > _BRIEF and rows.shape[1] >= 16 and count < 4 * len(out):
        added_by_rank(out, index, rows)
    else:
        _added_singly(out, index, rows)


def added_by_rank(out: Array, index: Array, rows: Array, which: Array | None = None, fresh: bool = False) -> None:
    """Adds rows, or ``rows[which]``, as `add_rows` does; where ``out`` is ``fresh`` it has nothing but zeros."""
    names = index.astype(np.uint16) if len(out) <= 1 << 16 else index  # few bits are sorted by their digits
    order = names.argsort(kind="stable")
    names = names.take(order)
    if which is not None:
        order = which.take(order)
    begins = np.empty(index.size + 1, bool)
    begins[0] = begins[-1] = True
    np.not_equal(names[1:], names[:-1], begins[1:-1])
    ends = begins.nonzero()[0]
    starts = ends[:-1]
    times = ends[1:] - starts
    counts = np.bincount(times).tolist()  # names that come so many times
    if len(counts) > _RANKS:
        counts = [*counts[:_RANKS], sum(counts[_RANKS:])]
    often = np.invert(np.minimum(times, _RANKS) if len(counts) > _RANKS else times)
    starts = starts.take(often.astype(np.uint8).argsort(kind="stable"))  # the names that come most often come first
    step = max(1, _BLOCK // rows.shape[1])
    whole = np.dtype((np.void, out.shape[1] * out.itemsize))
    targets = out.view(whole).reshape(-1)
    for i in range(0, starts.size, step):
        first = starts[i : i + step]
        where = names.take(first)
        sums = rows.take(order.take(first), 0)
        if not fresh:
            sums += out.take(where, 0)
        n = starts.size - i
        for rank in range(1, len(counts) - 1):
            n -= counts[rank]
            if n <= 0:
                break
            part = sums[:n] if n < step else sums
            part += rows.take(order.take(first[:n] + rank), 0)
        targets[where] = sums.view(whole).reshape(-1)
    if len(counts) > _RANKS:
        left = np.arange(index.size) - np.repeat(ends[:-1], times) >= _RANKS
        names, rows = names[left], rows.take(order[left], 0)
        if fresh and names.size:  # as sums of their own
            runs = np.concatenate(([0], np.flatnonzero(names[1:] != names[:-1]) + 1))
            out[names.take(runs)] += np.add.reduceat(rows, runs, axis=0)
        else:
            _added_singly(out, names.astype(np.intp, copy=False), rows)


def _added_singly(out: Array, index: Array, rows: Array) -> None:
    width = out.shape[1]
    flat, values = out.reshape(-1), rows.reshape(-1)
    if width == 1:
        np.add.at(flat, index, values)
        return
    if out.size <= _BRIEF and values.size <= _BRIEF:
        np.add.at(flat, _places(*out.shape).take(index, 0).reshape(-1), values)
        return
    starts, step = index * width, max(1, _BLOCK // width)
    room = np.empty((min(step, index.size), width), np.intp)
    for i in range(0, index.size, step):
        part = starts[i : i + step, None]
        positions = np.add(part, _columns(width), out=room[: len(part)])
        np.add.at(flat, positions.reshape(-1), values[i * width : (i + step) * width])


def _add_slices(out: Array, dim: int, index: Array, source: Array) -> None:
    """Adds to ``out`` each slice of ``source`` along ``dim`` where the index says."""
    if not index.size or not out.size:
        return
    if not dim:
        add_rows(out, index, source if source.flags.c_contiguous else np.ascontiguousarray(source))
        return
    rows = np.array(np.moveaxis(out, dim, 0), order="C")
    add_rows(rows, index, np.ascontiguousarray(np.moveaxis(source, dim, 0)))
    out[...] = np.moveaxis(rows, 0, dim)


def _index_add(a: Array, dim: int, index: Array, source: Array) -> Array:
    out = a.copy()
    _add_slices(out, dim, index, source)
    return out


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
WRITERS: Final[dict[str, Kernel]] = {"_scatter_add": _add_scattered, "_index_add": _add_slices}
