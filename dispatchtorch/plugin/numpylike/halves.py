"""Half precision by way of float32: PyTorch computes a formula of several steps there, and rounds once at the end."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

__all__ = ["in_float32", "is_half"]


def is_half(a: Any) -> bool:
    """Returns whether an argument is an array of two-byte floating point numbers."""
    dtype = getattr(a, "dtype", None)
    return dtype is not None and dtype.itemsize == 2 and dtype.name.endswith("float16")


def in_float32(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the kernel ``function(xp, ...)`` with arrays of half precision widened, and its result narrowed again."""

    @functools.wraps(function)
    def widened(xp: Any, *args: Any) -> Any:
        narrow = next((a.dtype for a in args if is_half(a)), None)
        if narrow is None:
            return function(xp, *args)
        return function(xp, *[a.astype(xp.float32) if is_half(a) else a for a in args]).astype(narrow)

    return widened
