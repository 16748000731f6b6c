"""Which levels of ``vmap`` are running in this thread, the outermost first, and what each has promised."""

from __future__ import annotations

import threading
from typing import Final

from dispatchtorch.plugin.backend import Backend

__all__ = ["LEVELS", "Level"]


class Level:
    """One running ``vmap``."""

    __slots__ = ("backend", "connected", "randomness", "size")

    def __init__(self, backend: Backend, size: int, randomness: str) -> None:
        self.backend = backend
        self.size = size
        self.randomness = randomness
        self.connected = False  # whether a tensor that requires a gradient has come in: derivatives keep their graph


class Levels(threading.local):
    """One thread's levels."""

    def __init__(self) -> None:
        self.stack: list[Level] = []

    @property
    def connected(self) -> bool:
        """Returns whether what is computed on some level may have to be differentiated from outside it."""
        return any(level.connected for level in self.stack)


LEVELS: Final = Levels()
