"""Objects into pickle streams that torch reads: tensors as torch's rebuild calls, types under torch's names.

Python's own pickler does the walking, because the accelerated one insists on importing what it names. Must not know:
archives, files.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from typing import Any, Final

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import DType
from dispatchtorch.ops.members import Layout
from dispatchtorch.ops.sparse import sparse_coo
from dispatchtorch.ops.storages import TypedStorage, UntypedStorage
from dispatchtorch.serialization import rebuild
from dispatchtorch.serialization.names import Global, is_own, public_name, storage_name, torch_global
from dispatchtorch.serialization.places import location_of, location_tag
from dispatchtorch.tensor.sparse import SparseTensor
from dispatchtorch.tensor.storage import Storage
from dispatchtorch.tensor.tensor import Parameter, Size, Tensor, alias_of, lens_of, storage_of

__all__ = ["CheckpointPickler", "dumped", "dumped_old"]


def _torch(path: str) -> Global:
    module, _, name = path.rpartition(".")
    return torch_global(module, name)


_OWN_FUNCTIONS: Final = {function: _torch(path) for path, function in rebuild.FUNCTIONS.items() if "_rebuild" in path}
_TENSOR: Final = torch_global("torch", "Tensor")


class StorageRef:
    """A storage as a stream refers to it: from outside, by a key."""

    __slots__ = ("count", "kind", "location", "storage")

    def __init__(self, storage: Storage, kind: Global, location: str, count: int) -> None:
        self.storage = storage
        self.kind = kind
        self.location = location
        self.count = count


def _bytes_kind() -> Global:
    return torch_global("torch.storage", "UntypedStorage")


def ref_of_tensor(t: Tensor) -> StorageRef:
    """Returns the reference to a tensor's storage, in its dtype, or in bytes where torch has no such storage."""
    storage, dtype = storage_of(t), t._key.dtype
    nbytes = storage.size * int(storage.root.dtype.itemsize)
    name = storage_name(dtype)
    if name is None:
        return StorageRef(storage, _bytes_kind(), location_of(t), nbytes)
    return StorageRef(storage, torch_global("torch", name), location_of(t), nbytes // dtype.itemsize)


_PythonPickler: Final[Any] = pickle._Pickler  # its stub leaves out everything but dump


class CheckpointPickler(_PythonPickler):  # type: ignore[misc]  # the stub, as above
    """Writes one object; collects the storages it meets in ``storages``, in the order of their keys."""

    def __init__(self, file: Any, protocol: int, *, old: bool = False) -> None:
        super().__init__(file, protocol)
        self._old = old
        self.storages: dict[str, Storage] = {}
        self.counts: dict[str, int] = {}
        self._keys: dict[int, str] = {}
        self._kinds: dict[int, str] = {}

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        """Writes one object; what is a mere name in torch becomes that name."""
        if isinstance(obj, DType):
            obj = torch_global("torch", obj.name)
        elif obj is Tensor:
            obj = _TENSOR
        elif is_own(obj):
            obj = _OWN_FUNCTIONS.get(obj) or public_name(obj)
        if type(obj) is Global:
            self._save_name(obj)
            return
        super().save(obj, save_persistent_id)

    def _save_name(self, name: Global) -> None:
        known = self.memo.get(id(name))
        if known is not None:
            self.write(self.get(known[0]))
            return
        self.write(pickle.GLOBAL + f"{name.module}\n{name.name}\n".encode())
        self.memoize(name)

    def persistent_id(self, obj: Any) -> Any:
        """Returns torch's tuple for a storage, None for everything else."""
        if type(obj) is TypedStorage:
            obj = ref_of_tensor(obj._whole)
        elif isinstance(obj, UntypedStorage):
            obj = StorageRef(obj._storage, _bytes_kind(), location_tag(obj), obj.nbytes())
        if type(obj) is not StorageRef:
            return None
        mark = id(obj.storage)
        kind = "UntypedStorage" if obj.kind.name == "ByteStorage" else obj.kind.name
        if self._kinds.setdefault(mark, kind) != kind:
            raise RuntimeError("Cannot save multiple tensors or storages that view the same data as different types")
        key = self._keys.setdefault(mark, str(len(self._keys)))
        self.storages[key] = obj.storage  # keeps the storage alive, and with it its id
        self.counts[key] = obj.count
        parts = ("storage", obj.kind, key, obj.location, obj.count)
        return (*parts, None) if self._old else parts  # None: it is not part of another storage

    def reducer_override(self, obj: Any) -> Any:
        """Returns how torch would rebuild one of its own kinds of objects; NotImplemented for all others."""
        if isinstance(obj, Tensor):
            return self._reduce_tensor(obj)
        if isinstance(obj, Size):
            return _torch("torch.Size"), (tuple(obj),)
        if isinstance(obj, Device):
            return _torch("torch.device"), (obj.type,) if obj.index is None else (obj.type, obj.index)
        if isinstance(obj, Layout):
            return _torch("torch.serialization._get_layout"), (repr(obj),)
        return NotImplemented

    def _reduce_tensor(self, t: Tensor) -> Any:
        kind, state = type(t), dict(t.__dict__)
        if is_own(kind) and kind.__name__ in ("UninitializedParameter", "UninitializedBuffer"):
            return kind, (t._key.requires,)  # no shape, so no values
        if issubclass(kind, Parameter):
            plain = alias_of(t)
            if not state:
                return _torch("torch._utils._rebuild_parameter"), (plain, t._key.requires, OrderedDict())
            return _torch("torch._utils._rebuild_parameter_with_state"), (plain, t._key.requires, OrderedDict(), state)
        function, args = self._plain(t)
        if kind is not Tensor and is_own(kind) and kind.__name__ == "Buffer":
            kind, state = Tensor, {**state, "_is_buffer": True}
        if kind in (Tensor, SparseTensor) and not state:
            return function, args
        return _torch("torch._tensor._rebuild_from_type_v2"), (function, kind, args, state)

    def _plain(self, t: Tensor) -> tuple[Global, tuple[Any, ...]]:
        parts: tuple[Any, ...]
        if isinstance(t, SparseTensor):
            raw = t._a
            parts = (raw.indices, raw.values, Size(raw.shape), raw.coalesced)
            return _torch("torch._utils._rebuild_sparse_tensor"), (sparse_coo, parts)
        ref, lens = ref_of_tensor(t), lens_of(t)
        parts = (
            ref,
            lens.offset,
            tuple(lens.shape),
            tuple(lens.strides),
            t._key.requires,
            OrderedDict(),
        )
        if storage_name(t._key.dtype) is None:
            return _torch("torch._utils._rebuild_tensor_v3"), (*parts, t._key.dtype)
        return _torch("torch._utils._rebuild_tensor_v2"), parts


def _pickler_of(module: Any) -> type[CheckpointPickler]:
    """Returns the class that writes checkpoints as a module like ``pickle`` writes, which must be made in Python."""
    if module.Pickler in (pickle.Pickler, _PythonPickler):
        return CheckpointPickler
    if isinstance(module.Pickler, type) and issubclass(module.Pickler, _PythonPickler):
        return type("CheckpointPickler", (CheckpointPickler, module.Pickler), {})
    raise NotImplementedError(
        f"torch.save cannot write with {module.__name__}.Pickler: it is not made from Python's own pickle._Pickler"
    )


def dumped(obj: Any, protocol: int, module: Any = pickle) -> tuple[bytes, dict[str, Storage]]:
    """Returns the stream of one object, and the storages that it refers to, by key."""
    buffer = io.BytesIO()
    pickler = _pickler_of(module)(buffer, protocol)
    pickler.dump(obj)
    return buffer.getvalue(), pickler.storages


def dumped_old(obj: Any, protocol: int, module: Any = pickle) -> tuple[bytes, dict[str, tuple[Storage, int]]]:
    """Returns the stream of one object as before torch 1.6, and its storages with their numbers of elements."""
    buffer = io.BytesIO()
    pickler = _pickler_of(module)(buffer, protocol, old=True)
    pickler.dump(obj)
    return buffer.getvalue(), {key: (pickler.storages[key], count) for key, count in pickler.counts.items()}
