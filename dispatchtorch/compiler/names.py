"""What the code of a function names: what it reads, and what it only counts.

``self.steps += 1`` and ``losses.append(x)`` read something too, but nothing that a program would have to
know. Must not know: what the names stand for.
"""

from __future__ import annotations

import dis
import types
from collections.abc import Iterator
from typing import Final

__all__ = ["Names"]

_MAKES_NAMES: Final = ("FORMAT_VALUE", "BUILD_STRING", "FORMAT_SIMPLE", "FORMAT_WITH_SPEC")
_LOCAL: Final = ("LOAD_FAST", "LOAD_CLOSURE", "LOAD_CONST")
_BETWEEN: Final = ("SWAP", "COPY", "CACHE", "EXTENDED_ARG")


class Names:
    """The names and words in pieces of code."""

    def __init__(self) -> None:
        self.read: set[str] = set()
        self.counted: set[str] = set()
        self.computed = False  # whether attributes may be asked for by names that are put together
        self._seen: set[types.CodeType] = set()

    def add(self, code: types.CodeType) -> list[types.CodeType]:
        """Takes in a function's code, and that of the functions within; returns all of it."""
        found = list(_codes(code))
        for one in found:
            if one in self._seen:
                continue
            self._seen.add(one)
            self.read.update(c for c in _constants(one.co_consts) if isinstance(c, str))
            instructions = [i for i in dis.get_instructions(one) if i.opname not in _BETWEEN]
            for at, instruction in enumerate(instructions):
                name = instruction.opname
                if not name.startswith("LOAD_") or name.startswith(_LOCAL) or not isinstance(instruction.argval, str):
                    continue
                if _only_counts(instructions[at : at + 4]):
                    self.counted.add(instruction.argval)
                elif not _only_grows(instructions[at : at + 2]):
                    self.read.add(instruction.argval)
            if {"getattr", "vars", "__dict__"} & set(one.co_names):
                self.computed = self.computed or any(i.opname in _MAKES_NAMES for i in instructions)
        return found

    def only_counted(self, name: object) -> bool:
        """Returns whether a name is nowhere read but to add a number to what it names."""
        return name in self.counted and name not in self.read


def _only_counts(piece: list[dis.Instruction]) -> bool:
    """Returns whether instructions are those of ``name += 1``."""
    if len(piece) < 4:
        return False
    load, number, add, store = piece
    return (
        number.opname in ("LOAD_CONST", "LOAD_SMALL_INT")
        and type(number.argval) is int
        and add.opname == "BINARY_OP"
        and add.argrepr in ("+=", "-=")
        and store.opname == load.opname.replace("LOAD", "STORE")
        and store.argval == load.argval
    )


def _only_grows(piece: list[dis.Instruction]) -> bool:
    """Returns whether instructions begin ``name.append(...)``."""
    return len(piece) == 2 and piece[1].opname in ("LOAD_METHOD", "LOAD_ATTR") and piece[1].argval == "append"


def _constants(found: object) -> Iterator[object]:
    for one in found if isinstance(found, (tuple, frozenset)) else ():
        yield one
        yield from _constants(one)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yields a function's code and that of the functions within."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)
