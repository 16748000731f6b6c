"""Indexing and joining in numpy: results row-major as torch's are, gradients of rows summed without `ufunc.at`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel

__all__ = ["KERNELS"]

Array = np.ndarray[Any, Any]
Ints = tuple[int, ...]


def _index(a: Array, indices: Sequence[Array], dims: Ints) -> Array:
    if len(dims) == 1:
        return a.take(indices[0], axis=dims[0])
    where: list[Any] = [slice(None)] * a.ndim
    for dim, index in zip(dims, indices, strict=True):
        where[dim] = index
    return np.ascontiguousarray(a[tuple(where)])


def _cat(arrays: Sequence[Array], dim: int) -> Array:
    first = arrays[0]
    size = sum([a.shape[dim] for a in arrays])
    out = np.empty((*first.shape[:dim], size, *first.shape[dim + 1 :]), first.dtype)
    return np.concatenate(arrays, axis=dim, out=out)


def _stack(arrays: Sequence[Array], dim: int) -> Array:
    first = arrays[0]
    out = np.empty((*first.shape[:dim], len(arrays), *first.shape[dim:]), first.dtype)
    return np.stack(arrays, axis=dim, out=out)


def _add_rows(out: Array, index: Array, rows: Array) -> None:
    """Adds each row of ``rows`` to the row of ``out`` that ``index`` names; sorted, so that runs are summed at once."""
    if index.size <= 32 or rows[0].size < 4:
        np.add.at(out, index, rows)
        return
    order = np.argsort(index, kind="stable")
    places = index[order]
    starts = np.flatnonzero(np.concatenate(([True], places[1:] != places[:-1])))
    out[places[starts]] += np.add.reduceat(rows[order], starts, axis=0)


def _embedding_backward(g: Array, indices: Array, count: int, padding_idx: int, scale: bool) -> Array:
    flat = indices.reshape(-1)
    rows = g.reshape(flat.size, g.shape[-1])
    out = np.zeros((count, g.shape[-1]), g.dtype)
    if padding_idx >= 0:
        kept = flat != padding_idx
        flat, rows = flat[kept], rows[kept]
    if scale:
        rows = rows / np.bincount(flat, minlength=count)[flat][:, None].astype(g.dtype)
    if flat.size:
        _add_rows(out, flat, rows)
    return out


def _index_add(a: Array, dim: int, index: Array, source: Array) -> Array:
    out = a.copy()
    if dim == 0 and index.size and a.ndim > 1 and a.size:
        _add_rows(out, index % a.shape[0], source)
    else:
        where: Any = (*(slice(None),) * dim, index)
        np.add.at(out, where, source)
    return out


KERNELS: Final[dict[str, Kernel]] = {
    "_index": _index,
    "_cat": _cat,
    "_stack": _stack,
    "_embedding_backward": _embedding_backward,
    "_index_add": _index_add,
}
