"""``dispatchtorch conformance --backend NAME [--jobs N] [pytest arguments]``: the shipped suite in its own pytest."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from dispatchtorch.plugin.manager import manager
from dispatchtorch.plugin.selection import default_backend

__all__ = ["command", "main"]

SUITE: Final = "dispatchtorch.testing.conformance"


def main(argv: Sequence[str]) -> int:
    """Returns pytest's exit status; 2 where pytest is missing."""
    parser = argparse.ArgumentParser(
        prog="dispatchtorch conformance",
        usage="dispatchtorch conformance [-h] [--backend NAME] [--jobs N] [pytest arguments]",
        description="Tests a backend against the conformance kit; other arguments go to pytest.",
    )
    parser.add_argument("--backend", help="a backend's name; the selected one if not given")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the tests; needs pytest-xdist")
    arguments, rest = parser.parse_known_args(argv)
    if importlib.util.find_spec("pytest") is None:
        parser.error('the conformance kit needs pytest; install with: pip install "dispatchtorch[test]"')
    if arguments.jobs > 1 and importlib.util.find_spec("xdist") is None:
        parser.error('--jobs needs pytest-xdist; install with: pip install "dispatchtorch[test]"')
    backend = arguments.backend or default_backend().name
    manager().spec(backend)  # an unknown name is answered here, before pytest starts
    return subprocess.call(command(backend, rest, arguments.jobs))


def command(backend: str, rest: Sequence[str], jobs: int = 1) -> list[str]:
    """Returns the command line that tests the backend; naming the plugin serves a checkout that is not installed."""
    shared = ["-n", str(jobs), "--dist", "worksteal"] if jobs > 1 else []  # neighbours stay together: they share code
    start = [sys.executable, "-m", "pytest", "-p", f"{SUITE}.plugin", "--pyargs", SUITE, "--backend", backend]
    return [*start, *shared, *rest]
