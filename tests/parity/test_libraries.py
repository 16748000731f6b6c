"""Unmodified libraries print the same numbers here as with PyTorch.

What the scripts of `libraries` print with PyTorch is recorded (`record_libraries.py`), so that none is needed: `tox -e
libraries` installs the libraries and leaves PyTorch out. A script is called `with_` and the library's name, since a
script's folder comes first on the path, where a module of the library's own name would hide it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

FOLDER = Path(__file__).with_name("libraries")
LIBRARIES = sorted(path.stem.removeprefix("with_") for path in FOLDER.glob("with_*.py"))
ROOT = Path(__file__).resolve().parents[2]
GOLDENS = json.loads((ROOT / "tests" / "goldens" / "libraries.json").read_text())
MISSING = re.compile(r"ModuleNotFoundError: No module named '(?!torch['.])(.+)'\s*\Z")


def check_installed(library: str) -> None:
    """Skips where the library is absent or not the one whose numbers were recorded."""
    wanted = GOLDENS[library]["version"]
    try:
        found = version(library)
    except PackageNotFoundError:
        pytest.skip(f"{library} is not installed")
    if found != wanted:
        pytest.skip(f"the numbers are those of {library} {wanted}, and {found} is installed")


def numbers(library: str) -> list[float]:
    """Returns what a library's script prints here; skips where something else that it imports is not installed."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "backends")])
    environment = {**os.environ, "PYTHONPATH": paths, "DISPATCHTORCH_BACKEND": "numpy", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "dispatchtorch", "run", str(FOLDER / f"with_{library}.py")]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if missing := MISSING.search(run.stderr):
        pytest.skip(f"{library} needs {missing[1]}, which is not installed")
    assert run.returncode == 0, run.stderr
    return [float(word) for word in run.stdout.split()]


def test_each_library_has_its_numbers_recorded():
    assert sorted(GOLDENS) == LIBRARIES
    assert [name for name, golden in GOLDENS.items() if len(golden["numbers"]) < 10] == []


@pytest.mark.oracle
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_prints_what_it_prints_with_pytorch(library):
    check_installed(library)
    assert numbers(library) == pytest.approx(GOLDENS[library]["numbers"], rel=1e-3, abs=1e-6)
