"""Handles of hooks: what registering returns, and how a hook is taken off again."""

from __future__ import annotations

import itertools
from typing import Any, Final

__all__ = ["RemovableHandle", "changes"]

_ids: Final = itertools.count()


class _Changes:
    """How often hooks were put on or taken off: who has looked at them need not look again while it is the same."""

    count: int = 0


changes: Final = _Changes()


class RemovableHandle:
    """Takes its hook off when `remove` is called or its ``with`` block ends."""

    def __init__(self, hooks: dict[int, Any]) -> None:
        self.id = next(_ids)
        self._hooks = hooks
        changes.count += 1

    def remove(self) -> None:
        """Takes the hook off; a second call does nothing."""
        self._hooks.pop(self.id, None)
        changes.count += 1

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()
