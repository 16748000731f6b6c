"""Swaps one after the other, by the routine of LAPACK that exchanges the rows of a matrix.

Shuffling is swapping place k with a drawn one, in order, and nothing in numpy's own functions does that for given
places. The LAPACK that numpy is linked to does (``laswp``), and is found through numpy's extension module; the name
depends on how numpy was built, so what is found has to prove itself on one example. It knows arrays and addresses. It
must not know generators.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["swapper"]

Swap = Callable[[NDArray[np.int64], NDArray[np.int64]], None]

_NAMES: Final = ("scipy_dlaswp_64_", "dlaswp_64_", "dlaswp_64", "dlaswp$NEWLAPACK$ILP64")  # with indices of 64 bits


@lru_cache(maxsize=1)
def swapper() -> Swap | None:
    """Return a function that swaps, for each k in order, ``values[k]`` and ``values[places[k] - 1]``; or None.

    Both arrays are contiguous, and all places, counted from 1, are within ``values``.
    """
    try:
        from numpy.linalg import _umath_linalg

        library = ctypes.CDLL(_umath_linalg.__file__)
    except (ImportError, OSError):
        return None
    routine = next((getattr(library, name) for name in _NAMES if hasattr(library, name)), None)
    if routine is None:
        return None
    found = _calling(routine)
    return found if _is_right(found) else None


def _calling(routine: Any) -> Swap:
    one = ctypes.c_int64(1)
    first, number, reference = ctypes.byref(one), ctypes.c_int64, ctypes.byref
    routine.restype = None

    def swap(values: NDArray[np.int64], places: NDArray[np.int64]) -> None:
        size, count = number(values.size), number(places.size)
        memory = (
            number.from_buffer(values.data),
            number.from_buffer(places.data),
        )  # eight bytes an element, moved as they are
        routine(first, reference(memory[0]), reference(size), first, reference(count), reference(memory[1]), first)

    return swap


def _is_right(swap: Swap) -> bool:
    places = np.array([7, 2, 3, 5, 8, 6, 7, 8], np.int64)
    values, wanted = np.arange(8), list(range(8))
    for k, place in enumerate(places.tolist()):
        wanted[k], wanted[place - 1] = wanted[place - 1], wanted[k]
    swap(values, places)
    return values.tolist() == wanted
