"""Storages as users hold them: the memory that a tensor shares with its views, as bytes or as elements.

Both are a flat tensor over the whole memory and what torch lets one ask of it. Must not know checkpoints.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Any, Final

from dispatchtorch._base import dtypes
from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import DType, get_default_dtype
from dispatchtorch._base.host import np
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS
from dispatchtorch.ops.create import Where, place, tensor
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.key import intern_key
from dispatchtorch.tensor.lens import Lens
from dispatchtorch.tensor.storage import Cell, Storage
from dispatchtorch.tensor.tensor import Tensor, storage_of, view_of, wrap

__all__ = ["STORAGE_TYPES", "TypedStorage", "UntypedStorage", "whole_of"]


def whole_of(t: Tensor) -> Tensor:
    """Returns a flat tensor over all of the memory of ``t``, in its dtype and without history."""
    storage = storage_of(t)
    whole = view_of(t, Lens((elements_in(storage, t),), (1,), 0))
    whole._cell = Cell(storage)
    return whole


def elements_in(storage: Storage, t: Tensor) -> int:
    """Returns how many elements of the tensor's dtype the storage has room for."""
    return storage.size * int(storage.root.dtype.itemsize) // t._key.dtype.itemsize


def _made(data: Any, dtype: DType, device: Where) -> Tensor:
    """Returns the flat tensor of a new storage: of ``data`` elements, or with the data of a sequence."""
    if isinstance(data, int):
        return tensor(np.zeros(data, interop.host_dtype(dtype)), dtype=dtype, device=device)
    if not hasattr(data, "__iter__"):
        raise TypeError(
            f"Argument type not recognized: {type(data).__name__}; a storage takes a size or a sequence of numbers"
        )
    return tensor(interop.host_as(list(data), dtype), dtype=dtype, device=device)


class _Shared:
    """What both kinds of storage answer; a subclass has a flat tensor over all of the memory."""

    _whole: Tensor

    @property
    def _storage(self) -> Storage:
        return storage_of(self._whole)

    @property
    def device(self) -> Device:
        """Returns where the values live."""
        return self._whole._key.device

    @property
    def is_cuda(self) -> bool:
        """Returns whether the values live on a GPU."""
        return self.device.type == "cuda"

    @property
    def is_sparse(self) -> bool:
        """Returns False: a storage is a row of elements."""
        return False

    def data_ptr(self) -> int:
        """Returns the address of the first byte; the same before and after an in-place op, and for every view."""
        return self._storage.address()

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + self.nbytes()

    def nbytes(self) -> int:
        """Returns the size in bytes."""
        return self._whole.numel() * self._whole._key.dtype.itemsize

    def is_shared(self) -> bool:
        """Returns whether other processes can map this memory."""
        return bool(METHODS["is_shared"](self._whole))

    def share_memory_(self) -> Any:
        """Returns the storage after moving it, with all tensors over it, to memory that other processes can map."""
        METHODS["share_memory_"](self._whole)
        return self

    def is_pinned(self, device: Any = "cuda") -> bool:
        """Returns False: no memory is pinned."""
        return False

    def get_device(self) -> int:
        """Returns the index of the device, -1 for the CPU."""
        return METHODS["get_device"](self._whole)  # type: ignore[no-any-return]  # an entry of the table

    def resize_(self, size: int) -> Any:
        """Does nothing for the size that it has; NotImplementedError for another: other tensors would lose theirs."""
        if size != len(self):  # type: ignore[arg-type]  # both kinds have a length
            raise NotImplementedError("a storage cannot be resized here; resize_() a tensor, which gets a new storage")
        return self


class UntypedStorage(_Shared):
    """The bytes that a tensor and its views share: torch's ``torch.UntypedStorage``.

    ``UntypedStorage(n)`` has n zero bytes, ``UntypedStorage([1, 2])`` these.
    """

    def __init__(self, data: Any = 0, *, device: Where = None) -> None:
        self._whole = _made(data, dtypes.uint8, device)

    @classmethod
    def over(cls, whole: Tensor) -> UntypedStorage:
        """Returns the bytes under a flat tensor."""
        made = object.__new__(cls)
        made._whole = whole
        return made

    @classmethod
    def from_buffer(
        cls, value: Any, byte_order: str = "native", count: int = -1, offset: int = 0, *, dtype: DType = dtypes.uint8
    ) -> UntypedStorage:
        """Returns a storage with a copy of a buffer's bytes, ``count`` elements of ``dtype`` from ``offset`` on."""
        return cls.over(_of_buffer(value, byte_order, count, offset, dtype))

    @classmethod
    def from_file(cls, filename: str | os.PathLike[str], shared: bool = False, nbytes: int = 0) -> UntypedStorage:
        """Returns the bytes of a file, mapped; errors, and what ``shared`` means, are those of `from_file`."""
        return cls.over(from_file(filename, shared, nbytes, dtype=dtypes.uint8, device="cpu"))

    @property
    def _itemsize(self) -> int:
        return self._whole._key.dtype.itemsize

    size = __len__ = _Shared.nbytes

    def element_size(self) -> int:
        """Returns 1."""
        return 1

    def _host(self) -> Any:
        return np.ascontiguousarray(interop.to_host(self._whole)).view(np.uint8)

    def _store(self, host: Any) -> None:
        row = host.view(interop.host_dtype(self._whole._key.dtype))
        METHODS["copy_"](self._whole, interop.from_host(row, self.device, self._whole._key.backend))

    def tolist(self) -> list[int]:
        """Returns the bytes as numbers."""
        return list(self._host().tolist())

    def __getitem__(self, index: Any) -> Any:
        got = self._host()[index]
        if not isinstance(index, slice):
            return int(got)
        return UntypedStorage.over(interop.from_host(got.copy(), self.device, self._whole._key.backend))

    def __setitem__(self, index: Any, value: Any) -> None:
        host = self._host().copy()
        host[index] = value
        self._store(host)

    def __iter__(self) -> Iterator[int]:
        return iter(self.tolist())

    def fill_(self, value: int) -> UntypedStorage:
        """Writes one byte everywhere and returns the storage."""
        self[:] = value
        return self

    def copy_(self, source: Any, non_blocking: bool | None = None) -> UntypedStorage:
        """Writes the bytes of another storage of this size and returns this one."""
        self._store(source._host() if isinstance(source, UntypedStorage) else source.untyped()._host())
        return self

    def clone(self) -> UntypedStorage:
        """Returns a copy with memory of its own."""
        return UntypedStorage.over(METHODS["clone"](self._whole))

    def to(self, *, device: Where, non_blocking: bool = False) -> Any:
        """Returns the storage on another device; itself where it is there."""
        moved = METHODS["to"](self._whole, Device(device or "cpu"))
        return self if moved is self._whole else UntypedStorage.over(moved)

    def cpu(self) -> Any:
        """Returns the storage on the CPU."""
        return self.to(device="cpu")

    def cuda(self, device: Where = None, non_blocking: bool = False) -> Any:
        """Returns the storage on a GPU."""
        return self.to(device="cuda" if device is None else device)

    def elements(self, dtype: DType) -> Tensor:
        """Returns a flat tensor of ``dtype`` over these bytes."""
        return self._whole if dtype is self._whole._key.dtype else METHODS["view"](self._whole, dtype)

    def untyped(self) -> UntypedStorage:
        """Returns the storage itself."""
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntypedStorage) and self._storage is other._storage

    def __hash__(self) -> int:
        return id(self._storage)

    def __repr__(self) -> str:
        lines = "\n".join(f" {v}" for v in self.tolist())
        return f"{lines}\n[torch.storage.UntypedStorage(device={self.device}) of size {len(self)}]"


class TypedStorage(_Shared):
    """The elements that a tensor and its views share, in a row: what ``tensor.storage()`` returns.

    ``TypedStorage(n, dtype=...)`` has n zeros, ``TypedStorage([1, 2], dtype=...)`` these.
    """

    def __init__(
        self,
        data: Any = 0,
        *,
        wrap_storage: UntypedStorage | None = None,
        dtype: DType | None = None,
        device: Where = None,
    ) -> None:
        kind = dtype or get_default_dtype()
        self._whole = _made(data, kind, device) if wrap_storage is None else wrap_storage.elements(kind)

    @classmethod
    def over(cls, whole: Tensor) -> TypedStorage:
        """Returns the storage of a flat tensor."""
        made = object.__new__(cls)
        made._whole = whole
        return made

    @property
    def dtype(self) -> DType:
        """Returns the element type."""
        return self._whole._key.dtype

    def whole(self) -> Tensor:
        """Returns a flat tensor over all the elements."""
        return self._whole

    def size(self) -> int:
        """Returns the number of elements."""
        return self._whole.numel()

    __len__ = size

    def element_size(self) -> int:
        """Returns the size of an element in bytes."""
        return self.dtype.itemsize

    def untyped(self) -> UntypedStorage:
        """Returns the same memory as bytes."""
        return UntypedStorage.over(self._whole)

    def tolist(self) -> list[Any]:
        """Returns the elements as Python numbers."""
        return list(interop.to_host(self._whole).tolist())

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            raise RuntimeError("slices are only supported in UntypedStorage.__getitem__")
        if not isinstance(index, int):
            raise RuntimeError(f"can't index a <class 'torch.storage.TypedStorage'> with {type(index)}")
        return interop.to_host(self._whole)[index].tolist()

    def __setitem__(self, index: Any, value: Any) -> None:
        if not isinstance(index, (int, slice)):
            raise RuntimeError(f"can't index a <class 'torch.storage.TypedStorage'> with {type(index)}")
        self._whole[index] = value

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def fill_(self, value: Any) -> TypedStorage:
        """Writes one number everywhere and returns the storage."""
        METHODS["fill_"](self._whole, value)
        return self

    def copy_(self, source: Any, non_blocking: bool | None = None) -> TypedStorage:
        """Writes the elements of another storage and returns this one."""
        METHODS["copy_"](self._whole, source._whole)
        return self

    def clone(self) -> TypedStorage:
        """Returns a copy with memory of its own."""
        return TypedStorage.over(METHODS["clone"](self._whole))

    def _to(self, where: Any) -> TypedStorage:
        moved = METHODS["to"](self._whole, where)
        return self if moved is self._whole else TypedStorage.over(moved)

    def to(self, *, device: Where, non_blocking: bool = False) -> TypedStorage:
        """Returns the storage on another device; itself where it is there."""
        return self._to(Device(device or "cpu"))

    def cpu(self) -> TypedStorage:
        """Returns the storage on the CPU."""
        return self._to(Device("cpu"))

    def cuda(self, device: Where = None, non_blocking: bool = False) -> TypedStorage:
        """Returns the storage on a GPU."""
        return self._to(Device("cuda" if device is None else device))

    def pickle_storage_type(self) -> str:
        """Returns the name of torch's storage class of this dtype ("FloatStorage")."""
        return f"{self.dtype.legacy}Storage"

    def type(self, dtype: Any = None, non_blocking: bool = False) -> Any:
        """Returns the name of the storage class ("torch.FloatStorage"), or the elements as another such class's."""
        if dtype is None:
            return f"torch.{'' if self.device.type == 'cpu' else self.device.type + '.'}{self.pickle_storage_type()}"
        if isinstance(dtype, str):
            dtype = STORAGE_TYPES[dtype.rpartition(".")[2]]
        return self._to(dtype.dtype if isinstance(dtype, StorageClass) else dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypedStorage) and self._storage is other._storage

    def __hash__(self) -> int:
        return id(self._storage)

    def __deepcopy__(self, memo: dict[int, Any]) -> TypedStorage:
        return memo.setdefault(id(self), self.clone())  # type: ignore[no-any-return]  # a memo holds what it was given

    def __repr__(self) -> str:
        lines = "\n".join(f" {v}" for v in self.tolist())
        size = len(self)
        return f"{lines}\n[torch.storage.TypedStorage(dtype={self.dtype}, device={self.device}) of size {size}]"


def _shorthand(name: str, dtype: DType) -> Any:
    def cast(self: TypedStorage) -> TypedStorage:
        return self._to(dtype)

    cast.__name__ = cast.__qualname__ = name
    cast.__doc__ = f"Returns the elements as ``{dtype}``; the storage itself where they are."
    return cast


_SHORT: Final = {
    "float": dtypes.float32, "double": dtypes.float64, "half": dtypes.float16, "bfloat16": dtypes.bfloat16,
    "int": dtypes.int32, "long": dtypes.int64, "short": dtypes.int16, "char": dtypes.int8, "byte": dtypes.uint8,
    "bool": dtypes.bool_, "complex_float": dtypes.complex64, "complex_double": dtypes.complex128,
}  # fmt: skip
for _name, _dtype in _SHORT.items():
    setattr(TypedStorage, _name, _shorthand(_name, _dtype))


def _of_buffer(value: Any, byte_order: str, count: int, offset: int, dtype: DType) -> Tensor:
    raw = memoryview(value).cast("B")
    size = dtype.itemsize
    if not 0 <= offset <= len(raw):
        raise ValueError(
            f"offset must be non-negative and no greater than buffer length ({len(raw)}) , but got {offset}"
        )
    if count < 0:
        if (len(raw) - offset) % size:
            raise ValueError(f"buffer size ({len(raw)}) must be a multiple of element size ({size})")
        count = (len(raw) - offset) // size
    if offset + count * size > len(raw):
        raise ValueError(
            f"buffer has only {len(raw) - offset} elements after offset {offset}, but specified a size of {count}"
        )
    if byte_order not in ("native", "little", "big"):
        raise ValueError(f"invalid byte_order '{byte_order}' (must be 'big', 'little', or 'native')")
    host = np.frombuffer(raw, interop.host_dtype(dtype), count, offset)
    if byte_order != "native" and (byte_order == "little") != (struct.pack("=H", 1) == b"\x01\x00"):
        host = host.byteswap()
    return tensor(host, dtype=dtype)


class StorageClass(type):
    """What ``torch.FloatStorage`` is: a class that makes storages of one dtype and answers ``isinstance``."""

    dtype: DType

    def __call__(cls, data: Any = 0, *, wrap_storage: UntypedStorage | None = None, device: Where = None) -> Any:
        """Returns a `TypedStorage` of this dtype."""
        return TypedStorage(data, wrap_storage=wrap_storage, dtype=cls.dtype, device=device)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, TypedStorage) and instance.dtype is cls.dtype

    def from_buffer(cls, value: Any, byte_order: str = "native", count: int = -1, offset: int = 0) -> TypedStorage:
        """Returns a storage with a copy of a buffer's elements."""
        return TypedStorage.over(_of_buffer(value, byte_order, count, offset, cls.dtype))


def _storage_class(dtype: DType) -> StorageClass:
    made = StorageClass(f"{dtype.legacy}Storage", (), {"__module__": "torch"})
    made.dtype = dtype
    made.__doc__ = f"Makes storages of {dtype}."
    return made


STORAGE_TYPES: Final = {
    f"{d.legacy}Storage": _storage_class(d)
    for d in dtypes.ALL
    if d.name not in ("complex32", "uint16", "uint32", "uint64")
}


def _storage(self: Tensor) -> TypedStorage:
    """Returns the elements that this tensor shares with its views."""
    return TypedStorage.over(whole_of(self))


def _untyped_storage(self: Tensor) -> UntypedStorage:
    """Returns the bytes that this tensor shares with its views."""
    return UntypedStorage.over(whole_of(self))


def _storage_type(self: Tensor) -> StorageClass:
    """Returns the class of the tensor's storage, ``torch.FloatStorage`` for one of float32."""
    return STORAGE_TYPES[f"{self._key.dtype.legacy}Storage"]


METHODS.update({"storage": _storage, "untyped_storage": _untyped_storage, "storage_type": _storage_type})
METHODS["_typed_storage"] = _storage


def is_storage(obj: Any, /) -> bool:
    """Returns whether ``obj`` is a storage."""
    return isinstance(obj, (TypedStorage, UntypedStorage))


def from_file(
    filename: str | os.PathLike[str],
    shared: bool | None = None,
    size: int = 0,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Where = None,
    pin_memory: bool | None = False,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a flat tensor over the first ``size`` elements of a file.

    With ``shared=True`` a write to the tensor is a write to the file, which is made as large as needed; that takes a
    backend whose arrays live in the host's memory (NotImplementedError elsewhere). RuntimeError for a file that cannot
    be opened.
    """
    name, kind = os.fspath(filename), dtype or get_default_dtype()
    backend, where = place(device)
    needed = size * kind.itemsize
    native = backend.aliasing == "native" and where.type == "cpu"
    if shared and not native:
        raise NotImplementedError(
            f"from_file(shared=True) needs arrays in the host's memory; {backend.name} has others"
        )
    try:
        with open(name, "r+b" if shared else "rb") as file:
            have = os.fstat(file.fileno()).st_size
            if have < needed:
                if not shared:
                    raise RuntimeError(
                        f"file <{name}> size <{have}> is smaller than the required mapping size <{needed}>"
                    )
                file.truncate(needed)
            host = np.memmap(file, interop.host_dtype(kind), "r+" if shared else "c", 0, (size,))
    except FileNotFoundError as error:
        how = "read-write" if shared else "read-only"
        raise RuntimeError(f"unable to open file <{name}> in {how} mode: No such file or directory (2)") from error
    raw = np.asarray(host) if native else backend.from_host(host, str(where))
    made = wrap(raw, intern_key(backend, where, kind, False))
    return METHODS["requires_grad_"](made) if requires_grad else made


FUNCTIONS.update({"is_storage": is_storage, "from_file": from_file})
