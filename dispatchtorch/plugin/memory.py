"""Memory that arrays on the host free and ask for again: the C library is told to keep it for the process.

By default glibc gives large blocks back to the system at once, and every fresh array is paid for page by page: a step
of Adam over a million bytes took three times as long on NumPy, a compiled step of an LSTM on JAX 1.6 times.
``DISPATCHTORCH_KEEP_MEMORY=0`` leaves the C library alone; other C libraries have no such switch. Must not know: arrays.
"""

from __future__ import annotations

import sys
from typing import Final

from dispatchtorch._base.config import flag

__all__ = ["keep_memory"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h
_LIMIT: Final = 1 << 30  # a block beyond this, or so much free memory, goes back to the system still


def keep_memory() -> bool:
    """Returns whether the C library was told to keep freed memory up to a gigabyte."""
    if not sys.platform.startswith("linux") or not flag("DISPATCHTORCH_KEEP_MEMORY", default=True):
        return False
    import ctypes  # only where a backend on the host is chosen

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    told = [mallopt(option, _LIMIT) == 1 for option in (_MMAP_THRESHOLD, _TRIM_THRESHOLD)]
    return all(told)
