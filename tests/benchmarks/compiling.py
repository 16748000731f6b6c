"""Compilation and running time of a step beside the same step written by hand in JAX, in fresh processes, in turns."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.handwritten import STEPS
from tests.benchmarks.ratio import Figure
from tests.benchmarks.turns import WrongValueError

__all__ = ["compile_figures"]

ROOT = Path(__file__).resolve().parents[2]


def _asked(name: str, kind: str) -> dict[str, Any]:
    core = {os.getpid() % (os.cpu_count() or 1)}
    out = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.handwritten", name, kind],
        capture_output=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "backends")])},
        preexec_fn=lambda: os.sched_setaffinity(0, core),  # XLA's own threads cannot be told otherwise
    )
    return dict(json.loads(out.stdout.splitlines()[-1]))


def compile_figures(wanted: str = "", turns: int = 4) -> list[Figure]:
    """Returns for each step how long it takes to compile, and to run, over what JAX takes; none without JAX."""
    if importlib.util.find_spec("jax") is None:
        return []
    figures = []
    for name, what in STEPS.items():
        if wanted not in f"compile time: {what}":
            continue
        found: dict[str, list[dict[str, Any]]] = {"ours": [], "jax": []}
        for _ in range(turns):
            for kind, answers in found.items():
                answers.append(_asked(name, kind))
        if not np.allclose(found["ours"][0]["losses"], found["jax"][0]["losses"], rtol=1e-3):
            raise WrongValueError(f"{what}: {found['ours'][0]['losses']} is not {found['jax'][0]['losses']}")
        for fact, label, limit in (("compile", "compile time", 1.3), ("run", "a run", None)):
            ours, other = (1e6 * min(answer[fact] for answer in answers) for answers in found.values())
            figures.append(Figure(f"{label}: {what}", ours, other, "the same step hand-written in JAX", limit))
    return figures
