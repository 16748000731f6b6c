"""Importing all modules of a package's folder, for packages whose modules need no mention anywhere.

Must not know: what the modules are for.
"""

from __future__ import annotations

import gc
import importlib
import os
from collections.abc import Iterable

from dispatchtorch._base.late import pkgutil

__all__ = ["import_folder"]


def import_folder(package: str, path: Iterable[str]) -> tuple[str, ...]:
    """Returns the names of the modules in a package's ``__path__``, sorted; all of them are imported, in that order."""
    names = _modules(path)
    collecting = gc.isenabled()
    gc.disable()  # whatever is made here stays: looking through it again and again takes a tenth of the time
    try:
        for name in names:
            importlib.import_module(f"{package}.{name}")
    finally:
        if collecting:
            gc.enable()
    return names


def _modules(path: Iterable[str]) -> tuple[str, ...]:
    found: set[str] = set()
    for folder in path:
        if not os.path.isdir(folder):  # in a zip
            found.update(module.name for module in pkgutil.iter_modules([folder]))
            continue
        for entry in os.listdir(folder):
            name, dot, ending = entry.partition(".")
            if ending in ("py", "pyc") or (not dot and os.path.isfile(os.path.join(folder, name, "__init__.py"))):
                found.add(name)
    return tuple(sorted(found - {"__init__"}))
