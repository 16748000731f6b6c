"""Kernels that CuPy has itself, its special functions, and those that its functions want in another form.

A special function is given where the library has it; over a stand-in without any the shared kernels serve.
"""

from __future__ import annotations

from typing import Any, Final

from dispatchtorch.plugin import Kernel
from dispatchtorch_cupy.kernels import factors, scans, scatter

__all__ = ["kernels_over"]

_SPECIAL: Final = ("erf", "erfc", "erfinv", "digamma")  # named alike in cupyx.scipy.special
_RENAMED: Final = {"lgamma": "gammaln"}


def kernels_over(xp: Any, special: Any = None) -> dict[str, Kernel]:
    """Returns op names with kernels, over an array namespace and a module of special functions, if there is one."""
    wanted = {**{name: name for name in _SPECIAL}, **_RENAMED}
    found = {op: getattr(special, name, None) for op, name in wanted.items()}
    return (
        {op: kernel for op, kernel in found.items() if kernel is not None}
        | factors.kernels_over(xp)
        | scans.kernels_over(xp)
        | scatter.kernels_over(xp)
    )
