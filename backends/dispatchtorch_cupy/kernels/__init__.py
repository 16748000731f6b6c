"""Kernels that CuPy has itself and the shared ones lack or compose: its special functions.

A kernel is given where the library has the function; over a stand-in without special functions the shared kernels
serve.
"""

from __future__ import annotations

from typing import Any, Final

from dispatchtorch.plugin import Kernel

__all__ = ["kernels_over"]

_SPECIAL: Final[dict[str, str]] = {}  # op -> name in cupyx.scipy.special


def kernels_over(xp: Any, special: Any = None) -> dict[str, Kernel]:
    """Returns op names with kernels, over an array namespace and a module of special functions, if there is one."""
    del xp
    found = {op: getattr(special, name, None) for op, name in _SPECIAL.items()}
    return {op: kernel for op, kernel in found.items() if kernel is not None}
