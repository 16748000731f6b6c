"""How checkpoints are read and written where a call does not say: byte order, checksums, maps, skipped data."""

from __future__ import annotations

import mmap
import sys
import threading
from enum import Enum
from types import TracebackType
from typing import Any, Final

__all__ = [
    "LoadEndianness", "fallback_order", "get_crc32_options", "get_default_load_endianness", "get_default_mmap_options",
    "set_crc32_options", "set_default_load_endianness", "set_default_mmap_options", "skip_data", "skipping",
]  # fmt: skip


class LoadEndianness(Enum):
    """The byte order that a file is taken to have if it does not say."""

    NATIVE = 1
    LITTLE = 2
    BIG = 3


# Absent on Windows, where access is told in another way.
_PRIVATE: Final[int | None] = getattr(mmap, "MAP_PRIVATE", None)
_SHARED: Final[int | None] = getattr(mmap, "MAP_SHARED", None)


class _Settings:
    endianness: LoadEndianness | None = None
    checksums: bool = True
    mmap_flags: int | None = _PRIVATE


_settings: Final = _Settings()


class _Skipping(threading.local):
    here: bool = False


_skipping: Final = _Skipping()


def get_default_load_endianness() -> LoadEndianness | None:
    """Returns the byte order of files that do not say theirs; None, the default, means little."""
    return _settings.endianness


def set_default_load_endianness(endianness: LoadEndianness | None) -> None:
    """Sets the byte order of files that do not say theirs."""
    if endianness is not None and not isinstance(endianness, LoadEndianness):
        raise TypeError("Invalid argument type in function set_default_load_endianness")
    _settings.endianness = endianness


def fallback_order() -> str:
    """Returns "little" or "big" for a file that does not say."""
    endianness = _settings.endianness or LoadEndianness.LITTLE
    return sys.byteorder if endianness is LoadEndianness.NATIVE else endianness.name.lower()


def get_crc32_options() -> bool:
    """Returns whether ``torch.save`` writes checksums; it does unless told otherwise."""
    return _settings.checksums


def set_crc32_options(compute_crc32: bool) -> None:
    """Sets whether ``torch.save`` writes checksums. It is quicker without, but others may refuse the file."""
    _settings.checksums = compute_crc32


def get_default_mmap_options() -> int | None:
    """Returns the flags of maps that ``torch.load(mmap=True)`` makes: ``mmap.MAP_PRIVATE`` unless told otherwise."""
    return _settings.mmap_flags


class set_default_mmap_options:
    """Sets the flags of maps that ``torch.load(mmap=True)`` makes; in a ``with`` statement, for its block.

    With ``mmap.MAP_SHARED`` a write to a loaded tensor is a write to the file. ValueError for other flags.
    """

    def __init__(self, flags: int) -> None:
        if _PRIVATE is None:
            raise RuntimeError("Changing the default mmap options is currently not supported for Windows")
        if flags not in (_PRIVATE, _SHARED):
            raise ValueError(
                "Invalid argument in function set_default_mmap_options, "
                f"expected mmap.MAP_PRIVATE or mmap.MAP_SHARED, but got {flags}"
            )
        self.prev = _settings.mmap_flags
        _settings.mmap_flags = flags

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _settings.mmap_flags = self.prev


class skip_data:
    """A ``with`` block in which the bytes of storages are neither written nor read.

    A file that is saved has room for them; tensors that are loaded are full of zeros.
    """

    def __init__(self, materialize_fake_tensors: bool = False) -> None:
        self.materialize_fake_tensors = materialize_fake_tensors  # there are none here

    def __enter__(self) -> None:
        self._before = _skipping.here
        _skipping.here = True

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> None:
        _skipping.here = self._before


def skipping() -> bool:
    """Returns whether this thread is in a `skip_data` block."""
    return _skipping.here
