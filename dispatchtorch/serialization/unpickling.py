"""From pickle stream to objects: the restricted machine or Python's own, with storages handed in by key.

Must not know: how an archive or an old file is laid out.
"""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Callable
from typing import IO, Any, Final, NamedTuple

from dispatchtorch._base.dtypes import DType, by_name
from dispatchtorch.serialization import rebuild
from dispatchtorch.serialization.names import StorageType, locate, storage_types
from dispatchtorch.serialization.restricted import RestrictedUnpickler, python3_name

__all__ = ["Reading", "StorageClaim", "claim", "names_in"]

PersistentLoad = Callable[[Any], Any]
_STORAGES: Final = storage_types()


class StorageClaim(NamedTuple):
    """What a stream says of a storage; nothing of it is believed yet."""

    dtype: DType
    key: str
    location: str
    elements: int

    @property
    def nbytes(self) -> int:
        """Returns the size in bytes that the stream claims."""
        return self.elements * self.dtype.itemsize


def claim(saved: Any, length: int) -> StorageClaim:
    """Returns what a persistent id of ``length`` parts says; UnpicklingError for one that is no storage."""
    if not isinstance(saved, tuple) or len(saved) != length or saved[0] not in ("storage", b"storage"):
        raise pickle.UnpicklingError("a reference to a storage has the wrong form")
    kind, key, location, count = saved[1:5]
    if isinstance(location, bytes):
        location = location.decode("ascii")
    if not isinstance(kind, StorageType) or type(key) is not str or type(location) is not str:
        raise pickle.UnpicklingError("a reference to a storage has the wrong form")
    if type(count) is not int or count < 0:
        raise pickle.UnpicklingError("the number of elements of a storage makes no sense")
    return StorageClaim(kind.dtype or by_name("uint8"), key, location, count)


class _Trusting:
    """What an unpickler for trusted files does otherwise: storages by key, names under ``torch`` found here."""

    def __init__(self, file: IO[bytes], persistent_load: PersistentLoad, **options: Any) -> None:
        super().__init__(file, **options)  # type: ignore[call-arg]  # the unpickler beside which it stands
        self._load_storage = persistent_load

    def persistent_load(self, pid: Any) -> Any:
        """Returns the storage with this id."""
        return self._load_storage(pid)

    def find_class(self, module: str, name: str) -> Any:
        """Returns what a name means; torch's names mean ours."""
        path = f"{module}.{name}"
        if path in rebuild.FUNCTIONS:
            return rebuild.FUNCTIONS[path]
        if path in _STORAGES:
            return _STORAGES[path]
        if module == "torch" or module.startswith("torch."):
            return locate(module, name)
        return super().find_class(module, name)  # type: ignore[misc]  # as above


class _FullUnpickler(_Trusting, pickle.Unpickler):
    """Python's own unpickler, for files that are trusted."""


def _unpickler_of(kind: Any) -> Any:
    """Returns the class that reads checkpoints as another module's ``Unpickler`` reads."""
    if kind is pickle.Unpickler:
        return _FullUnpickler
    return type("CheckpointUnpickler", (_Trusting, kind), {})


def names_in(stream: bytes) -> set[tuple[str, str]]:
    """Returns module and name of everything that a stream of protocol 2 names; nothing is run."""
    try:
        operations = list(pickletools.genops(stream))
    except Exception as error:  # a parser's many words for nonsense
        raise pickle.UnpicklingError(f"{type(error).__name__}: {error}") from error
    found = set()
    for operation, argument, _ in operations:
        if operation.name == "GLOBAL":
            module, _, name = str(argument).partition(" ")
            found.add(python3_name(module, name))
        elif operation.name in ("STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"):
            raise pickle.UnpicklingError(f"Unsupported operand {operation.code.encode('latin1')[0]}")
    return found


class Reading(NamedTuple):
    """How streams of one file are to be read."""

    weights_only: bool
    options: dict[str, Any]  # of pickle's Unpickler: encoding, errors ...
    unpickler: Any = pickle.Unpickler  # for files that are trusted: how a module like pickle reads

    def load(self, file: IO[bytes], available: int, persistent_load: PersistentLoad) -> Any:
        """Returns the next object of a file that has ``available`` bytes left."""
        if self.weights_only:
            encoding = self.options.get("encoding", "utf-8")
            return RestrictedUnpickler(file, available, persistent_load, encoding).load()
        return _unpickler_of(self.unpickler)(file, persistent_load, **self.options).load()
