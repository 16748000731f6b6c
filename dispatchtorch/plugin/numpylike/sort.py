"""Sorting, order statistics and searches over an array-API namespace. nan is larger than everything, as in torch."""

from __future__ import annotations

from typing import Any

from dispatchtorch.plugin.numpylike import kernel
from dispatchtorch.plugin.numpylike.halves import is_half

Array = Any


def _order(xp: Any, a: Array, dim: int, descending: bool) -> Array:
    """Returns the stable order along ``dim``; equal elements keep theirs in both directions."""
    if is_half(a):
        a = a.astype(xp.float32)  # bfloat16's own order leaves nan where it is
    if not descending:
        return xp.argsort(a, axis=dim, stable=True).astype(xp.int64)
    turned = xp.flip(xp.argsort(xp.flip(a, axis=dim), axis=dim, stable=True), axis=dim)
    return (a.shape[dim] - 1 - turned).astype(xp.int64)


def _first(a: Array, dim: int, k: int) -> Array:
    return a[(slice(None),) * dim + (slice(0, k),)]


@kernel
def _sort(xp: Any, a: Array, dim: int, descending: bool) -> tuple[Array, Array]:
    """Returns sorted values and where they were."""
    if not a.ndim:
        return xp.asarray(a, copy=True), xp.zeros((), dtype=xp.int64)
    order = _order(xp, a, dim, descending)
    return xp.take_along_axis(a, order, axis=dim), order


@kernel
def _topk(xp: Any, a: Array, k: int, dim: int, largest: bool) -> tuple[Array, Array]:
    """Returns the first ``k`` of the sorted values and where they were."""
    if not a.ndim:
        return xp.asarray(a, copy=True), xp.zeros((), dtype=xp.int64)
    order = _first(_order(xp, a, dim, largest), dim, k)
    return xp.take_along_axis(a, order, axis=dim), order


@kernel
def _kthvalue(xp: Any, a: Array, k: int, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """Returns the ``k``-th smallest values and where they were."""
    if not a.ndim:
        return xp.asarray(a, copy=True), xp.zeros((), dtype=xp.int64)
    order = _order(xp, a, dim, False)
    place = order[(slice(None),) * dim + (slice(k - 1, k),)]
    values = xp.take_along_axis(a, place, axis=dim)
    return (values, place) if keepdim else (xp.squeeze(values, axis=dim), xp.squeeze(place, axis=dim))


@kernel
def _median(xp: Any, a: Array, dim: int, keepdim: bool, ignore_nan: bool) -> tuple[Array, Array]:
    """Returns the lower medians and where they were; a nan is the median unless it is ignored."""
    if not a.ndim:
        return xp.asarray(a, copy=True), xp.zeros((), dtype=xp.int64)
    order = _order(xp, a, dim, False)
    nans = xp.sum(a != a, axis=dim, keepdims=True)
    n = a.shape[dim]
    if ignore_nan:
        middle = xp.maximum((n - nans - 1) // 2, 0)
    else:
        middle = xp.where(nans > 0, n - nans, (n - 1) // 2)
    place = xp.take_along_axis(order, middle, axis=dim)
    values = xp.take_along_axis(a, place, axis=dim)
    return (values, place) if keepdim else (xp.squeeze(values, axis=dim), xp.squeeze(place, axis=dim))


@kernel
def _mode(xp: Any, a: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """Returns the most frequent values, of equally frequent ones the smallest, and where each was last."""
    if not a.ndim:
        return xp.asarray(a, copy=True), xp.zeros((), dtype=xp.int64)
    n = a.shape[dim]
    moved = xp.moveaxis(a, dim, -1)
    order = _order(xp, moved, moved.ndim - 1, False)
    ranked = xp.take_along_axis(moved, order, axis=-1)
    counts = xp.sum(ranked[..., :, None] == ranked[..., None, :], axis=-1)
    chosen = xp.argmax(counts, axis=-1)[..., None]
    values = xp.take_along_axis(ranked, chosen, axis=-1)
    places = xp.arange(n)
    index = xp.max(xp.where(moved == values, places, xp.zeros((), dtype=places.dtype)), axis=-1, keepdims=True)
    index = index.astype(xp.int64)
    if keepdim:
        return xp.moveaxis(values, -1, dim), xp.moveaxis(index, -1, dim)
    return values[..., 0], index[..., 0]


@kernel
def _searchsorted(xp: Any, boundaries: Array, values: Array, right: bool, dtype: Any) -> Array:
    """Returns where each value has to be inserted to keep its row of ``boundaries`` sorted."""
    if boundaries.ndim == 1:
        flat = xp.searchsorted(boundaries, xp.reshape(values, (-1,)), side="right" if right else "left")
        return xp.reshape(flat, values.shape).astype(dtype)
    rows, sought = boundaries[..., None, :], values[..., :, None]
    before = rows <= sought if right else rows < sought
    return xp.sum(before, axis=-1).astype(dtype)


@kernel
def _unique(xp: Any, a: Array, dim: int | None) -> tuple[Array, Array, Array]:
    """Returns the sorted distinct elements (or slices along ``dim``), which one each is, and how often each occurs."""
    values, inverse, counts = xp.unique(a, return_inverse=True, return_counts=True, axis=dim, equal_nan=False)
    shape = a.shape if dim is None else (a.shape[dim],)
    return values, xp.reshape(inverse, shape).astype(xp.int64), counts.astype(xp.int64)


@kernel
def _unique_consecutive(xp: Any, a: Array, dim: int | None) -> tuple[Array, Array, Array]:
    """Returns the first element (or slice along ``dim``) of each run, the run each is in, and the runs' lengths."""
    rows = xp.reshape(a, (-1,)) if dim is None else xp.moveaxis(a, dim, 0)
    n = rows.shape[0]
    shape = a.shape if dim is None else (n,)
    if not n:
        none = xp.zeros((0,), dtype=xp.int64)
        return rows if dim is None else a, xp.reshape(none, shape), none
    flat = xp.reshape(rows, (n, -1))
    changed = xp.concatenate([xp.ones((1,), dtype=bool), xp.any(flat[1:] != flat[:-1], axis=1)])
    (starts,) = xp.nonzero(changed)
    counts = xp.concatenate([starts[1:], xp.asarray([n])]) - starts
    values = rows[starts] if dim is None else xp.moveaxis(rows[starts], 0, dim)
    inverse = xp.reshape(xp.cumsum(changed) - 1, shape)
    return values, inverse.astype(xp.int64), counts.astype(xp.int64)
