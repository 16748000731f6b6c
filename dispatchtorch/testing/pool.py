"""A file of arrays: one long line for each kind of number, equal arrays kept once, and an index of plain data.

Must not know: what the arrays are answers to.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

__all__ = ["Host", "Pool"]

Host = np.ndarray[Any, Any]
_KEPT_AS: Final = {"bfloat16": "float32", "bool": "uint8"}  # kinds that numpy lacks, or that a line joins


class Pool:
    """Arrays one after another, one line for each kind of number; equal arrays are kept once."""

    def __init__(self, lines: dict[str, Host] | None = None) -> None:
        self._lines = lines or {}
        self._parts: dict[str, list[Host]] = {}
        self._ends: dict[str, int] = {}
        self._known: dict[tuple[str, bytes], int] = {}

    def place(self, kind: str, values: Host) -> int:
        """Returns where an array begins in the line of its kind, and keeps it there."""
        kept = _KEPT_AS.get(kind, kind)
        flat = np.ascontiguousarray(values).astype(kept).reshape(-1)
        where = self._known.get((kept, flat.tobytes()))
        if where is None:
            where = self._known[kept, flat.tobytes()] = self._ends.get(kept, 0)
            self._ends[kept] = where + flat.size
            self._parts.setdefault(kept, []).append(flat)
        return where

    def values(self, place: int, shape: Sequence[int], kind: str) -> Host:
        """Returns a kept array."""
        kept = _KEPT_AS.get(kind, kind)
        count = int(np.prod(shape, dtype=np.int64))
        if kept not in self._lines and count:
            self._lines = self._joined()
        found = self._lines[kept][place : place + count] if count else np.zeros(0, kept)
        return (found.astype(bool) if kind == "bool" else found).reshape(tuple(shape))

    def _joined(self) -> dict[str, Host]:
        return {kind: np.concatenate(parts) for kind, parts in self._parts.items()}

    def write(self, path: Path, index: Any) -> None:
        """Writes the lines and an index of plain data."""
        text = np.frombuffer(json.dumps(index, separators=(",", ":")).encode(), np.uint8)
        np.savez_compressed(path, index=text, **self._joined())  # type: ignore[arg-type]  # numpy's stub takes keywords for flags

    @classmethod
    def read(cls, path: Path) -> tuple[Pool, Any]:
        """Returns the arrays of a file, and its index."""
        with np.load(path) as file:
            pool = cls({name: file[name] for name in file.files if name != "index"})
            return pool, json.loads(file["index"].tobytes())
