"""Storages and version counters: the identity that a tensor shares with all its views.

Neither exists until someone needs it: a tensor that was never viewed, written or asked carries no Cell.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from dispatchtorch.plugin.backend import Array, Backend

__all__ = ["Cell", "Storage"]

# Immutable libraries have no addresses to show; these are stable, distinct and 64-byte aligned, as torch's are.
_next_address: Final = itertools.count(1 << 44, 1 << 34)


class Storage:
    """The memory behind a tensor and its views.

    ``root``: a flat writable array for a native library, the current base value for an immutable one. ``stamp`` counts
    the writes to an immutable base, so that views know when what they read is old.
    """

    __slots__ = ("_address", "backend", "root", "stamp")

    def __init__(self, root: Array, backend: Backend) -> None:
        self.root: Any = root
        self.backend = backend
        self.stamp = 0
        self._address = 0

    def address(self) -> int:
        """Returns the address of the first element; the same for as long as the storage lives."""
        if self.backend.aliasing == "native":
            return self.backend.address(self.root)
        if self._address == 0:
            self._address = next(_next_address)
        return self._address

    @property
    def size(self) -> int:
        """Returns the number of elements."""
        return int(self.root.size)


class Cell:
    """What views share for autograd: the version of the values and how often history was rewritten under them."""

    __slots__ = ("rebased", "storage", "version")

    def __init__(self, storage: Storage | None = None) -> None:
        self.version = 0
        self.rebased = 0
        self.storage = storage
