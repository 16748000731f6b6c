"""Measures two libraries in turns, each in a process of its own, and gives the ratio of their least times.

Other work on the machine only ever makes a run longer, so the least of many short runs is what the code costs; turns
make sure that both had the same machine. Values are compared before times count.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from tests.benchmarks.case import Case, Group
from tests.benchmarks.ratio import Figure

__all__ = ["Turns", "WrongValueError"]

ROOT = Path(__file__).resolve().parents[2]


class WrongValueError(AssertionError):
    """The libraries do not give the same values: their times say nothing."""


class _Process:
    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.worker", kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "backends")])},
        )

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Returns the answer; raises what went wrong there."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError(f"the process of {self.kind} has no pipes")
        self._process.stdin.write(json.dumps({"do": do, **request}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"error": "the process is gone"}')
        if "error" in answer:
            raise RuntimeError(f"{self.kind}: {answer['error']}")
        return dict(answer)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


class Turns:
    """Two processes, ours and another's; a context."""

    def __init__(self, ours: str, other: str) -> None:
        self._ours, self._other = _Process(ours), _Process(other)
        self._folder = tempfile.TemporaryDirectory()

    def __enter__(self) -> Turns:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._ours.stop()
        self._other.stop()
        self._folder.cleanup()

    def figure(self, group: Group, case: Case, *, turns: int = 10, seconds: float = 0.02) -> Figure | None:
        """Returns the case's figure; None where the other library has no such act."""
        files = {}
        for process in (self._ours, self._other):
            files[process.kind] = Path(self._folder.name) / process.kind
            if not process.ask("make", group=group.name, case=case.name, to=str(files[process.kind]))["made"]:
                return None
        if case.compare and self._other.kind != "plain":
            _same(group, case, *(pickle.loads(file.read_bytes()) for file in files.values()))
        best = [float("inf")] * 2
        for turn in range(turns):
            for i in (0, 1) if turn % 2 else (1, 0):
                process = (self._ours, self._other)[i]
                best[i] = min(best[i], process.ask("time", seconds=seconds)["seconds"])
        return Figure(case.name, best[0] * 1e6, best[1] * 1e6, self._other.kind, None)


def _same(group: Group, case: Case, ours: list[list[Any]], theirs: list[list[Any]]) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        for a, b in zip(mine, other, strict=True):
            scale = max(float(np.abs(b).max(initial=0)), 1.0) if b.dtype.kind in "fc" else 0.0
            if a.shape != b.shape or a.dtype != b.dtype or not np.allclose(a, b, rtol=case.rtol, atol=1e-4 * scale):
                raise WrongValueError(f"{group.name}, {case.name}: the values differ")
