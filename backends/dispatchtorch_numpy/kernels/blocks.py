"""Running a chain of in-place ufuncs block by block, so that what one writes the next still finds in the cache.

A fresh large temporary costs more than the arithmetic on it; a chain over blocks has one fresh array, the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import numpy as np

__all__ = ["BLOCK", "aligned", "blocked", "numbers", "scratch_blocked"]

BLOCK: Final = 1 << 17  # elements; two float32 buffers of it fit the second-level cache, and calls are few
Body = Callable[..., None]
_LINE: Final = 64  # bytes


@lru_cache(maxsize=256)
def numbers(dtype: Any, *values: float) -> tuple[Any, ...]:
    """Returns numbers as 0-dimensional arrays: a ufunc spends as long on a Python float as on a thousand elements."""
    return tuple([np.array(value, dtype) for value in values])


def aligned(shape: tuple[int, ...], dtype: Any) -> Any:
    """Returns new memory that begins with a line of the cache: vectors that lie across two take a third longer."""
    size, each = math.prod(shape), dtype.itemsize
    memory = np.empty(size + _LINE // each, dtype)
    start = -memory.__array_interface__["data"][0] % _LINE // each
    return memory[start : start + size].reshape(shape)


def _flat(arrays: tuple[Any, ...]) -> bool:
    first = arrays[0]
    return all(a.shape == first.shape and a.flags.c_contiguous for a in arrays)


def _shape(arrays: tuple[Any, ...]) -> tuple[int, ...]:
    shape: tuple[int, ...] = arrays[0].shape
    for a in arrays:
        if a.shape != shape:
            return np.broadcast_shapes(*[a.shape for a in arrays])
    return shape


def blocked(body: Body) -> Callable[..., Any]:
    """Returns a kernel for ``body(*arrays, out)``, an elementwise chain that may use ``out`` freely."""

    def kernel(*arrays: Any) -> Any:
        first = arrays[0]
        if first.size <= BLOCK or not _flat(arrays):
            out = np.empty(_shape(arrays), first.dtype)
            body(*arrays, out)
            return out
        out = np.empty_like(first)
        flats, into = [a.reshape(-1) for a in arrays], out.reshape(-1)
        for i in range(0, first.size, BLOCK):
            body(*[f[i : i + BLOCK] for f in flats], into[i : i + BLOCK])
        return out

    kernel.__name__ = body.__name__
    return kernel


def scratch_blocked(count: int, body: Body) -> Callable[..., Any]:
    """Returns the same for ``body(*arrays, out, *scratch)`` with so many scratch arrays of the block's shape."""

    def kernel(*arrays: Any) -> Any:
        first = arrays[0]
        if first.size <= BLOCK or not _flat(arrays):
            shape = _shape(arrays)
            out = np.empty(shape, first.dtype)
            body(*arrays, out, *[np.empty(shape, first.dtype) for _ in range(count)])
            return out
        out = np.empty_like(first)
        flats, into = [a.reshape(-1) for a in arrays], out.reshape(-1)
        scratch = [np.empty(BLOCK, first.dtype) for _ in range(count)]
        for i in range(0, first.size, BLOCK):
            part = into[i : i + BLOCK]
            n = part.size
            body(*[f[i : i + BLOCK] for f in flats], part, *[s[:n] for s in scratch])
        return out

    kernel.__name__ = body.__name__
    return kernel
