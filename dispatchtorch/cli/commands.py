"""Sub-commands that plugins add through `dispatchtorch_cli`: the `Commands` that the hook receives.

Must not know: the built-in commands, but for their names, which are taken.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["CommandTable", "Program"]

Program: TypeAlias = Callable[[Sequence[str]], int]


@dataclass(frozen=True, slots=True)
class _Command:
    help: str
    configure: Callable[[ArgumentParser], None]
    execute: Callable[[Namespace], int]


class CommandTable:
    """What plugins added; names in ``taken`` and names added before are refused."""

    def __init__(self, taken: Container[str]) -> None:
        self._taken = taken
        self._commands: dict[str, _Command] = {}

    def add(
        self, name: str, help: str, configure: Callable[[ArgumentParser], None], execute: Callable[[Namespace], int]
    ) -> None:
        """Adds ``dispatchtorch NAME``; ValueError for a name that is taken."""
        if name in self._taken or name in self._commands:
            raise ValueError(f"the command {name!r} exists already")
        self._commands[name] = _Command(help, configure, execute)

    def names(self) -> list[str]:
        """Returns the names in the order in which they were added."""
        return list(self._commands)

    def rows(self) -> list[tuple[str, str]]:
        """Returns names with their one-line help."""
        return [(name, command.help) for name, command in self._commands.items()]

    def run(self, name: str, arguments: Sequence[str]) -> int:
        """Returns the exit status of the command called ``name``."""
        command = self._commands[name]
        parser = ArgumentParser(prog=f"dispatchtorch {name}", description=command.help)
        command.configure(parser)
        return int(command.execute(parser.parse_args(arguments)) or 0)
