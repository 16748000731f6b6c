"""``dispatchtorch backends list|show NAME``: what is installed, read from light manifests.

Imports no array library, so it answers at once and also where a library is broken.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from dispatchtorch._base import config
from dispatchtorch._base.errors import BackendLoadError
from dispatchtorch.plugin.backend import BackendSpec
from dispatchtorch.plugin.manager import manager
from dispatchtorch.plugin.selection import DEFAULT
from dispatchtorch.plugin.validation import missing_modules

__all__ = ["main", "state"]


def main(argv: Sequence[str]) -> int:
    """Returns 0, having printed what is installed; 1 if the backend to be shown is broken."""
    parser = argparse.ArgumentParser(prog="dispatchtorch backends", description="The installed backends.")
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="one line for each")
    listing.add_argument("--names", action="store_true", help="names only, from metadata; imports nothing at all")
    showing = actions.add_parser("show", help="all that one backend's record says")
    showing.add_argument("name")
    arguments = parser.parse_args(argv)
    if arguments.action == "show":
        return _show(arguments.name)
    if arguments.names:
        print("\n".join(manager().installed()))
        return 0
    return _list()


def state(answer: object) -> str:
    """Returns in a few words what has become of asking for a backend's record."""
    if not isinstance(answer, BackendSpec):
        problem = answer.problem if isinstance(answer, BackendLoadError) else str(answer)
        return "broken: " + problem.partition("\n")[0]
    missing = missing_modules(answer)
    if missing:
        return f"needs {', '.join(missing)}: {answer.install}"
    return "ready"


def _list() -> int:
    wished = config.current().backend or (DEFAULT,)
    answers = manager().survey()
    rows = []
    for name, answer in answers.items():
        devices = ",".join(answer.devices) if isinstance(answer, BackendSpec) else "?"
        rows.append(("*" if name in wished else " ", name, devices, state(answer)))
    widths = [max(len(row[column]) for row in rows) for column in range(3)] if rows else []
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]))
    print(f"* selected: {','.join(wished)}")
    return 0


def _show(name: str) -> int:
    plugins = manager()
    spec = plugins.spec(name)
    source = " and ".join(str(candidate) for candidate in plugins.installed()[name])
    facts = {
        "name": spec.name,
        "about": spec.doc or "-",
        "devices": ", ".join(spec.devices),
        "class": spec.load,
        "from": source,
        "needs": ", ".join(spec.requires) or "-",
        "install": spec.install or "-",
        "priority": str(spec.priority),
        "state": state(spec),
    }
    for label, fact in facts.items():
        sys.stdout.write(f"{label + ':':<10}{fact}\n")
    return 0
