"""Shared kernels that copy into another arrangement.

Where a library would give a view of its argument (`flip`, `rot90`), the result is copied: results own their memory.
"""

from __future__ import annotations

from typing import Any

from dispatchtorch.plugin.numpylike import kernel
from dispatchtorch.plugin.numpylike.index import put_at

Array = Any
Ints = tuple[int, ...]


@kernel
def _flip(xp: Any, a: Array, dims: Ints) -> Array:
    return xp.flip(a, axis=dims).copy() if dims and a.ndim else a.copy()


@kernel
def _roll(xp: Any, a: Array, shifts: Ints, dims: Ints) -> Array:
    if not a.size or not a.ndim:
        return a.copy()
    return xp.roll(a, shifts, axis=dims) if dims else xp.roll(a, shifts[0])


@kernel
def _rot90(xp: Any, a: Array, k: int, dims: Ints) -> Array:
    turns = k % 4
    if turns == 0:
        return a.copy()
    turned = xp.flip(a, axis=dims if turns == 2 else (dims[1] if turns == 1 else dims[0])).copy()
    return turned if turns == 2 else xp.swapaxes(turned, *dims)


@kernel
def _repeat(xp: Any, a: Array, repeats: Ints) -> Array:
    return xp.tile(a, repeats) if repeats else a.copy()


@kernel
def _tril(xp: Any, a: Array, offset: int) -> Array:
    return xp.tril(a, k=offset)


@kernel
def _triu(xp: Any, a: Array, offset: int) -> Array:
    return xp.triu(a, k=offset)


@kernel
def _diag_embed(xp: Any, a: Array, offset: int, dim1: int, dim2: int) -> Array:
    size, ndim = a.shape[-1] + abs(offset), a.ndim + 1
    places = xp.arange(a.shape[-1])
    out = xp.zeros((*a.shape[:-1], size, size), dtype=a.dtype)
    where = (*(slice(None),) * (ndim - 2), places + max(-offset, 0), places + max(offset, 0))
    out = put_at(xp, out, where, a)
    if (dim1, dim2) == (ndim - 2, ndim - 1):
        return out
    order = [d for d in range(ndim) if d not in (dim1, dim2)]
    order = [*order, dim1, dim2]
    return xp.transpose(out, tuple(order.index(d) for d in range(ndim))).copy()
