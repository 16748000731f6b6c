"""Goldens: what torch answers to the op table's samples, recorded once and shipped as one small file.

A golden is keyed by op, number of the sample and dtype. Equal arrays are kept once; the file has one long array for
each kind of number and an index. Knows neither tensors nor torch: its recorder is
``tests/parity/record_conformance.py``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

__all__ = ["PATH", "Golden", "Goldens", "Output", "Recorder", "load"]

PATH: Final = Path(__file__).parent / "conformance" / "goldens.npz"
Host = np.ndarray[Any, Any]
_KEPT_AS: Final = {"bfloat16": "float32", "bool": "uint8"}  # kinds that numpy lacks, or that the pool joins


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a call: its values and facts; ``source`` is the input whose storage it shares, -1 for none."""

    shape: tuple[int, ...]
    dtype: str
    values: Host
    source: int
    strides: tuple[int, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Golden:
    """torch's answer to one call: outputs, and gradients of the inputs that want one where they were asked for."""

    inputs: int  # a checksum of the arguments: a changed sample makes its golden stale
    outputs: tuple[Output, ...]
    grads: tuple[Host | None, ...] | None
    asked: tuple[bool, ...]  # which floating inputs wanted a gradient: all, or those that torch differentiates


class Goldens:
    """Returns recorded answers by op, sample and dtype."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as file:
            self._pools = {name: file[name] for name in file.files if name != "index"}
            index = json.loads(file["index"].tobytes())
        self._cases: dict[str, Any] = index["cases"]
        self.unknown: dict[str, str] = index["unknown"]  # ops that torch has no function for, with the reason

    def __len__(self) -> int:
        return len(self._cases)

    def names(self) -> frozenset[str]:
        """Returns the ops that have a golden."""
        return frozenset(key.split("/")[0] for key in self._cases)

    def dtypes(self, name: str) -> tuple[str, ...]:
        """Returns the dtypes for which an op has goldens."""
        found = (key.split("/") for key in self._cases if key.startswith(name + "/"))
        return tuple(sorted({dtype for _, _, dtype in found}))

    def find(self, name: str, number: int, dtype: str) -> Golden | None:
        """Returns torch's answer, None where torch refuses the call or was not asked."""
        entry = self._cases.get(f"{name}/{number}/{dtype}")
        if entry is None:
            return None
        outputs = []
        for place, shape, kind, source, strides, offset in entry["out"]:
            values = self._values(place, kind, tuple(shape))
            outputs.append(Output(tuple(shape), kind, values, source, tuple(strides), offset))
        grads = entry.get("grad")
        if grads is not None:
            grads = tuple(None if g is None else self._values(g[0], g[2], tuple(g[1])) for g in grads)
        return Golden(entry["in"], tuple(outputs), grads, tuple(entry.get("asked", ())))

    def _values(self, place: int, kind: str, shape: tuple[int, ...]) -> Host:
        kept = _KEPT_AS.get(kind, kind)
        count = 1
        for n in shape:
            count *= n
        values = self._pools[kept][place : place + count] if count else np.zeros(0, kept)
        return (values.astype(bool) if kind == "bool" else values).reshape(shape)


@cache
def load() -> Goldens:
    """Returns the shipped goldens."""
    return Goldens(PATH)


class Recorder:
    """Collects answers and writes the file that `Goldens` reads."""

    def __init__(self) -> None:
        self._cases: dict[str, Any] = {}
        self._pools: dict[str, list[Host]] = {}
        self._ends: dict[str, int] = {}
        self._known: dict[tuple[str, bytes], int] = {}
        self.unknown: dict[str, str] = {}

    def add(
        self,
        key: str,
        inputs: int,
        outputs: Sequence[Output],
        grads: Sequence[tuple[str, Host] | None] | None,
        asked: Sequence[bool],
    ) -> None:
        """Keeps one answer under "op/number/dtype"; values of dtypes that numpy lacks come as float32."""
        entry: dict[str, Any] = {
            "in": inputs,
            "out": [[self._place(o.dtype, o.values), o.shape, o.dtype, o.source, o.strides, o.offset] for o in outputs],
        }
        if grads is not None:
            entry["grad"] = [None if g is None else [self._place(*g), g[1].shape, g[0]] for g in grads]
        if not all(asked):
            entry["asked"] = list(asked)
        self._cases[key] = entry

    def _place(self, kind: str, values: Host) -> int:
        kept = _KEPT_AS.get(kind, kind)
        flat = np.ascontiguousarray(values).astype(kept).reshape(-1)
        where = self._known.get((kept, flat.tobytes()))
        if where is None:
            where = self._ends.get(kept, 0)
            self._known[kept, flat.tobytes()] = where
            self._ends[kept] = where + flat.size
            self._pools.setdefault(kept, []).append(flat)
        return where

    def write(self, path: Path = PATH) -> None:
        """Writes the file."""
        index = json.dumps({"cases": self._cases, "unknown": self.unknown}, separators=(",", ":"))
        pools = {name: np.concatenate(parts) for name, parts in self._pools.items()}
        np.savez_compressed(path, index=np.frombuffer(index.encode(), np.uint8), **pools)  # type: ignore[arg-type]  # numpy's stub takes keywords for flags
