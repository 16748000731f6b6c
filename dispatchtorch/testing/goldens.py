"""Goldens: what torch answers to the op table's samples, recorded once and shipped as one small file.

A golden is keyed by op, number of the sample and dtype. Equal arrays are kept once; the file has one long array for
each kind of number and an index. Knows neither tensors nor torch: its recorder is
``tests/parity/record_conformance.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from dispatchtorch.testing.pool import Host, Pool

__all__ = ["PATH", "Golden", "Goldens", "Output", "Recorder", "load"]

PATH: Final = Path(__file__).parent / "conformance" / "goldens.npz"


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
        self._pool, index = Pool.read(path)
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
            values = self._pool.values(place, shape, kind)
            outputs.append(Output(tuple(shape), kind, values, source, tuple(strides), offset))
        grads = entry.get("grad")
        if grads is not None:
            grads = tuple(None if g is None else self._pool.values(*g) for g in grads)
        return Golden(entry["in"], tuple(outputs), grads, tuple(entry.get("asked", ())))


@cache
def load() -> Goldens:
    """Returns the shipped goldens."""
    return Goldens(PATH)


class Recorder:
    """Collects answers and writes the file that `Goldens` reads."""

    def __init__(self) -> None:
        self._cases: dict[str, Any] = {}
        self._pool = Pool()
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
            "out": [
                [self._pool.place(o.dtype, o.values), o.shape, o.dtype, o.source, o.strides, o.offset] for o in outputs
            ],
        }
        if grads is not None:
            entry["grad"] = [None if g is None else [self._pool.place(*g), g[1].shape, g[0]] for g in grads]
        if not all(asked):
            entry["asked"] = list(asked)
        self._cases[key] = entry

    def write(self, path: Path = PATH) -> None:
        """Writes the file."""
        self._pool.write(path, {"cases": self._cases, "unknown": self.unknown})
