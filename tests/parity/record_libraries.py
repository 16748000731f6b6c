"""Records what the scripts of `libraries` print with PyTorch and the versions: the goldens of `test_libraries`.

`python tests/parity/record_libraries.py` records all, with names (`einops skorch`) only those. Needs an installed
PyTorch and the libraries.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

LIBRARIES = Path(__file__).with_name("libraries")
GOLDENS = Path(__file__).resolve().parents[1] / "goldens" / "libraries.json"


def printed(script: Path) -> list[float]:
    """Returns the numbers that a script prints with PyTorch, in one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, str(script)], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [float(word) for word in run.stdout.split()]


def main(names: list[str]) -> None:
    """Writes the numbers and versions of the named libraries, or of all."""
    known = json.loads(GOLDENS.read_text()) if GOLDENS.exists() else {}
    for script in sorted(LIBRARIES.glob("with_*.py")):
        name = script.stem.removeprefix("with_")
        if not names or name in names:
            known[name] = {"version": version(name), "numbers": printed(script)}
    rows = [f"  {json.dumps(name)}: {json.dumps(known[name])}" for name in sorted(known)]
    GOLDENS.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
