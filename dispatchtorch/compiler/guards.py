"""What a program relies on: places that have to hold what they held, containers that have to be what they were.

Must not know: programs, traces, how places were found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Any

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import DType
from dispatchtorch._base.host import np
from dispatchtorch.compiler.slots import CONTAINERS, MISSING, Slot, mark_of

__all__ = ["Guards", "content", "differs", "is_plain"]

_PLAIN = (bool, int, float, complex, str, bytes, type(None), DType, Device)
_MOST = 1 << 16  # bytes of an array that is compared


def is_plain(thing: Any) -> bool:
    """Returns whether a thing is a number, a word or the like: it is what it is, wherever it lies."""
    return isinstance(thing, (*_PLAIN, np.generic))


def content(thing: Any) -> Hashable:
    """Returns what an array or a container of plain things holds, to be compared; None where it holds other things."""
    if isinstance(thing, np.ndarray):
        return (thing.dtype.str, thing.shape, thing.tobytes()) if thing.nbytes <= _MOST else None
    if not all(map(is_plain, thing)):
        return None
    if isinstance(thing, dict):
        if not all(map(is_plain, thing.values())):
            return None
        return (*thing.items(), *map(type, thing.values()))
    if isinstance(thing, (set, frozenset)):
        return frozenset(thing)
    return (*thing, *map(type, thing))


def differs(now: Any, value: Any) -> bool:
    """Returns whether a plain thing is another one: 1 is not True, and 0.0 is not -0.0."""
    if now is value:
        return False
    if type(now) is not type(value) or now != value:
        return True
    return type(now) is float and now == 0 and math.copysign(1, now) != math.copysign(1, value)


class Guards:
    """Slots that have to hold what they held: the very same things, and equal plain values."""

    def __init__(self) -> None:
        self.same: list[tuple[Slot, Any, str]] = []
        self.equal: list[tuple[Slot, Any, str]] = []
        self.lengths: list[tuple[Any, int, str]] = []
        self.contents: list[tuple[Any, Hashable, str]] = []
        self.facts: list[tuple[Callable[[], Hashable], Hashable, str]] = []
        self._seen: set[tuple[int, Any]] = set()

    def add(self, slot: Slot, thing: Any, name: str, plain: bool = False) -> None:
        """Adds a slot; twice the same one counts once."""
        mark = mark_of(slot)
        if mark not in self._seen:
            self._seen.add(mark)
            (self.equal if plain else self.same).append((slot, thing, name))

    def add_container(self, container: Any, name: str) -> None:
        """Adds what a container or an array holds, if that is plain, and otherwise how much it is."""
        held = content(container) if isinstance(container, np.ndarray) or len(container) else None
        if held is not None:
            self.contents.append((container, held, name))
        elif isinstance(container, (*CONTAINERS, set)):
            self.lengths.append((container, len(container), name))

    def add_fact(self, read: Callable[[], Hashable], words: str) -> None:
        """Adds something that has to give what it gives now."""
        self.facts.append((read, read(), words))

    def broken(self) -> str:
        """Returns what is no longer as it was, in words; nothing where all holds."""
        for slot, thing, name in self.same:
            if slot.get() is not thing:
                return f"{name} is another object"
        for slot, value, name in self.equal:
            now = slot.get()
            if differs(now, value):
                return f"{name} was {_said(value)} and is {_said(now)}"
        for container, length, name in self.lengths:
            if len(container) != length:
                return f"{name} had {length} entries and has {len(container)}"
        for container, held, name in self.contents:
            if content(container) != held:
                return f"{name} holds other values"
        for read, value, words in self.facts:
            if read() != value:
                return f"{words} has changed"
        return ""


def _said(value: Any) -> str:
    return "nothing" if value is MISSING else repr(value) if is_plain(value) else f"a {type(value).__name__}"
