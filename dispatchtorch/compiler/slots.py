"""Places that hold something: an entry of a container, a cell of a closure, an attribute of an object or a class.

Must not know: how they were found, what they mean for a program.
"""

from __future__ import annotations

import types
from collections import deque
from typing import Any, Final

from dispatchtorch.tensor.tensor import Tensor

__all__ = ["CONTAINERS", "MISSING", "Holding", "Slot", "mark_of"]

MISSING: Final = object()
CONTAINERS: Final = (dict, list, deque)


class Slot:
    """One place that holds something: an entry of a dict or list, a cell of a closure, an attribute without a dict."""

    __slots__ = ("container", "key")

    def __init__(self, container: Any, key: Any) -> None:
        self.container = container
        self.key = key

    def get(self) -> Any:
        """Returns what is there now; an object that is nowhere else where there is nothing."""
        container = self.container
        try:
            if type(container) is types.CellType:
                return container.cell_contents
            if isinstance(container, dict):
                return container.get(self.key, MISSING)  # a look-up would fill a defaultdict
            if isinstance(container, type):
                return vars(container).get(self.key, MISSING)
            if isinstance(container, CONTAINERS):
                return container[self.key]
            return getattr(container, self.key, MISSING)
        except (IndexError, ValueError):
            return MISSING

    def put(self, value: Any) -> None:
        """Puts something there."""
        container = self.container
        if type(container) is types.CellType:
            if value is MISSING:
                del container.cell_contents
            else:
                container.cell_contents = value
        elif isinstance(container, CONTAINERS):
            if value is MISSING:
                del container[self.key]
            else:
                container[self.key] = value
        elif value is MISSING:
            delattr(container, self.key)
        else:
            setattr(container, self.key, value)


def mark_of(slot: Slot) -> tuple[int, Any]:
    """Returns what two slots have in common that are one place."""
    if type(slot.container) is types.CellType:
        return id(slot.container), None
    return id(slot.container), id(slot.key) if isinstance(slot.key, Tensor) else slot.key


class Holding:
    """What a container held: all of it, or of a class, a module or an object without a dict some names."""

    __slots__ = ("container", "held", "partial")

    def __init__(self, container: Any, held: Any, partial: bool = False) -> None:
        self.container, self.held, self.partial = container, held, partial

    def same(self) -> bool:
        """Returns whether the very same things are there."""
        container, held = self.container, self.held
        if self.partial or type(container) is types.CellType:
            return not self.slots()
        if len(container) != len(held):
            return False
        if isinstance(container, set):
            return bool(container == held)
        if isinstance(container, dict):
            return all(container.get(key, MISSING) is value for key, value in held.items())
        return all(now is before for now, before in zip(container, held, strict=True))

    def slots(self) -> list[tuple[Slot, Any]] | None:
        """Returns the places that hold other things now, with what they held; None where it is not a matter of places.

        What came to the end of a list is not among them.
        """
        container, held = self.container, self.held
        if type(container) is types.CellType:
            slot = Slot(container, None)
            return [] if slot.get() is held else [(slot, held)]
        if isinstance(container, dict) or self.partial:
            keys = list(held) if self.partial else list(dict.fromkeys([*held, *container]))
            pairs = [(Slot(container, key), held.get(key, MISSING)) for key in keys]
            if not self.partial and [k for k in held if k in container] != list(container)[: len(held)]:
                return None  # in another order
            return [(slot, old) for slot, old in pairs if slot.get() is not old]
        if isinstance(container, list):
            if len(container) < len(held):
                return None
            return [(Slot(container, i), old) for i, old in enumerate(held) if container[i] is not old]
        return None

    def grown(self) -> list[Any]:
        """Returns what came to the end of a list."""
        return self.container[len(self.held) :] if isinstance(self.container, list) else []

    def restore(self) -> None:
        """Makes the container what it was."""
        container, held = self.container, self.held
        if type(container) is types.CellType or self.partial:
            for slot, old in self.slots() or ():
                slot.put(old)
        elif isinstance(container, dict):
            if list(container) == list(held):
                for key, value in held.items():
                    if container[key] is not value:
                        container[key] = value
            else:
                container.clear()
                container.update(held)
        elif isinstance(container, set):
            container.clear()
            container.update(held)
        else:
            container.clear()
            container.extend(held)
