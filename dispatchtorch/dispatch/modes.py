"""Modes that ops obey: a thread's own (is history recorded?) and the process's (anomaly mode, as in torch)."""

from __future__ import annotations

import threading
from typing import Any, Final

__all__ = ["LOOKED_AT", "Anomaly", "Modes", "anomaly", "modes"]

LOOKED_AT: Final = 2  # history is recorded, and somebody is shown what is saved: no short path


class Modes(threading.local):
    """One thread's modes; the class values are what a new thread starts with."""

    grad: int = True  # False, True, or LOOKED_AT
    recording: int = True  # what `grad` is when it is on: True or LOOKED_AT
    inference: bool = False
    packing: tuple[tuple[Any, Any], ...] = ()  # (pack, unpack) of saved tensors, the innermost last
    packing_refused: str | None = None  # why such hooks may not be used at the moment


class Anomaly:
    """Whether backward errors name the forward call, and whether nans count as errors; plans are built for either."""

    on: bool = False
    check_nan: bool = True


modes: Final = Modes()
anomaly: Final = Anomaly()
