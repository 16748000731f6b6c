"""Checkpoints in torch's zip format, in and out."""

from __future__ import annotations

import io
import mmap
import os
import pickle
import sys
from typing import IO, Any

import numpy as np

from dispatchtorch._base.device import CPU
from dispatchtorch.serialization.archive import ALIGNMENT, ArchiveReader, ArchiveWriter
from dispatchtorch.serialization.pickler import dumped
from dispatchtorch.serialization.settings import fallback_order, get_crc32_options, get_default_mmap_options, skipping
from dispatchtorch.serialization.storages import Budget, LoadedStorage, Restore, as_elements, bytes_of_storage, placed
from dispatchtorch.serialization.unpickling import Reading, claim

__all__ = ["ArchiveStorages", "read_archive", "write_archive"]


def write_archive(obj: Any, sink: Any, name: str, protocol: int, module: Any = pickle, byteorder: bool = True) -> None:
    """Writes a checkpoint to anything that has ``write``; ``name`` is the folder inside the archive."""
    stream, storages = dumped(obj, protocol, module)
    archive = ArchiveWriter(sink, name, checksums=get_crc32_options())
    # No .format_version: it would promise torch that offsets can be computed as its own zip library lays them out.
    archive.add("data.pkl", stream)
    archive.add(".storage_alignment", str(ALIGNMENT).encode())
    if byteorder:
        archive.add("byteorder", sys.byteorder.encode())
    for key, storage in storages.items():
        if skipping():
            archive.leave_room(f"data/{key}", storage.size * int(storage.root.dtype.itemsize))
        else:
            archive.add(f"data/{key}", bytes_of_storage(storage))
    archive.finish()


class ArchiveStorages:
    """Gives the storages of an archive by their keys, each read once."""

    def __init__(self, archive: ArchiveReader, restore: Restore, size: int, mapped: mmap.mmap | None) -> None:
        self._archive = archive
        self._restore = restore
        self._budget = Budget(size)
        self._mapped = mapped
        self._loaded: dict[str, LoadedStorage] = {}
        order = archive.small("byteorder") if "byteorder" in archive else fallback_order().encode()
        if order not in (b"little", b"big"):
            raise ValueError("Unknown endianness type: " + order.decode(errors="replace"))
        self._swap = order.decode() != sys.byteorder

    def __call__(self, saved: Any) -> LoadedStorage:
        """Returns the storage of a persistent id."""
        if isinstance(saved, tuple) and saved and saved[0] not in ("storage", b"storage"):
            raise AssertionError(f"Unknown typename for persistent_load, expected 'storage' but got '{saved[0]}'")
        wanted = claim(saved, 5)
        found = self._loaded.get(wanted.key)
        if found is None:
            begin, size = self._archive.place(f"data/{wanted.key}")
            if size != wanted.nbytes:
                raise pickle.UnpicklingError(
                    f"storage {wanted.key!r} claims {wanted.nbytes} bytes, but its record has {size}"
                )
            found = self._restore(self._bring(wanted.dtype, wanted.key, begin, size), wanted.location)
            self._loaded[wanted.key] = found
        elif found.nbytes() != wanted.nbytes:
            raise pickle.UnpicklingError(
                f"storage {wanted.key!r} claims {wanted.nbytes} bytes, but its record has {found.nbytes()}"
            )
        return found.as_dtype(wanted.dtype)

    def _bring(self, dtype: Any, key: str, begin: int, size: int) -> LoadedStorage:
        if skipping():
            self._budget.take(size)
            host: np.ndarray[Any, Any] = np.zeros(size, np.uint8)
        elif self._mapped is not None and size:
            host = np.frombuffer(self._mapped, np.uint8, size, begin)
        else:
            host = self._archive.array(f"data/{key}", begin, size)
        return LoadedStorage(placed(as_elements(host, dtype, swap=self._swap), dtype, CPU, alias=True), self._budget)


def _map(file: IO[bytes], archive: ArchiveReader) -> mmap.mmap:
    """Returns a map of a file: writes are seen by this process only, unless settings say that they go to the file."""
    if get_default_mmap_options() != getattr(mmap, "MAP_SHARED", -1):
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    with open(file.name, "r+b") as writable:
        mapped = mmap.mmap(writable.fileno(), 0, access=mmap.ACCESS_WRITE)
    archive.without_checksums(mapped)
    return mapped


def read_archive(file: IO[bytes], reading: Reading, restore: Restore, unsafe: str, *, map_file: bool = False) -> Any:
    """Returns the object in an archive; with ``map_file`` the values stay in the file until they are used."""
    archive = ArchiveReader(file)
    if "constants.pkl" in archive:
        if reading.weights_only:
            raise RuntimeError(
                "Cannot use ``weights_only=True`` with TorchScript archives passed to ``torch.load``. " + unsafe
            )
        raise RuntimeError("the file is a TorchScript archive, which dispatchtorch does not read")
    mapped = _map(file, archive) if map_file else None
    size = os.fstat(file.fileno()).st_size if map_file else file.seek(0, io.SEEK_END)
    storages = ArchiveStorages(archive, restore, size, mapped)
    stream = archive.read("data.pkl")
    return reading.load(io.BytesIO(stream), len(stream), storages)
