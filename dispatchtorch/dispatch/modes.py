"""Per-thread modes that ops obey: whether history is recorded, whether tensors are inference tensors."""

from __future__ import annotations

import threading
from typing import Final

__all__ = ["Modes", "modes"]


class Modes(threading.local):
    """One thread's modes; the class values are what a new thread starts with."""

    grad: bool = True
    inference: bool = False
    anomaly: bool = False
    check_nan: bool = True
    saved_hooks: tuple[tuple[object, object], ...] = ()


modes: Final = Modes()
