"""A level as a backend: arrays are `Batched`, kernels are batching rules, views and writes go through lenses."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar, Final, Literal

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import DType, by_name, int64
from dispatchtorch.batching.array import Batched
from dispatchtorch.batching.errors import ITEM, NO_DATA, DataDependentError
from dispatchtorch.batching.levels import LEVELS
from dispatchtorch.batching.rules import Rules
from dispatchtorch.batching.rules.layout import spread
from dispatchtorch.dispatch.general import create
from dispatchtorch.dispatch.op import TABLE
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.plugin.backend import Backend, Kernel, KernelCall
from dispatchtorch.tensor.key import intern_key
from dispatchtorch.tensor.tensor import Tensor, read, wrap

__all__ = ["BatchBackend", "level_over"]

Shape = tuple[int, ...]


class BatchBackend(Backend):
    """The backend of the tensors that a function sees while it is mapped over tensors of the backend below."""

    name: ClassVar[str] = "vmap"
    devices: ClassVar[tuple[str, ...]] = ()
    aliasing: ClassVar[Literal["native", "lens"]] = "lens"
    below: Backend

    def __init__(self, below: Backend) -> None:
        self.below = below
        self.kernels = Rules(self)
        self._namespace = Namespace(self)

    @property
    def namespace(self) -> Any:
        """Returns what views through lenses and the engine ask for, over batched arrays."""
        return self._namespace

    def hold(self, value: Any) -> Batched:
        """Returns an array that has the tensor for every example."""
        if value._key.requires and LEVELS.stack:
            LEVELS.stack[-1].connected = True
        return Batched(value, False)

    def severed(self, array: Any) -> Any:
        """Returns an array whose tensor has no history, on no level; the array itself where it has none."""
        inner: Tensor = array.inner
        raw = self.below.severed(read(inner))
        if raw is read(inner) and not inner._key.requires:
            return array
        return Batched(wrap(raw, inner._key.fresh(inner._key.zero_dim)), array.batched)

    def from_host(self, host: Any, device: str) -> Batched:
        """Returns an array that has the host's values for every example."""
        key = intern_key(self.below, Device(device), by_name(host.dtype.name), not host.shape)
        raw = self.below.from_host(host, device)
        return Batched(wrap(raw, key), False)

    def to_host(self, array: Any) -> Any:
        """Returns the values where they are the same for every example; else DataDependentError."""
        if array.batched:
            raise DataDependentError(ITEM if array.size == 1 else NO_DATA)
        return self.below.to_host(read(array.inner))

    def place(self, array: Any, device: str) -> Any:
        """Returns the array on the device."""
        inner: Tensor = array.inner
        return array if str(inner._key.device) == device else Batched(inner.to(device), array.batched)

    def dtype(self, name: str) -> DType:
        """Returns the dtype itself: tensors know it."""
        return by_name(name)

    def dtype_name(self, array: Any) -> str:
        """Returns the dtype's name of an array."""
        return str(array.dtype.name)

    def bind(self, kernel: Kernel, call: KernelCall) -> Kernel:
        """Returns the kernel: what it calls is bound below."""
        return kernel

    def set_at(self, array: Any, index: Any, value: Any) -> Batched:
        """Returns a copy of the array with the value at slices, or at positions in a vector."""
        batched = array.batched or value.batched
        inner: Tensor = spread(array, value) if batched else array.inner
        given: Tensor = spread(value, array) if batched else value.inner
        if isinstance(index, Batched):
            return Batched(inner.index_copy(int(batched), index.inner, given), batched)
        out = inner.clone()
        out[(slice(None), *index) if batched else index] = given
        return Batched(out, batched)


class Namespace:
    """The array API's names that lenses, the engine and gradients use."""

    def __init__(self, backend: BatchBackend) -> None:
        self._backend = backend

    def full(self, shape: Any, value: Any, dtype: DType) -> Batched:
        """Returns one number everywhere."""
        below = self._backend.below
        device = Device(_root(below).devices[0])
        key = intern_key(below, device, dtype, False)
        return Batched(create(TABLE["_full"], key, (tuple(shape), value, dtype)), False)

    def zeros(self, shape: Any, dtype: DType) -> Batched:
        """Returns zeros."""
        return self.full(shape, 0, dtype)

    def ones(self, shape: Any, dtype: DType) -> Batched:
        """Returns ones."""
        return self.full(shape, 1, dtype)

    def asarray(self, value: Any, dtype: DType | None = None) -> Batched:
        """Returns a number, or a list of positions, as an array."""
        if isinstance(value, list):
            return Batched(FUNCTIONS["tensor"](value, backend=_root(self._backend)), False)
        assert dtype is not None  # a number comes with its type
        return self.full((), value, dtype)

    def arange(self, start: int, stop: int, step: int) -> Batched:
        """Returns whole numbers."""
        below = self._backend.below
        device = Device(_root(below).devices[0])
        count = len(range(start, stop, step)) if step else 0
        args = (start, step, count, int64)
        return Batched(create(TABLE["_arange"], intern_key(below, device, int64, False), args), False)

    def reshape(self, a: Batched, shape: Any) -> Batched:
        """Returns the elements of each example in another shape."""
        if a.batched:
            sizes = tuple(shape)
            if -1 in sizes:
                rest = prod([n for n in sizes if n != -1])
                sizes = tuple([a.size // max(rest, 1) if n == -1 else n for n in sizes])
            return Batched(a.inner.reshape((a.inner._a.shape[0], *sizes)), True)
        return Batched(a.inner.reshape(tuple(shape)), False)

    def permute_dims(self, a: Batched, order: Shape) -> Batched:
        """Returns the dimensions in another order."""
        return Batched(a.inner.permute((0, *[d + 1 for d in order]) if a.batched else order), a.batched)

    def broadcast_to(self, a: Batched, shape: Shape) -> Batched:
        """Returns the array repeated to a shape."""
        if not a.batched:
            return Batched(a.inner.expand(shape), False)
        size = a.inner._a.shape[0]
        padded = a.inner.reshape((size, *(1,) * (len(shape) - a.ndim), *a.shape))
        return Batched(padded.expand((size, *shape)), True)

    def take(self, a: Batched, index: Batched, axis: int) -> Batched:
        """Returns the elements at positions along an axis."""
        return Batched(a.inner.index_select(axis + a.batched, index.inner), a.batched)

    def concat(self, arrays: list[Batched]) -> Batched:
        """Returns vectors behind each other."""
        first, second = arrays
        if first.batched or second.batched:
            return Batched(FUNCTIONS["cat"]([spread(first, second), spread(second, first)], 1), True)
        return Batched(FUNCTIONS["cat"]([first.inner, second.inner], 0), False)

    def stack(self, arrays: list[Batched], axis: int) -> Batched:
        """Returns arrays that are alike along a new last axis."""
        return Batched(FUNCTIONS["stack"]([a.inner for a in arrays], axis), arrays[0].batched)

    def real(self, a: Batched) -> Batched:
        """Returns real parts."""
        return Batched(FUNCTIONS["real"](a.inner), a.batched)

    def imag(self, a: Batched) -> Batched:
        """Returns imaginary parts."""
        return Batched(FUNCTIONS["imag"](a.inner), a.batched)

    def astype(self, a: Batched, dtype: DType) -> Batched:
        """Returns the values in another dtype."""
        return a.astype(dtype)


def _root(backend: Backend) -> Backend:
    while backend.below is not None:
        backend = backend.below
    return backend


_levels: Final[dict[int, BatchBackend]] = {}


def level_over(below: Backend) -> BatchBackend:
    """Returns the backend of a level over another backend: always the same one, so that plans are made once."""
    found = _levels.get(id(below))
    if found is None or found.below is not below:
        found = _levels[id(below)] = BatchBackend(below)
    return found
