"""Where checkpoints go and come from: paths and file-like objects.

A path is written beside and renamed when all is there, so that no reader, and no crash of the program, ever sees half a
checkpoint, and nothing that was there before is lost.
"""

from __future__ import annotations

import io
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

__all__ = ["FileLike", "archive_name", "is_path", "opened", "written"]

FileLike = Any  # a path, or an object with read and seek, or with write


def is_path(f: FileLike) -> bool:
    """Returns whether ``f`` is a path rather than a file-like object."""
    return isinstance(f, (str, os.PathLike))


def archive_name(f: FileLike) -> str:
    """Returns the folder inside the archive: the file's name without its suffix, as torch has it."""
    if not is_path(f):
        return "archive"
    name = os.path.basename(os.fsdecode(os.fspath(f)))
    stem = name.rpartition(".")[0] if "." in name else name
    return stem if stem and stem.isascii() else "archive"


@contextmanager
def opened(f: FileLike) -> Iterator[IO[bytes]]:
    """Yields a seekable file to read; one that was opened here is closed."""
    if is_path(f):
        with open(f, "rb") as file:
            yield file
        return
    try:
        f.seek(f.tell())
    except (io.UnsupportedOperation, AttributeError) as error:
        if "seek" in str(error) or "tell" in str(error):
            raise type(error)(
                f"{error}. You can only torch.load from a file that is seekable. Please pre-load the data into a "
                "buffer like io.BytesIO and try to load from it instead."
            ) from None
        raise
    try:
        here = f.tell()
        f.seek(0, io.SEEK_END)
        f.seek(here)
    except (OSError, ValueError):  # a compressed file, whose end is not known
        yield io.BytesIO(f.read())
        return
    yield f


@contextmanager
def written(f: FileLike) -> Iterator[Any]:
    """Yields something with ``write``; a path holds what was written only once the block has ended well."""
    if not is_path(f):
        if not callable(getattr(f, "write", None)):
            raise AttributeError("expected 'f' to be string, path, or a file-like object with a 'write' attribute")
        yield f
        flush = getattr(f, "flush", None)
        if flush is not None:
            flush()
        return
    target = os.path.realpath(os.fsdecode(os.fspath(f)))  # through a link, so that it stays one
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise RuntimeError(f"Parent directory {os.path.dirname(os.fsdecode(os.fspath(f)))} does not exist.")
    if os.path.exists(target) and not stat.S_ISREG(os.stat(target).st_mode):
        with open(target, "wb") as device:  # a pipe or a device: nothing to be renamed over
            yield device
        return
    beside = os.path.join(folder, f".{os.path.basename(target)[:100]}.{secrets.token_hex(8)}.part")
    try:
        with open(beside, "xb") as file:
            yield file
            if os.path.exists(target):  # no power cut may take both, the old one and this
                file.flush()
                os.fsync(file.fileno())
        if os.path.exists(target):
            shutil.copymode(target, beside)
        os.replace(beside, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(beside)
        raise
