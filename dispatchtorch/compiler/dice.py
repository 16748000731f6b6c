"""Random generators that are not the library's: Python's and numpy's, whose numbers a program would hold for ever.

Must not know: why anybody asks.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable
from typing import Any

__all__ = ["Dice"]


class Dice:
    """The states of Python's and numpy's own generators, and of those among some things."""

    def __init__(self, things: Iterable[Any] = ()) -> None:
        numpy = sys.modules.get("numpy.random")
        found: list[Any] = [vars(random)["_inst"], *[numpy.mtrand._rand for _ in (1,) if numpy is not None]]
        kinds = (random.Random, *((numpy.RandomState, numpy.Generator) if numpy is not None else ()))
        found += [thing for thing in things if isinstance(thing, kinds)]
        self._states = [(one, _state(one)) for one in found]

    def thrown(self) -> bool:
        """Returns whether numbers were drawn since."""
        return any(not _equal(_state(one), state) for one, state in self._states)

    def put_back(self) -> None:
        """Has them draw the same numbers again."""
        for one, state in self._states:
            if isinstance(one, random.Random):
                one.setstate(state)
            elif hasattr(one, "set_state"):
                one.set_state(state)
            else:
                one.bit_generator.state = state


def _state(one: Any) -> Any:
    if isinstance(one, random.Random):
        return one.getstate()
    return one.get_state(legacy=False) if hasattr(one, "set_state") else one.bit_generator.state


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    return a.tobytes() == b.tobytes() if hasattr(a, "tobytes") else bool(a == b)
