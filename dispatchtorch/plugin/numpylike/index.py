"""Shared kernels of indexing: reading and writing at index arrays, and the derivatives of partial views.

A library writes in one of two ways: its arrays have ``.at`` (functional updates, immutable libraries), or a copy is
written.
Kernels with an index argument expect it in range; negative ones count from the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispatchtorch.plugin.numpylike import kernel

Array = Any
Ints = tuple[int, ...]

_METHODS = {"set": "set", "add": "add", "multiply": "multiply", "minimum": "min", "maximum": "max"}


def put_at(xp: Any, a: Array, where: Any, values: Array, mode: str = "set") -> Array:
    """Returns a copy of ``a`` with ``values`` written, or combined by ``mode``, at ``where``."""
    at = getattr(a, "at", None)
    if at is not None:
        if a.dtype == bool:  # numpy adds and multiplies bools as "or" and "and"; functional updates refuse to
            mode = {"add": "maximum", "multiply": "minimum"}.get(mode, mode)
        return getattr(at[where], _METHODS[mode])(values)
    out = a.copy()
    if mode == "set":
        out[where] = values
    else:
        getattr(xp, mode).at(out, where, values)
    return out


def spread_index(ndim: int, dims: Ints, indices: Sequence[Array]) -> tuple[Any, ...]:
    """Returns the subscript that has ``indices`` at ``dims`` and takes all of every other dimension."""
    where: list[Any] = [slice(None)] * ndim
    for dim, index in zip(dims, indices, strict=True):
        where[dim] = index
    return tuple(where)


@kernel
def _index(xp: Any, a: Array, indices: Sequence[Array], dims: Ints) -> Array:
    if len(dims) == 1 and a.size:
        return xp.take(a, indices[0], axis=dims[0])
    return a[spread_index(a.ndim, dims, indices)]


@kernel
def _index_backward(xp: Any, g: Array, indices: Sequence[Array], shape: Ints, dims: Ints) -> Array:
    return put_at(xp, xp.zeros(shape, dtype=g.dtype), spread_index(len(shape), dims, indices), g, "add")


@kernel
def _index_put(xp: Any, a: Array, indices: Sequence[Array], values: Array, dims: Ints, accumulate: bool) -> Array:
    return put_at(xp, a, spread_index(a.ndim, dims, indices), values, "add" if accumulate else "set")


@kernel
def _nonzero(xp: Any, a: Array) -> Array:
    if a.ndim == 0:
        return xp.zeros((0, int(bool(a))), dtype=xp.int64)
    return xp.stack([xp.asarray(p, dtype=xp.int64) for p in xp.nonzero(a)], axis=0)


# --- partial views, backwards ----------------------------------------------------------------------------------------


@kernel
def _select_backward(xp: Any, g: Array, shape: Ints, dim: int, index: int) -> Array:
    dim %= len(shape)
    return put_at(xp, xp.zeros(shape, dtype=g.dtype), (*(slice(None),) * dim, index), g)


@kernel
def _slice_backward(xp: Any, g: Array, shape: Ints, dim: int, start: int | None, stop: int | None, step: int) -> Array:
    dim %= len(shape)
    return put_at(xp, xp.zeros(shape, dtype=g.dtype), (*(slice(None),) * dim, slice(start, stop, step)), g)


@kernel
def _diagonal_backward(xp: Any, g: Array, shape: Ints, offset: int, dim1: int, dim2: int) -> Array:
    ndim = len(shape)
    dim1, dim2 = dim1 % ndim, dim2 % ndim
    size = g.shape[-1]
    places = xp.arange(size)
    others = [d for d in range(ndim) if d not in (dim1, dim2)]
    order = (*others, dim1, dim2)
    flat = xp.zeros(tuple(shape[d] for d in order), dtype=g.dtype)
    where = (*(slice(None),) * len(others), places + max(-offset, 0), places + max(offset, 0))
    return xp.transpose(put_at(xp, flat, where, g), tuple(order.index(d) for d in range(ndim)))


@kernel
def _unfold_backward(xp: Any, g: Array, shape: Ints, dim: int, size: int, step: int) -> Array:
    if not shape:
        return xp.sum(g, axis=0)
    dim %= len(shape)
    windows = g.shape[dim]
    out = xp.zeros(shape, dtype=g.dtype)
    before = (slice(None),) * dim
    for i in range(size):
        out = put_at(xp, out, (*before, slice(i, i + (windows - 1) * step + 1, step)), g[..., i], "add")
    return out


def _positions(xp: Any, lens: Any) -> Array:
    """Returns where in the storage each element of a view is."""
    out = xp.full((), lens[2], dtype=xp.int64)
    for size, stride in zip(lens[0], lens[1], strict=True):
        out = out[..., None] + xp.arange(size) * stride
    return out


def _room(*lenses: Any) -> int:
    return max(  # type: ignore[no-any-return]  # a lens is three tuples of ints
        [1, *(1 + o + sum([(n - 1) * s for n, s in zip(shape, strides, strict=True)]) for shape, strides, o in lenses)]
    )


@kernel
def _as_strided_backward(xp: Any, g: Array, at: Any, size: Ints, stride: Ints, offset: int) -> Array:
    view = (size, stride, offset)
    count = _room(at, view)
    storage = put_at(xp, xp.zeros((count,), dtype=g.dtype), _positions(xp, view), g, "add")
    mine = _positions(xp, at)
    shared = put_at(xp, xp.zeros((count,), dtype=g.dtype), mine, xp.ones(at[0], dtype=g.dtype), "add")
    return storage[mine] / shared[mine]  # an element that several indices reach shares what arrived there


@kernel
def _strided_again(xp: Any, g: Array, at: Any, size: Ints, stride: Ints, offset: int) -> Array:
    count = _room(at, (size, stride, offset))
    storage = put_at(xp, xp.zeros((count,), dtype=g.dtype), _positions(xp, at), g)
    return storage[_positions(xp, (size, stride, offset))]
