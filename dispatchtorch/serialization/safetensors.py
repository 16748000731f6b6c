"""The safetensors format, in and out: eight bytes of length, a JSON header, then the tensors' bytes.

The functions are called as in ``safetensors.torch``. Reading believes nothing that the header says before it has
been held against the size of the file. Must not know: pickle, archives.
"""

from __future__ import annotations

import io
import json
import math
import os
import struct
from collections.abc import Mapping
from itertools import pairwise
from typing import IO, Any, Final, NamedTuple

import numpy as np

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import DType, by_name
from dispatchtorch.dispatch.table import METHODS
from dispatchtorch.serialization.archive import fill
from dispatchtorch.serialization.files import written
from dispatchtorch.serialization.storages import as_elements, placed
from dispatchtorch.tensor.interop import to_host
from dispatchtorch.tensor.lens import span
from dispatchtorch.tensor.tensor import Tensor, lens_of, storage_of

__all__ = ["SafetensorError", "load", "load_file", "save", "save_file"]

_CODES: Final = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32", "I32": "int32",
    "U64": "uint64", "I64": "int64", "F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64",
    "C64": "complex64", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz",
}  # fmt: skip
_CODE_OF: Final = {name: code for code, name in _CODES.items()}
_LONGEST_HEADER: Final = 100_000_000


class SafetensorError(Exception):
    """A file that is not what the format allows."""


class _Entry(NamedTuple):
    dtype: DType
    shape: tuple[int, ...]
    begin: int
    end: int


def _host_of(t: Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Returns the bytes of a tensor in row-major order."""
    host: np.ndarray[Any, Any] = np.ascontiguousarray(to_host(METHODS["detach"](t)))
    return host.reshape(-1).view(np.uint8)


def _refuse_overlaps(tensors: Mapping[str, Tensor]) -> None:
    """Raises RuntimeError where two tensors share elements: the file would hold them twice."""
    spans = sorted(
        (id(storage_of(t)), lens_of(t).offset, span(lens_of(t)), name) for name, t in tensors.items() if t.numel()
    )
    for (storage, _, end, name), (other, begin, _, next_name) in pairwise(spans):
        if storage == other and begin < end:
            raise RuntimeError(
                "Some tensors share memory, this will lead to duplicate memory on disk and potential differences when "
                f"loading them again: {[{name, next_name}]}"
            )


def _header(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None) -> tuple[bytes, list[Tensor]]:
    """Returns the header and the tensors in the order of their bytes: large elements first, then by name."""
    for name, t in tensors.items():
        if not isinstance(t, Tensor):
            raise ValueError(f"Key `{name}` is invalid, expected torch.Tensor but received {type(t)}")
        if t._key.dtype.name not in _CODE_OF:
            raise SafetensorError(f"the format has no elements of {t._key.dtype}")
    _refuse_overlaps(tensors)
    order = sorted(tensors, key=lambda name: (-tensors[name]._key.dtype.itemsize, name))
    described: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    at = 0
    for name in order:
        t = tensors[name]
        size = t.numel() * t._key.dtype.itemsize
        described[name] = {
            "dtype": _CODE_OF[t._key.dtype.name],
            "shape": list(t._a.shape),
            "data_offsets": [at, at + size],
        }
        at += size
    text = json.dumps(described, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text, [tensors[name] for name in order]


def save_file(tensors: Mapping[str, Tensor], filename: Any, metadata: Mapping[str, str] | None = None) -> None:
    """Writes tensors by name to a path, which is replaced only when everything has been written."""
    header, ordered = _header(tensors, metadata)
    with written(filename) as sink:
        sink.write(header)
        for t in ordered:
            sink.write(_host_of(t).data)


def save(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """Returns what `save_file` would write."""
    header, ordered = _header(tensors, metadata)
    return header + b"".join(_host_of(t).tobytes() for t in ordered)


def load_file(filename: Any, device: str | int | Device = "cpu") -> dict[str, Tensor]:
    """Returns the tensors of a file by name, on a device."""
    with open(os.fspath(filename), "rb") as file:
        return _read(file, Device(device))


def load(data: bytes) -> dict[str, Tensor]:
    """Returns the tensors in bytes that hold a whole file."""
    return _read(io.BytesIO(data), Device("cpu"))


def _read(file: IO[bytes], device: Device) -> dict[str, Tensor]:
    entries, start = _entries(file)
    found = {}
    for name, entry in entries.items():
        host = np.empty(entry.end - entry.begin, np.uint8)
        file.seek(start + entry.begin)
        fill(file, host, f"reading tensor {name}")
        flat = placed(as_elements(host, entry.dtype), entry.dtype, device, alias=True)
        found[name] = METHODS["detach"](METHODS["view"](flat, entry.shape))
    return found


def _entries(file: IO[bytes]) -> tuple[dict[str, _Entry], int]:
    """Returns what the header says, checked, and where the bytes begin."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if size < 8:
        raise SafetensorError("Error while deserializing header: header too small")
    (length,) = struct.unpack("<Q", file.read(8))
    if length > _LONGEST_HEADER:
        raise SafetensorError("Error while deserializing header: header too large")
    if length > size - 8:
        raise SafetensorError("Error while deserializing header: invalid header length")
    try:
        described = json.loads(file.read(length).decode("utf-8"), object_pairs_hook=_once)
    except UnicodeDecodeError as error:
        raise SafetensorError(f"Error while deserializing header: invalid UTF-8 in header: {error}") from None
    except (ValueError, RecursionError) as error:
        raise SafetensorError(f"Error while deserializing header: invalid JSON in header: {error}") from None
    if not isinstance(described, dict):
        raise SafetensorError("Error while deserializing header: invalid JSON in header: not an object")
    described.pop("__metadata__", None)
    entries = {name: _entry(name, value) for name, value in described.items()}
    at = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != at:  # a hole, or bytes that two tensors claim
            raise SafetensorError(f"Error while deserializing header: invalid offset for tensor `{name}`")
        at = entry.end
    if at != size - 8 - length:
        raise SafetensorError("Error while deserializing header: incomplete metadata, file not fully covered")
    return entries, 8 + length


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _entry(name: str, value: Any) -> _Entry:
    try:
        code, shape, (begin, end) = value["dtype"], value["shape"], value["data_offsets"]
        fits = all(type(n) is int and 0 <= n < 1 << 62 for n in (*shape, begin, end)) and type(code) is str
    except (TypeError, KeyError, ValueError):
        fits = False
    if not fits or len(shape) > 64:
        raise SafetensorError(f"Error while deserializing header: tensor `{name}` is not described as one")
    if code not in _CODES:
        raise SafetensorError(f"tensor `{name}` has elements of type {code}, which dispatchtorch does not have")
    dtype = by_name(_CODES[code])
    if math.prod(shape) * dtype.itemsize != end - begin:
        raise SafetensorError(
            f"Error while deserializing header: info.shape() and data_offsets of tensor `{name}` do not agree"
        )
    return _Entry(dtype, tuple(shape), begin, end)
