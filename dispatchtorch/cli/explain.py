"""``dispatchtorch explain OP [--backend NAME]``: the rungs by which an op gets its kernel."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import dispatchtorch  # noqa: F401 - fills the op table
from dispatchtorch.dispatch.resolve import explain
from dispatchtorch.plugin.selection import get_backend

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Returns 0 if the op finds a kernel, 1 if it finds none."""
    parser = argparse.ArgumentParser(prog="dispatchtorch explain", description="Which kernel an op gets, and why.")
    parser.add_argument("op", help="an op's name: softplus, layer_norm")
    parser.add_argument("--backend", help="a backend's name; the selected one if not given")
    arguments = parser.parse_args(argv)
    try:
        ladder = explain(arguments.op, get_backend(arguments.backend).name)
    except KeyError:
        parser.error(f"there is no op called {arguments.op!r}")
    print(ladder)
    return 0 if any(step.taken for step in ladder.steps) else 1
