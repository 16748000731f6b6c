"""How long an import takes: fresh interpreters, in turns, bytecode cached, the least of several."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

__all__ = ["import_times"]

ROOT = Path(__file__).resolve().parents[2]


def import_times(repeats: int = 30) -> dict[str, float]:
    """Seconds of a fresh interpreter that imports nothing, numpy, and dispatchtorch."""
    programs = {"python": "pass", "numpy": "import numpy", "dispatchtorch": "import dispatchtorch"}
    best = dict.fromkeys(programs, float("inf"))
    path = os.pathsep.join([str(ROOT), str(ROOT / "backends")])
    with tempfile.TemporaryDirectory() as cache:
        variables = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        variables |= {"PYTHONPATH": path, "PYTHONPYCACHEPREFIX": cache}
        for turn in range(repeats + 1):
            for name, code in programs.items():
                begin = time.perf_counter()
                subprocess.run([sys.executable, "-c", code], env=variables, check=True, cwd=cache)
                if turn:  # the first one writes the bytecode
                    best[name] = min(best[name], time.perf_counter() - begin)
    return best
