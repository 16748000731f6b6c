"""Indexing and joining in numpy: results row-major as torch's are, gradients of rows summed without `ufunc.at`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch_numpy.kernels.bare import bare

__all__ = ["KERNELS"]

Array = np.ndarray[Any, Any]
Ints = tuple[int, ...]


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
def _gather(a: Array, dim: int, index: Array) -> Array:
    where: Any = tuple(
        [
            index if d == dim else np.arange(n).reshape((1,) * d + (n,) + (1,) * (index.ndim - d - 1))
            for d, n in enumerate(index.shape)
        ]
    )
    return np.ascontiguousarray(a[where])


@bare
def _cat(arrays: Sequence[Array], dim: int) -> Array:
    out = np.concatenate(arrays, axis=dim)
    return out if out.flags.c_contiguous else np.ascontiguousarray(out)


@bare
def _stack(arrays: Sequence[Array], dim: int) -> Array:
    first = arrays[0]
    out = np.empty((*first.shape[:dim], len(arrays), *first.shape[dim:]), first.dtype)
    return np.stack(arrays, axis=dim, out=out)


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


def _add_rows(out: Array, index: Array, rows: Array) -> None:
    """Adds each row of ``rows`` to the row of ``out`` that ``index`` names; sorted, so that runs are summed at once."""
    if index.size <= 32 or rows[0].size < 4:
        np.add.at(out, index, rows)
        return
    order = np.argsort(index, kind="stable")
    places = index[order]
    starts = np.flatnonzero(np.concatenate(([True], places[1:] != places[:-1])))
    out[places[starts]] += np.add.reduceat(rows[order], starts, axis=0)


def _index_backward(g: Array, indices: Sequence[Array], shape: Ints, dims: Ints) -> Array:
    out = np.zeros(shape, g.dtype)
    if dims == (0,) and len(shape) > 1 and g.size:
        index = indices[0].reshape(-1)
        _add_rows(out, index % shape[0], g.reshape(index.size, *shape[1:]))
        return out
    where: list[Any] = [slice(None)] * len(shape)
    for dim, index in zip(dims, indices, strict=True):
        where[dim] = index
    at: Any = tuple(where)
    np.add.at(out, at, g)
    return out


def _index_add(a: Array, dim: int, index: Array, source: Array) -> Array:
    out = a.copy()
    if dim == 0 and index.size and a.ndim > 1 and a.size:
        _add_rows(out, index % a.shape[0], source)
    else:
        where: Any = (*(slice(None),) * dim, index)
        np.add.at(out, where, source)
    return out


_ALL: Final = (
    *(_index, _index_select, _gather, _cat, _stack, _unsafe_view, _select_backward, _slice_backward),
    *(_index_backward, _index_add),
)
KERNELS: Final[dict[str, Kernel]] = {kernel.__name__: kernel for kernel in _ALL}
