"""Views and writes through views for array libraries whose arrays cannot change.

A storage is one array of any shape, whose row-major elements are the memory. A view is a lens on it: `get` reads the
view's elements, `put` gives the storage after a write to them. Which path a view takes follows from its strides and the
storage's size alone, so both can be traced once and compiled. The module knows nothing of tensors, and of the array
library only functions of the array API standard.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import product
from math import gcd, prod
from typing import Any, NamedTuple, TypeAlias

from dispatchtorch._base.dtypes import BOOL, DType, by_name, uint8
from dispatchtorch.plugin.backend import Backend

__all__ = ["SetAt", "StridedView", "seen_as", "written_as"]

Array: TypeAlias = Any  # an array of the backend's library; the standard has no common base class

SetAt: TypeAlias = Callable[[Array, Any, Array], Array]
"""`set_at(array, index, value)`: a copy of `array` with `value` at `index`, a tuple of slices or one index array."""


def seen_as(backend: Backend, array: Array, dtype: DType) -> Array:
    """The same memory as elements of another dtype; bytes at the end that fill no element are left out.

    An array that is what is asked for already comes back itself; any other one comes back flat.
    """
    mine = by_name(backend.dtype_name(array))
    if mine is dtype:
        return array
    xp = backend.namespace
    flat = xp.reshape(array, (-1,))
    if mine.is_complex:  # pairs of reals in a row
        parts = xp.reshape(xp.stack([xp.real(flat), xp.imag(flat)], axis=-1), (-1,))
        return seen_as(backend, parts, dtype)
    if dtype.is_complex:
        reals = seen_as(backend, flat, dtype.to_real())
        pairs = xp.reshape(reals[: reals.shape[0] // 2 * 2], (-1, 2))
        return xp.astype(pairs[:, 0] + 1j * pairs[:, 1], backend.dtype(dtype.name))
    if mine.category == BOOL:
        return seen_as(backend, xp.astype(flat, backend.dtype("uint8")), dtype)
    if dtype.category == BOOL:
        return seen_as(backend, flat, uint8) != 0
    whole = flat.shape[0] * mine.itemsize // dtype.itemsize * dtype.itemsize // mine.itemsize
    return backend.reinterpret(flat[:whole], backend.dtype(dtype.name))


def written_as(backend: Backend, array: Array, base: Array) -> Array:
    """The storage ``base`` after ``array``, what `seen_as` gave of it, was changed."""
    xp = backend.namespace
    own = by_name(backend.dtype_name(base))
    back = seen_as(backend, array, own)
    if back.size != base.size:
        back = xp.concat([xp.reshape(back, (-1,)), xp.reshape(base, (-1,))[back.size :]])
    return xp.reshape(back, base.shape)


class StridedView(NamedTuple):
    """The elements at `offset + sum(index * strides)` of a flat storage, for every index into `shape`.

    >>> import numpy as np
    >>> column = StridedView((2,), (3,), 1)
    >>> column.get(np, np.arange(6))
    array([1, 4])
    """

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    def get(self, xp: Any, base: Array) -> Array:
        """The view's elements, of shape `shape`, read from the storage `base` with functions of the namespace `xp`."""
        core = _plan(self, prod(base.shape)).read(xp, xp.reshape(base, (-1,)))
        core = xp.reshape(core, self._without_repeats())
        return core if core.shape == self.shape else xp.broadcast_to(core, self.shape)

    def put(self, xp: Any, base: Array, value: Array, set_at: SetAt) -> Array:
        """The storage, in the shape and dtype of `base`, after `value` was written to the view.

        `value` may be of any shape that broadcasts to the view's. Where several indices share an element, the last in
        row-major order wins; along a dimension of stride 0 it is the first index that counts.
        """
        plan = _plan(self, prod(base.shape))
        if 0 in self.shape:
            return base
        if value.dtype != base.dtype:
            value = xp.astype(value, base.dtype)
        if value.shape != self.shape:
            value = xp.broadcast_to(value, self.shape)
        single = self._without_repeats()
        if single != self.shape:
            value = value[tuple([slice(size) for size in single])]
        flat = plan.write(xp, xp.reshape(base, (-1,)), value, set_at)
        return xp.reshape(flat, base.shape)

    def _without_repeats(self) -> tuple[int, ...]:
        """The shape in which dimensions of stride 0 have one index, not several."""
        pairs = zip(self.shape, self.strides, strict=True)
        return tuple([1 if stride == 0 and size > 1 else size for size, stride in pairs])


class _Piece(NamedTuple):
    """A run of neighbours in memory, in order."""

    start: int
    size: int

    def read(self, xp: Any, flat: Array) -> Array:
        del xp
        whole = self.start == 0 and self.size == flat.shape[0]
        return flat if whole else flat[self.start : self.start + self.size]

    def write(self, xp: Any, flat: Array, value: Array, set_at: SetAt) -> Array:
        value = xp.reshape(value, (-1,))
        if self.size == flat.shape[0]:
            return value
        return set_at(flat, (slice(self.start, self.start + self.size),), value)


class _Box(NamedTuple):
    """A box in the storage seen as an array of mixed radices, its dimensions then put in order.

    `padding` elements are added behind the storage where its size is no multiple of the widest stride.
    """

    radices: tuple[int, ...]
    slices: tuple[slice, ...]
    order: tuple[int, ...]  # order[i]: which dimension of the box is the view's i-th
    padding: int

    def _digits(self, xp: Any, flat: Array) -> Array:
        if self.padding:
            flat = xp.concat([flat, xp.zeros((self.padding,), dtype=flat.dtype)])
        return xp.reshape(flat, self.radices)

    def read(self, xp: Any, flat: Array) -> Array:
        return xp.permute_dims(self._digits(xp, flat)[self.slices], self.order)

    def write(self, xp: Any, flat: Array, value: Array, set_at: SetAt) -> Array:
        sizes = [len(range(radix)[part]) for radix, part in zip(self.radices, self.slices, strict=True)]
        value = xp.reshape(value, tuple([sizes[place] for place in self.order]))
        inverse = sorted(range(len(self.order)), key=self.order.__getitem__)
        digits = set_at(self._digits(xp, flat), self.slices, xp.permute_dims(value, tuple(inverse)))
        out = xp.reshape(digits, (-1,))
        return out[: flat.shape[0]] if self.padding else out


class _Scattered(NamedTuple):
    """Elements anywhere, by a table of their positions."""

    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    def _positions(self, xp: Any) -> Array:
        out: Array = None
        for size, stride in zip(self.sizes, self.strides, strict=True):
            steps = xp.arange(0, size * stride, stride)
            out = steps + self.offset if out is None else xp.reshape(out, (-1, 1)) + steps
        return xp.reshape(out, (-1,))

    def _overlaps(self) -> bool:
        reach = 0
        for stride, size in sorted(zip(self.strides, self.sizes, strict=True)):
            if stride <= reach:
                break
            reach += stride * (size - 1)
        else:
            return False
        return len(self._last_writers()) < prod(self.sizes)

    def _last_writers(self) -> dict[int, int]:
        """For each position in the storage, which of the view's elements is the last to be written there."""
        starts = [range(0, size * stride, stride) for size, stride in zip(self.sizes, self.strides, strict=True)]
        return {self.offset + sum(steps): place for place, steps in enumerate(product(*starts))}

    def read(self, xp: Any, flat: Array) -> Array:
        return xp.take(flat, self._positions(xp), axis=0)

    def write(self, xp: Any, flat: Array, value: Array, set_at: SetAt) -> Array:
        value = xp.reshape(value, (-1,))
        if not self._overlaps():
            return set_at(flat, self._positions(xp), value)
        writers = self._last_writers()
        return set_at(flat, xp.asarray(list(writers)), xp.take(value, xp.asarray(list(writers.values())), axis=0))


@lru_cache(maxsize=4096)
def _plan(view: StridedView, count: int) -> _Piece | _Box | _Scattered:
    """The cheapest way to the view's elements in a storage of `count`. Raises ValueError where some lie outside."""
    pairs = zip(view.shape, view.strides, strict=True)
    moving = [(size, stride) for size, stride in pairs if size != 1 and stride != 0]
    if 0 in view.shape:
        return _Piece(0, 0)
    last = view.offset + sum((size - 1) * stride for size, stride in moving)
    if view.offset < 0 or last >= count or any(stride < 0 for _, stride in moving):
        raise ValueError(
            f"a view of shape {view.shape}, strides {view.strides} and offset {view.offset} does not fit in a storage "
            f"of {count} elements"
        )
    expected = 1
    for size, stride in reversed(moving):
        if stride != expected:
            break
        expected *= size
    else:
        return _Piece(view.offset, expected)
    widest = max(stride for _, stride in moving)
    return (
        _box(moving, view.offset, count, 0)
        or _box(moving, view.offset, count, -count % widest)
        or _Scattered(tuple([size for size, _ in moving]), tuple([stride for _, stride in moving]), view.offset)
    )


def _box(moving: list[tuple[int, int]], offset: int, count: int, padding: int) -> _Box | None:
    """The view as a box of digits, or None where an index of one digit would carry into the next.

    The digits' units divide each other, from the whole storage down; a dimension steps over its digit by stride / unit.
    """
    unit, rest = count + padding, offset
    radices: list[int] = []
    slices: list[slice] = []
    places = sorted(range(len(moving)), key=lambda dim: -moving[dim][1])
    for dim in places:
        size, stride = moving[dim]
        finer = gcd(unit, stride)
        radix, step = unit // finer, stride // finer
        start, rest = divmod(rest, finer)
        stop = start + (size - 1) * step + 1
        if stop > radix:
            return None
        radices.append(radix)
        slices.append(slice(start, stop, step))
        unit = finer
    order = [places.index(dim) for dim in range(len(moving))]
    if unit > 1:
        radices.append(unit)
        slices.append(slice(rest, rest + 1, 1))
        order.append(len(places))
    return _Box(tuple(radices), tuple(slices), tuple(order), padding)
