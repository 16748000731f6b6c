"""Records what the programs print with PyTorch, the goldens of `test_programs`.

`python tests/parity/record_programs.py` records all, with names only those. Needs an installed PyTorch.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAMS = Path(__file__).with_name("programs")
LOSSES = PROGRAMS / "losses.json"


def printed(program: Path) -> list[float]:
    """Returns the numbers that a program prints with PyTorch, in one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(program)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return [float(word) for word in run.stdout.split()]


def main(names: list[str]) -> None:
    """Writes the numbers of the named programs, or of all."""
    known = json.loads(LOSSES.read_text()) if LOSSES.exists() else {}
    for program in sorted(PROGRAMS.glob("*.py")):
        if not names or program.stem in names:
            known[program.stem] = printed(program)
    rows = [f"  {json.dumps(name)}: {json.dumps(known[name])}" for name in sorted(known)]
    LOSSES.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
