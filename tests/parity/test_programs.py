"""Unmodified PyTorch programs print the same numbers here as with PyTorch, on every backend.

What they print with PyTorch is recorded (`record_programs.py`), so that no test needs it. A few run always on NumPy;
all of them, and on JAX, with ``-m oracle``, where an installed PyTorch runs too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).with_name("programs")
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.py"))
QUICK = ["classifier", "dcgan", "graph_convolution", "vae"]
LOSSES = json.loads((FOLDER / "losses.json").read_text())
ROOT = Path(__file__).resolve().parents[2]


def numbers(*command: str, backend: str = "numpy") -> list[float]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "backends")])
    environment = {**os.environ, "PYTHONPATH": paths, "DISPATCHTORCH_BACKEND": backend}
    run = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return [float(word) for word in run.stdout.split()]


def ours(program: str, backend: str) -> list[float]:
    return numbers("-m", "dispatchtorch", "run", str(FOLDER / f"{program}.py"), backend=backend)


def near(wanted: list[float]) -> object:
    return pytest.approx(wanted, rel=1e-3, abs=1e-6)


def test_each_program_has_its_losses_recorded():
    assert sorted(LOSSES) == PROGRAMS
    assert [name for name, losses in LOSSES.items() if len(losses) < 20] == []


@pytest.mark.parametrize("program", QUICK)
def test_a_program_prints_what_was_recorded_with_pytorch(program):
    assert ours(program, "numpy") == near(LOSSES[program])


@pytest.mark.oracle
@pytest.mark.parametrize("program", PROGRAMS)
def test_what_was_recorded_is_what_pytorch_prints(program):
    pytest.importorskip("torch")
    assert numbers(str(FOLDER / f"{program}.py")) == near(LOSSES[program])


@pytest.mark.oracle
@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_prints_what_it_prints_with_pytorch(program, backend):
    pytest.importorskip(backend)
    assert ours(program, backend) == near(LOSSES[program])
