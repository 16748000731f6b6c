"""Which kernels need nothing around them: they return arrays, never numpy scalars, and silence what must be silent."""

from __future__ import annotations

from typing import Final, TypeVar

from dispatchtorch.plugin import Kernel

__all__ = ["BARE", "bare"]

F = TypeVar("F", bound=Kernel)

BARE: Final[set[Kernel]] = set()


def bare(kernel: F) -> F:
    """Returns the kernel, noted as one that `NumpyBackend.bind` leaves as it is; saves half a microsecond a call."""
    BARE.add(kernel)
    return kernel
