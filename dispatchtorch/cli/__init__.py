"""The ``dispatchtorch`` program: finds the sub-command and hands over to its module, the only one that is imported.

May use everything below, as any program would. Must not know: what a sub-command does.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Final

from dispatchtorch._base.errors import BackendLoadError, DispatchTorchError, PluginLoadError
from dispatchtorch._version import __version__
from dispatchtorch.cli.commands import CommandTable, Program
from dispatchtorch.plugin.manager import manager

__all__ = ["main"]

#: name: (module, what it does)
COMMANDS: Final = {
    "backends": ("dispatchtorch.cli.backends", "list the installed backends, or show one"),
    "doctor": ("dispatchtorch.cli.doctor", "say what is installed, what loads, and what is wrong"),
    "explain": ("dispatchtorch.cli.explain", "say which kernel an op gets on a backend, and why"),
    "demo": ("dispatchtorch.cli.demo", "train a classifier of handwritten digits"),
    "conformance": ("dispatchtorch.cli.conformance", "test a backend against the conformance kit"),
    "run": ("dispatchtorch.cli.run", "run a program whose `import torch` means dispatchtorch"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status of the sub-command in ``argv`` (the process's arguments if None)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(arguments)
    except DispatchTorchError as error:
        if isinstance(error, BackendLoadError | PluginLoadError) and error.traceback:
            print(error.traceback.rstrip(), file=sys.stderr)
        print(f"dispatchtorch: error: {error}", file=sys.stderr)
        for note in getattr(error, "__notes__", ()):
            print(note, file=sys.stderr)
        return 1
    except BrokenPipeError:  # `dispatchtorch backends list | head`
        sys.stderr.close()
        return 1


def _dispatch(arguments: list[str]) -> int:
    if arguments and arguments[0] in COMMANDS:
        program: Program = importlib.import_module(COMMANDS[arguments[0]][0]).main
        return program(arguments[1:])
    if not arguments or arguments[0].startswith("-"):
        parser = _parser(_from_plugins(strict=False))
        parser.parse_args(arguments)
        parser.print_help()
        return 0 if arguments else 2
    extra = _from_plugins(strict=True)
    if arguments[0] in extra.names():
        return extra.run(arguments[0], arguments[1:])
    _parser(extra).error(f"unknown command {arguments[0]!r}; there are {', '.join([*COMMANDS, *extra.names()])}")


def _from_plugins(strict: bool) -> CommandTable:
    """Returns the sub-commands of plugins; a broken plugin is no obstacle to reading the help."""
    table = CommandTable(taken=COMMANDS)
    try:
        plugins = manager()
        plugins.survey()  # a backend's manifest may bring commands
        plugins.cli(table)
    except DispatchTorchError as error:
        if strict:
            raise
        print(f"dispatchtorch: commands of plugins are missing: {error}", file=sys.stderr)
    return table


def _parser(extra: CommandTable) -> argparse.ArgumentParser:
    rows = [*((name, text) for name, (_, text) in COMMANDS.items()), *extra.rows()]
    width = max(len(name) for name, _ in rows)
    parser = argparse.ArgumentParser(
        prog="dispatchtorch",
        usage="dispatchtorch [-h] [--version] COMMAND ...",
        description="The PyTorch API on interchangeable array backends.",
        epilog="commands:\n" + "\n".join(f"  {name:<{width}}  {text}" for name, text in rows),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"dispatchtorch {__version__}")
    return parser
