"""Modes that ops obey: a thread's own (is history recorded?) and the process's (anomaly mode, as in torch)."""

from __future__ import annotations

import threading
from typing import Final

__all__ = ["Anomaly", "Modes", "anomaly", "modes"]


class Modes(threading.local):
    """One thread's modes; the class values are what a new thread starts with."""

    grad: bool = True
    inference: bool = False


class Anomaly:
    """Whether backward errors name the forward call, and whether nans count as errors; plans are built for either."""

    on: bool = False
    check_nan: bool = True


modes: Final = Modes()
anomaly: Final = Anomaly()
