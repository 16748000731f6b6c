"""What a library costs before it does anything: the time of its import, the memory after it, the size of its files."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.ratio import Figure

__all__ = ["footprint_figures", "import_figures"]

ROOT = Path(__file__).resolve().parents[2]
_MEMORY = "import json; print(json.dumps(int(open('/proc/self/statm').read().split()[1]) * 4096))"
_PROGRAMS = {
    "python": "pass",
    "numpy": "import numpy",
    "dispatchtorch": "import dispatchtorch",
    "dispatchtorch, first tensor": "import dispatchtorch; dispatchtorch.ones(3) + 1",
    "torch": "import torch",
    "torch, first tensor": "import torch; torch.ones(3) + 1",
}


def _run(code: str, cache: str) -> tuple[float, int]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "backends")])
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    variables |= {"PYTHONPATH": path, "PYTHONPYCACHEPREFIX": cache, "DISPATCHTORCH_BACKEND": "numpy"}
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=variables, check=True, cwd=cache)
    took = time.perf_counter() - begin
    out = subprocess.run([sys.executable, "-c", f"{code}\n{_MEMORY}"], env=variables, check=True, cwd=cache,
                         capture_output=True)  # fmt: skip
    return took, int(json.loads(out.stdout))


def _measured(names: list[str], repeats: int) -> dict[str, tuple[float, int]]:
    """Returns seconds and bytes of fresh interpreters, in turns, bytecode cached, the least of several."""
    best: dict[str, tuple[float, int]] = {}
    with tempfile.TemporaryDirectory() as cache:
        for turn in range(repeats + 1):
            for name in names:
                took, memory = _run(_PROGRAMS[name], cache)
                if turn:  # the first one writes the bytecode
                    old = best.get(name, (float("inf"), sys.maxsize))
                    best[name] = min(old[0], took), min(old[1], memory)
    return best


def import_figures(repeats: int = 20) -> list[Figure]:
    """Returns the import's own time, beyond Python's start, and beside numpy's."""
    found = _measured(["python", "numpy", "dispatchtorch"], repeats)
    own, other = (1e6 * (found[name][0] - found["python"][0]) for name in ("dispatchtorch", "numpy"))
    return [
        Figure("import dispatchtorch beyond Python's own start (us)", own, None, "", 200_000.0),
        Figure("import dispatchtorch", own, other, "import numpy", 1.5),
    ]


def _installed(*names: str) -> int:
    """Returns the bytes of the files of installed distributions."""
    total = 0
    for name in names:
        for file in importlib.metadata.files(name) or []:
            path = Path(str(file.locate()))
            total += path.stat().st_size if path.is_file() else 0
    return total


def _needed(name: str, seen: set[str] | None = None) -> set[str]:
    """Returns a distribution and all that it cannot do without, as far as it is installed."""
    import re

    seen = set() if seen is None else seen
    try:
        wants = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return seen
    seen.add(name)
    for want in wants:
        other = re.split(r"[ ;<>=!~\[(]", want, maxsplit=1)[0]
        if "extra ==" not in want and other not in seen:
            _needed(other, seen)
    return seen


def _own_size() -> int:
    """Returns the bytes of this project's packages as they are installed, without bytecode."""
    folders = [ROOT / "dispatchtorch", *(ROOT / "backends").glob("dispatchtorch_*")]
    return sum(f.stat().st_size for d in folders for f in d.rglob("*") if f.is_file() and "__pycache__" not in f.parts)


def footprint_figures(repeats: int = 7) -> list[Figure]:
    """Returns import time, memory and installed size beside torch's; empty where there is no torch."""
    if importlib.util.find_spec("torch") is None:
        return []
    found = _measured(list(_PROGRAMS), repeats)
    start, _ = found["python"]
    figures = []
    for after in ("", ", first tensor"):
        (a, b), (c, d) = found[f"dispatchtorch{after}"], found[f"torch{after}"]
        figures.append(Figure(f"time of an import{after}", 1e6 * (a - start), 1e6 * (c - start), "torch", 0.2))
        figures.append(Figure(f"memory after an import{after} (MB)", b / 1e6, d / 1e6, "torch", 0.2))
    ours = _own_size() + _installed(*(_needed("numpy") | _needed("pluggy")))
    theirs = _installed(*{name for name in _needed("torch") if not name.startswith("dispatchtorch")})
    figures.append(Figure("size of what is installed (MB)", ours / 1e6, theirs / 1e6, "torch", 0.12))
    return figures
