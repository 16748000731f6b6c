"""Memory that arrays on the host free and ask for again: the C library is told to keep it for the process.

By default glibc gives large blocks back to the system at once, and every fresh array is paid for page by page: a step
of Adam over a million bytes took three times as long on NumPy, a compiled step of an LSTM on JAX 1.6 times. Threads
other than the first have heaps of their own, which never hold more than 64 megabytes: a library that allocates there
asks for one heap for all.
``DISPATCHTORCH_KEEP_MEMORY=0`` leaves the C library alone; others have no such switch. Must not know: arrays.
"""

from __future__ import annotations

import sys
from typing import Final

from dispatchtorch._base.config import flag

__all__ = ["keep_memory"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of malloc.h
_LIMIT: Final = 1 << 30  # a block beyond this, or so much free memory, goes back to the system still


def keep_memory(*, one_heap: bool = False) -> bool:
    """Returns whether the C library was told to keep freed memory up to a gigabyte.

    ``one_heap``: for all threads; it has to be said before the library that allocates in its threads starts them.
    """
    if not sys.platform.startswith("linux") or not flag("DISPATCHTORCH_KEEP_MEMORY", default=True):
        return False
    import ctypes  # only where a backend on the host is chosen

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    told = [mallopt(option, _LIMIT) == 1 for option in (_MMAP_THRESHOLD, _TRIM_THRESHOLD)]
    if one_heap:
        told.append(mallopt(_ARENA_MAX, 1) == 1)
    return all(told)
