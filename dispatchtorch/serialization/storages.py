"""Storages on their way in: bytes of a checkpoint become the memory behind tensors, on the device that was asked for.

Must not know: archives, pickle streams, which functions rebuild tensors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import DType
from dispatchtorch.dispatch.table import METHODS
from dispatchtorch.ops.storages import UntypedStorage
from dispatchtorch.plugin.selection import backend_for_device
from dispatchtorch.serialization.places import default_restore_location
from dispatchtorch.tensor.interop import from_host, host_dtype, to_host
from dispatchtorch.tensor.key import intern_key
from dispatchtorch.tensor.lens import Lens, span
from dispatchtorch.tensor.storage import Cell, Storage
from dispatchtorch.tensor.tensor import Tensor, storage_of, view_of, wrap, write

__all__ = [
    "Budget",
    "LoadedStorage",
    "MapLocation",
    "Restore",
    "as_elements",
    "bytes_of_storage",
    "placed",
    "restoring",
]

MapLocation = None | str | bytes | Device | Mapping[str, Any] | Callable[[Any, str], Any]
Restore = Callable[["LoadedStorage", str], "LoadedStorage"]


class Budget:
    """How many bytes a file may still make us copy: where views are copies, small files could ask for any amount."""

    __slots__ = ("_left",)

    def __init__(self, file_size: int) -> None:
        self._left = max(1 << 28, 64 * file_size)

    def take(self, nbytes: int) -> None:
        """Counts bytes that are about to be allocated; RuntimeError where they are out of proportion to the file."""
        self._left -= nbytes
        if self._left < 0:
            raise RuntimeError(f"the checkpoint asks for {nbytes} bytes more than a file of its size can need")


class LoadedStorage(UntypedStorage):
    """A storage that a checkpoint brought: what a callable ``map_location`` gets and gives back.

    ``part``: where in the memory it lies, in elements; None for all of it.
    """

    def __init__(self, whole: Tensor, budget: Budget, part: tuple[int, int] | None = None) -> None:
        self._whole = self.whole = whole
        self.budget = budget
        self._recast: dict[DType, LoadedStorage] = {}
        self.part = (0, whole.numel()) if part is None else part

    @property
    def device(self) -> Device:
        """Returns where the values live."""
        return self.whole._key.device

    def to(self, device: Any = None, non_blocking: bool = False) -> LoadedStorage:
        """Returns the storage on another device; itself where it is there."""
        moved = METHODS["to"](self.whole, Device(device))
        return self if moved is self.whole else LoadedStorage(moved, self.budget, self.part)

    def cpu(self) -> LoadedStorage:
        """Returns the storage on the CPU."""
        return self.to("cpu")

    def cuda(self, device: Any = None, non_blocking: bool = False) -> LoadedStorage:
        """Returns the storage on a GPU."""
        return self.to("cuda" if device is None else device)

    def as_dtype(self, dtype: DType) -> LoadedStorage:
        """Returns the same bytes counted in another element type."""
        if dtype is self.whole._key.dtype:
            return self
        if self.nbytes() % dtype.itemsize:
            raise RuntimeError(f"a storage of {self.nbytes()} bytes does not hold elements of {dtype}")
        _host_dtype(dtype)
        if self.whole._key.native:
            return LoadedStorage(METHODS["view"](self.whole, dtype), self.budget)
        if dtype not in self._recast:
            self.budget.take(self.nbytes())
            moved = placed(as_elements(to_host(self.whole).view(np.uint8), dtype), dtype, self.device)
            self._recast[dtype] = LoadedStorage(moved, self.budget)
        return self._recast[dtype]

    def view(self, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Tensor:
        """Returns a tensor over these elements, with its own version; RuntimeError where they lie outside."""
        begin, count = self.part
        lens = Lens(shape, strides, offset + begin)
        if span(Lens(shape, strides, offset)) > count:
            raise RuntimeError(
                f"setStorage: sizes {list(shape)}, strides {list(strides)}, storage offset {offset}, and itemsize "
                f"{self._itemsize} requiring a storage size of {span(Lens(shape, strides, offset)) * self._itemsize} "
                f"are out of bounds for storage of size {count * self._itemsize}"
            )
        if not self.whole._key.native:
            self.budget.take(math.prod(shape) * self._itemsize)
        made = view_of(self.whole, lens)
        made._cell = Cell(storage_of(self.whole))
        return made

    def overwrite(self, host: np.ndarray[Any, Any]) -> None:
        """Puts a host array's values into the memory, under every tensor that has been built over it."""
        key = self.whole._key
        write(self.whole, key.backend.from_host(host, str(key.device)))
        for dtype, other in self._recast.items():
            other.overwrite(as_elements(host.view(np.uint8), dtype))


def placed(host: np.ndarray[Any, Any], dtype: DType, device: Device, *, alias: bool = False) -> Tensor:
    """Returns a flat tensor with a host array's values; over its very memory where ``alias`` says so and it can be."""
    backend = backend_for_device(device.type)
    try:
        backend.dtype(dtype.name)
    except (KeyError, TypeError, AttributeError):
        raise NotImplementedError(f"the backend {backend.name!r} has no elements of {dtype}") from None
    if alias and backend.aliasing == "native" and backend.namespace is np:
        return wrap(host, intern_key(backend, device, dtype, False))
    return from_host(host, device, backend)


def _host_dtype(dtype: DType) -> np.dtype[Any]:
    if dtype.name == "complex32":  # ml_dtypes has one, but not as an array that tells its address
        raise NotImplementedError(f"the checkpoint holds elements of {dtype}, which no backend has")
    return host_dtype(dtype)


def as_elements(host: np.ndarray[Any, Any], dtype: DType, *, swap: bool = False) -> np.ndarray[Any, Any]:
    """Returns bytes as elements, in this machine's byte order."""
    found = host.view(_host_dtype(dtype))
    if swap and dtype.itemsize > 1:
        found = found.byteswap()
    if dtype.name == "bool" and host.size and host.max() > 1:
        found = host != 0  # a byte that is neither would be neither true nor false
    return found


def bytes_of_storage(storage: Storage) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Returns the bytes of a storage, as they lie in memory."""
    host: np.ndarray[Any, Any] = np.ascontiguousarray(storage.backend.to_host(storage.root))
    return host.reshape(-1).view(np.uint8)


def _in_place(storage: LoadedStorage, location: str) -> LoadedStorage:
    found = default_restore_location(storage, location)
    if not isinstance(found, LoadedStorage):
        raise TypeError(f"a deserializer must give back the storage, moved or not, but gave {type(found).__name__}")
    return found


def restoring(map_location: MapLocation) -> Restore:
    """Returns the function that puts a storage where ``map_location`` says, given the tag in the file."""
    if map_location is None:
        return _in_place
    if isinstance(map_location, bytes):
        map_location = map_location.decode("ascii")
    if isinstance(map_location, (str, Device)):
        fixed = str(map_location)
        return lambda storage, _: _in_place(storage, fixed)
    if isinstance(map_location, Mapping):
        table = map_location
        return lambda storage, location: _in_place(storage, str(table.get(location, location)))
    chosen = map_location

    def restore(storage: LoadedStorage, location: str) -> LoadedStorage:
        found = chosen(storage, location)
        if found is None:
            return _in_place(storage, location)
        if not isinstance(found, LoadedStorage):
            raise TypeError(
                "map_location must give back the storage, the storage on another device, or None, but gave "
                f"{type(found).__name__}"
            )
        return found

    return restore
