"""Unmodified PyTorch programs print the same numbers here as with PyTorch, on every backend."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = sorted(Path(__file__).with_name("programs").glob("*.py"))
ROOT = Path(__file__).resolve().parents[2]


def numbers(*command: str, backend: str = "numpy") -> list[float]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "backends")])
    environment = {**os.environ, "PYTHONPATH": paths, "DISPATCHTORCH_BACKEND": backend}
    run = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return [float(word) for word in run.stdout.split()]


@pytest.mark.oracle
@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("program", PROGRAMS, ids=[p.stem for p in PROGRAMS])
def test_a_program_prints_what_it_prints_with_pytorch(program, backend):
    pytest.importorskip("torch")
    pytest.importorskip(backend)
    ours = numbers("-m", "dispatchtorch", "run", str(program), backend=backend)
    theirs = numbers(str(program))
    assert len(ours) == len(theirs) > 10
    assert ours == pytest.approx(theirs, rel=1e-3)
