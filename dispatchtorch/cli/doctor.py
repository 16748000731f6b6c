"""``dispatchtorch doctor``: versions, settings, which backends load, and every problem that was found.

Loads each backend for real; a problem of one is reported and the next is tried.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import sys
from collections.abc import Iterator, Sequence

from dispatchtorch._base import config
from dispatchtorch._base.errors import (
    BackendError,
    BackendUnavailableError,
    DispatchTorchError,
)
from dispatchtorch._version import __version__
from dispatchtorch.plugin.backend import BackendSpec
from dispatchtorch.plugin.manager import PluginManager, manager
from dispatchtorch.plugin.selection import DEFAULT, default_backend, get_backend

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Returns 0 if nothing is wrong, 1 if a problem was printed."""
    argparse.ArgumentParser(prog="dispatchtorch doctor", description="What is installed and what is wrong.").parse_args(
        argv
    )
    print(f"python         {platform.python_version()} ({sys.executable})")
    print(f"platform       {platform.platform()}")
    print(f"dispatchtorch  {__version__}")
    for distribution in ("numpy", "pluggy"):
        print(f"{distribution:<14} {_version(distribution)}")
    problems = [*_environment()]
    try:
        plugins = manager()
    except DispatchTorchError as error:
        problems.append(str(error))
    else:
        problems += [*_backends(plugins), *_selected()]
        print("plugins        " + (", ".join(plugins.plugins()) or "none"))
    print("problems" if problems else "no problems")
    for problem in problems:
        print("  - " + problem.replace("\n", "\n    "))
    return 1 if problems else 0


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _environment() -> Iterator[str]:
    """Prints the settings; yields what is wrong with them."""
    print("environment")
    found = config.variables()
    for name, value in found.items():
        print(f"  {name}={value}")
    if not found:
        print("  (nothing set)")
    try:
        config.current()
    except DispatchTorchError as error:
        yield str(error)
    for name in config.unknown_variables():
        yield f"{name} is set, and nothing in the core reads it; known are {', '.join(config.KNOWN)}"


def _backends(plugins: PluginManager) -> Iterator[str]:
    """Prints what each installed backend answers when it is loaded; yields what is broken."""
    print("backends")
    for name, answer in plugins.survey().items():
        if not isinstance(answer, BackendSpec):
            print(f"  {name}: broken")
            yield f"{answer}\n{getattr(answer, 'traceback', '')}".rstrip()
            continue
        try:
            backend = get_backend(name)
        except BackendUnavailableError as error:
            print(f"  {name}: unavailable: {error}")
        except BackendError as error:
            print(f"  {name}: broken")
            yield f"{error}\n{getattr(error, 'traceback', '')}".rstrip()
        else:
            libraries = [
                f"{module} {getattr(sys.modules.get(module), '__version__', '?')}" for module in answer.requires
            ]
            print(f"  {name}: loads, serves {', '.join(backend.devices)} ({', '.join(libraries) or 'no library'})")


def _selected() -> Iterator[str]:
    """Prints which backend serves; yields why none does."""
    wish = ",".join(config.current().backend) or f"{DEFAULT} (default)"
    try:
        print(f"selected       {wish}: {default_backend().name}")
    except DispatchTorchError as error:
        print(f"selected       {wish}: none")
        yield str(error)
