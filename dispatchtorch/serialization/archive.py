"""torch's zip layout: stored records under one folder, each at a multiple of 64 bytes.

Reading trusts no number in the file: what an entry claims is held against the size of the file before anything is
allocated. Nothing is unpacked onto a disk, so a record's name cannot lead anywhere. Must not know: tensors, pickle.
"""

from __future__ import annotations

import io
import mmap
import struct
import zipfile
import zlib
from typing import IO, Any, Final
from uuid import uuid4

import numpy as np

__all__ = ["ArchiveReader", "ArchiveWriter", "is_zip"]

ALIGNMENT: Final = 64
_HEADER: Final = 30
_ENTRY: Final = 46  # of the directory
_CORRUPT: Final = (
    " This is an internal miniz error. If you are seeing this error, there is a high likelihood that your checkpoint "
    "file is corrupted. This can happen if the checkpoint was not saved properly, was transferred incorrectly, or the "
    "file was modified after saving."
)
# A record of a few bytes (version, byteorder ...) has no reason to be longer.
_SMALL: Final = 4096


def is_zip(file: IO[bytes]) -> bool:
    """Returns whether a zip's local header begins here; the position stays."""
    start = file.tell()
    mark = file.read(4)
    file.seek(start)
    return mark == b"PK\x03\x04"


def corrupt(what: str) -> RuntimeError:
    """Returns torch's error for an archive that cannot be read."""
    return RuntimeError(f"PytorchStreamReader failed {what}." + _CORRUPT)


class _Counted(io.RawIOBase):
    """A sink that only goes forward and knows how far it is, over anything that has ``write``."""

    def __init__(self, sink: Any) -> None:
        self._sink = sink
        self._count = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view):
            count = self._sink.write(view[done:])
            done += len(view) if count is None else count
        self._count += len(view)
        return len(view)

    def tell(self) -> int:
        return self._count


class ArchiveWriter:
    """Writes the records of one checkpoint, aligned, in torch's order."""

    def __init__(self, sink: Any, name: str, *, checksums: bool = True) -> None:
        self._name = name
        self._checksums = checksums
        self._to = _Counted(sink)
        self._zip = zipfile.ZipFile(self._to, "w", zipfile.ZIP_STORED, allowZip64=True)

    def add(self, record: str, data: Any) -> None:
        """Writes one record from anything that has bytes."""
        view = memoryview(data)
        info = self._entry(record, view.nbytes)
        if not self._checksums:
            self._bare(info)
            self._to.write(view)
            return
        with self._zip.open(info, "w") as out:
            out.write(view)

    def leave_room(self, record: str, nbytes: int) -> None:
        """Writes one record of zeros without a checksum, for somebody to fill."""
        self._bare(self._entry(record, nbytes))
        zeros = bytes(min(nbytes, 1 << 20))
        for begin in range(0, nbytes, 1 << 20):
            self._to.write(zeros[: nbytes - begin])

    def _bare(self, info: zipfile.ZipInfo) -> None:
        """Writes the header of a record whose bytes follow and are not summed up; readers take 0 for no checksum."""
        info.CRC = 0
        info.compress_size = info.file_size
        info.header_offset = self._to.tell()
        self._to.write(info.FileHeader(zip64=info.file_size * 1.05 > zipfile.ZIP64_LIMIT))
        self._zip.filelist.append(info)
        self._zip.NameToInfo[info.filename] = info
        self._zip.start_dir = self._to.tell() + info.file_size  # where the directory goes, after the last record
        self._zip._didModify = True  # type: ignore[attr-defined]  # a directory is to be written

    def _entry(self, record: str, nbytes: int) -> zipfile.ZipInfo:
        """Returns the entry of a record that will begin at a multiple of the alignment."""
        info = zipfile.ZipInfo(f"{self._name}/{record}", (1980, 1, 1, 0, 0, 0))
        head = self._to.tell() + _HEADER + len(info.filename.encode())
        if nbytes * 1.05 > zipfile.ZIP64_LIMIT:
            head += 20  # sizes of 64 bits lie in the header too
        padding = -(head + 4) % ALIGNMENT
        info.extra = struct.pack("<2sH", b"FB", padding) + b"Z" * padding
        info.file_size = nbytes
        return info

    def finish(self) -> None:
        """Writes what closes an archive of torch's: version, identity, directory."""
        self.add("version", b"3\n")
        self.add(".data/serialization_id", f"{uuid4().int % 10**40:040d}".encode())
        self._zip.close()


class ArchiveReader:
    """The records of one checkpoint."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        here = file.tell()
        self._end = file.seek(0, io.SEEK_END)
        file.seek(here)
        try:
            archive = zipfile.ZipFile(file)
            self._directory = archive.start_dir
            entries = archive.infolist()
        except Exception as error:  # what a parser says of nonsense is many things
            raise corrupt("reading zip archive: failed finding central directory") from error
        self._entries: dict[str, zipfile.ZipInfo] = {}
        if not entries:
            raise corrupt("reading zip archive: no files in the archive")
        folder = entries[0].filename.partition("/")[0] + "/"
        for entry in entries:
            if entry.filename in self._entries:
                raise corrupt(f"reading zip archive: {entry.filename!r} is there twice")
            self._entries[entry.filename] = entry
        self._folder = folder
        # Entries that share bytes would let a small file ask for any amount of memory.
        if sum(entry.file_size for entry in entries) > self._end:
            raise corrupt("reading zip archive: the records claim more bytes than the file has")

    def __contains__(self, record: str) -> bool:
        return self._folder + record in self._entries

    def place(self, record: str) -> tuple[int, int]:
        """Returns where in the file a record's bytes begin, and how many they are; both lie inside the file."""
        entry = self._entries.get(self._folder + record)
        if entry is None:
            raise RuntimeError(f"PytorchStreamReader failed locating file {record}: file not found." + _CORRUPT)
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 or entry.compress_size != entry.file_size:
            raise corrupt(f"reading file {record}: compressed or encrypted, which torch.save never does")
        if not 0 <= entry.header_offset <= self._end - _HEADER:
            raise corrupt(f"reading file {record}: its header lies outside the file")
        self._file.seek(entry.header_offset)
        header = self._file.read(_HEADER)
        if len(header) != _HEADER or header[:4] != b"PK\x03\x04":
            raise corrupt(f"reading file {record}: no header where the directory says")
        name, extra = struct.unpack("<HH", header[26:30])
        begin = entry.header_offset + _HEADER + name + extra
        if begin + entry.file_size > self._end:
            raise corrupt(f"reading file {record}: it ends outside the file")
        return begin, entry.file_size

    def read(self, record: str, limit: int | None = None) -> bytes:
        """Returns a record's bytes; RuntimeError where it is longer than ``limit``."""
        begin, size = self.place(record)
        if limit is not None and size > limit:
            raise corrupt(f"reading file {record}: {size} bytes where at most {limit} make sense")
        return self.array(record, begin, size).tobytes()

    def without_checksums(self, mapped: mmap.mmap) -> None:
        """Writes to a map of the file that storages have no checksums, before somebody changes their bytes."""
        at = self._directory
        while mapped[at : at + 4] == b"PK\x01\x02":
            name, extra, comment = struct.unpack("<HHH", mapped[at + 28 : at + 34])
            if b"/data/" in mapped[at + _ENTRY : at + _ENTRY + name]:
                mapped[at + 16 : at + 20] = bytes(4)
            at += _ENTRY + name + extra + comment

    def small(self, record: str) -> bytes:
        """Returns one of the short records that describe the archive."""
        return self.read(record, _SMALL)

    def array(self, record: str, begin: int, size: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Returns a record's bytes as a new array, its checksum held against the directory's."""
        host = np.empty(size, np.uint8)
        self._file.seek(begin)
        fill(self._file, host, f"reading file {record}")
        expected = self._entries[self._folder + record].CRC
        if expected and zlib.crc32(_bytes(host)) != expected:  # 0: saved without checksums, as torch can be told to
            raise corrupt(f"reading file {record}: its checksum is not the directory's")
        return host


def _bytes(host: Any) -> memoryview:
    return memoryview(host)


def fill(file: IO[bytes], host: np.ndarray[Any, Any], what: str) -> None:
    """Reads from a file until a host array of bytes is full; RuntimeError where the file ends before."""
    view, done = _bytes(host), 0
    into: Any = getattr(file, "readinto", None)
    while done < len(view):
        if into is not None:
            count = into(view[done:]) or 0
        else:
            piece = file.read(min(len(view) - done, 1 << 24))
            count = len(piece)
            view[done : done + count] = piece
        if not count:
            raise corrupt(f"{what}: file read failed, {len(view) - done} bytes are missing")
        done += count
