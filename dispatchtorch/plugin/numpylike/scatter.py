"""Shared kernels that read and write along one dimension where an index array says."""

from __future__ import annotations

from typing import Any

from dispatchtorch.plugin.numpylike import kernel
from dispatchtorch.plugin.numpylike.index import put_at

Array = Any
Ints = tuple[int, ...]


def _grid(xp: Any, dim: int, index: Array) -> tuple[Array, ...]:
    """Returns the subscript that names the element along ``dim`` for each element of ``index``."""
    ndim = index.ndim
    return tuple(
        index if d == dim else xp.reshape(xp.arange(n), (1,) * d + (n,) + (1,) * (ndim - d - 1))
        for d, n in enumerate(index.shape)
    )


def _cropped(a: Array, shape: Ints) -> Array:
    return a if tuple(a.shape) == tuple(shape) else a[tuple([slice(0, n) for n in shape])]


@kernel
def _gather(xp: Any, a: Array, dim: int, index: Array) -> Array:
    sizes = tuple(a.shape[d] if d == dim else n for d, n in enumerate(index.shape))
    return xp.take_along_axis(_cropped(a, sizes), index, axis=dim)


@kernel
def _index_select(xp: Any, a: Array, dim: int, index: Array) -> Array:
    return xp.take(a, index, axis=dim)


@kernel
def _take(xp: Any, a: Array, index: Array) -> Array:
    return xp.take(xp.reshape(a, (-1,)), index, axis=0)


@kernel
def _scatter(xp: Any, a: Array, dim: int, index: Array, src: Array) -> Array:
    return put_at(xp, a, _grid(xp, dim, index), _cropped(src, index.shape))


@kernel
def _scatter_value(xp: Any, a: Array, dim: int, index: Array, value: Any, mode: str) -> Array:
    return put_at(xp, a, _grid(xp, dim, index), xp.asarray(value).astype(a.dtype), mode)


@kernel
def _scatter_add(xp: Any, a: Array, dim: int, index: Array, src: Array) -> Array:
    return put_at(xp, a, _grid(xp, dim, index), _cropped(src, index.shape), "add")


_MODES = {"sum": "add", "mean": "add", "prod": "multiply", "amax": "maximum", "amin": "minimum"}


def _neutral(xp: Any, mode: str, dtype: Any) -> Any:
    if mode in ("sum", "mean"):
        return 0
    if mode == "prod":
        return 1
    if dtype.kind == "b":
        return mode == "amin"
    if dtype.kind in "iu":
        limits = xp.iinfo(dtype)
        return limits.min if mode == "amax" else limits.max
    return -float("inf") if mode == "amax" else float("inf")


@kernel
def _scatter_reduce(xp: Any, a: Array, dim: int, index: Array, src: Array, mode: str, include_self: bool) -> Array:
    where, src = _grid(xp, dim, index), _cropped(src, index.shape)
    start = a if include_self else put_at(xp, a, where, xp.asarray(_neutral(xp, mode, a.dtype), dtype=a.dtype))
    out = put_at(xp, start, where, src, _MODES[mode])
    if mode != "mean":
        return out
    counts = xp.full(a.shape, int(include_self), dtype=xp.int64)
    counts = xp.maximum(put_at(xp, counts, where, xp.ones(index.shape, dtype=xp.int64), "add"), 1)
    return (out // counts if a.dtype.kind in "iu" else out / counts).astype(a.dtype)


def _slices(a: Array, dim: int, index: Array) -> tuple[Any, ...]:
    return (*(slice(None),) * (dim % a.ndim), index)


@kernel
def _index_add(xp: Any, a: Array, dim: int, index: Array, source: Array) -> Array:
    return put_at(xp, a, _slices(a, dim, index), source, "add")


@kernel
def _index_copy(xp: Any, a: Array, dim: int, index: Array, source: Array) -> Array:
    return put_at(xp, a, _slices(a, dim, index), source)


@kernel
def _index_fill(xp: Any, a: Array, dim: int, index: Array, value: Any) -> Array:
    return put_at(xp, a, _slices(a, dim, index), xp.asarray(value).astype(a.dtype))


@kernel
def _embedding(xp: Any, weight: Array, indices: Array, padding_idx: int, scale: bool, sparse: bool) -> Array:
    return xp.take(weight, indices, axis=0)


@kernel
def _embedding_backward(xp: Any, g: Array, indices: Array, count: int, padding_idx: int, scale: bool) -> Array:
    flat = xp.reshape(indices, (-1,))
    rows = xp.reshape(g, (flat.shape[0], g.shape[-1]))
    if scale:
        uses = put_at(xp, xp.zeros((count,), dtype=g.dtype), flat, xp.ones(flat.shape, dtype=g.dtype), "add")
        rows = rows / xp.maximum(uses, 1)[flat][:, None]
    if padding_idx >= 0:
        rows = xp.where((flat == padding_idx)[:, None], xp.zeros((), dtype=g.dtype), rows)
    return put_at(xp, xp.zeros((count, g.shape[-1]), dtype=g.dtype), flat, rows, "add")
