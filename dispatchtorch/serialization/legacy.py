"""Checkpoints as before torch 1.6, in and out: a row of pickle streams, then the storages' bytes."""

from __future__ import annotations

import io
import pickle
import struct
import sys
from typing import IO, Any, Final

import numpy as np

from dispatchtorch._base.device import CPU
from dispatchtorch.serialization.archive import fill
from dispatchtorch.serialization.pickler import dumped_old
from dispatchtorch.serialization.storages import (
    Budget,
    LoadedStorage,
    Restore,
    as_elements,
    bytes_of_storage,
    placed,
)
from dispatchtorch.serialization.unpickling import Reading, StorageClaim, claim

__all__ = ["LegacyStorages", "read_legacy", "write_legacy"]

MAGIC: Final = 0x1950A86A20F9469CFC6C
PROTOCOL: Final = 1001


_MACHINE: Final = {
    "protocol_version": PROTOCOL,
    "little_endian": sys.byteorder == "little",
    "type_sizes": {"short": 2, "int": 4, "long": 4},
}


def write_legacy(obj: Any, sink: Any, protocol: int, module: Any = pickle) -> None:
    """Writes a checkpoint of the old format to anything that has ``write``."""
    stream, storages = dumped_old(obj, protocol, module)
    for head in (MAGIC, PROTOCOL, _MACHINE):
        sink.write(pickle.dumps(head, protocol))
    sink.write(stream)
    keys = sorted(storages)
    sink.write(pickle.dumps(keys, protocol))
    for key in keys:
        storage, count = storages[key]
        sink.write(struct.pack("<q", count))
        sink.write(bytes_of_storage(storage).data)


class LegacyStorages:
    """Gives storages by key before their bytes have come; `arrive` fills them."""

    def __init__(self, restore: Restore, available: int) -> None:
        self._restore = restore
        self._available = available
        self._left = available
        self._roots: dict[str, tuple[StorageClaim, LoadedStorage]] = {}
        self._parts: dict[str, LoadedStorage] = {}

    def __call__(self, saved: Any) -> Any:
        """Returns the storage of a persistent id; of a class that was saved with its source, the class."""
        if isinstance(saved, tuple) and len(saved) == 4 and saved[0] in ("module", b"module"):
            return saved[1]
        wanted = claim(saved, 6)
        known = self._roots.get(wanted.key)
        if known is None:
            self._left -= wanted.nbytes
            if self._left < 0:  # before anything is allocated
                raise pickle.UnpicklingError(
                    f"storage {wanted.key!r} claims {wanted.nbytes} bytes, more than the file has"
                )
            empty = as_elements(np.zeros(wanted.nbytes, np.uint8), wanted.dtype)
            made = LoadedStorage(placed(empty, wanted.dtype, CPU, alias=True), Budget(self._available))
            known = self._roots[wanted.key] = wanted, self._restore(made, wanted.location)
        elif (known[0].dtype, known[0].elements) != (wanted.dtype, wanted.elements):
            raise pickle.UnpicklingError(f"storage {wanted.key!r} is described in two ways")
        return known[1] if saved[5] is None else self._part(known[1], saved[5])

    def _part(self, root: LoadedStorage, view: Any) -> LoadedStorage:
        if not (isinstance(view, tuple) and len(view) == 3 and type(view[0]) is str):
            raise pickle.UnpicklingError("a reference to part of a storage has the wrong form")
        key, begin, count = view
        if not all(type(n) is int and n >= 0 for n in (begin, count)) or begin + count > root.part[1]:
            raise pickle.UnpicklingError("part of a storage lies outside it")
        if key not in self._parts:
            self._parts[key] = LoadedStorage(root.whole, root.budget, (begin, count))
        return self._parts[key]

    def arrive(self, file: IO[bytes], keys: Any) -> None:
        """Reads the bytes of every storage, in the order of ``keys``."""
        if not isinstance(keys, list) or set(map(str, keys)) != set(self._roots) or len(keys) != len(self._roots):
            raise pickle.UnpicklingError("the list of storages does not name the storages that are used")
        for key in keys:
            wanted, storage = self._roots[key]
            head = file.read(8)
            (count,) = struct.unpack("<q", head) if len(head) == 8 else (-1,)
            if count != wanted.elements:
                raise RuntimeError(
                    f"storage has wrong byte size: expected {wanted.nbytes} got {count * wanted.dtype.itemsize}"
                )
            host = np.empty(wanted.nbytes, np.uint8)
            fill(file, host, f"reading storage {key}")
            storage.overwrite(as_elements(host, wanted.dtype))


def _no_storage(saved: Any) -> Any:
    raise pickle.UnpicklingError("unsupported persistent id encountered")


def read_legacy(file: IO[bytes], reading: Reading, restore: Restore, unsafe: str) -> Any:
    """Returns the object in a file of the old format."""
    start = file.tell()
    end = file.seek(0, io.SEEK_END)
    file.seek(start)
    if _is_tar(file):
        if reading.weights_only:
            raise RuntimeError("Cannot use ``weights_only=True`` with files saved in the legacy .tar format. " + unsafe)
        raise NotImplementedError("the file is in torch's tar format of before version 0.2, which is not read")

    def following(storages: Any = _no_storage) -> Any:
        return reading.load(file, end - file.tell(), storages)

    magic = following()
    if type(magic) is not int or magic != MAGIC:
        raise RuntimeError("Invalid magic number; corrupt file?")
    protocol = following()
    if type(protocol) is not int or protocol != PROTOCOL:
        raise RuntimeError(f"Invalid protocol version: {protocol if type(protocol) is int else type(protocol)}")
    following()  # sizes of C types on the machine that wrote it
    storages = LegacyStorages(restore, end - start)
    result = following(storages)
    storages.arrive(file, following())
    return result


def _is_tar(file: IO[bytes]) -> bool:
    start = file.tell()
    head = file.read(265)
    file.seek(start)
    return len(head) == 265 and head[257:262] == b"ustar"
