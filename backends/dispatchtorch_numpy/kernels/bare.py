"""What kernels need around them.

Some need nothing: they return arrays, never numpy scalars, and silence what must be silent. Some go over wide rows, for
which numpy's buffers are better short: where operands are broadcast or strided, a ufunc copies into its buffers however
many rows find room there, which takes as long as the work itself; a row that finds none is worked on where it lies.
"""

from __future__ import annotations

from typing import Final, TypeVar

from dispatchtorch.plugin import Kernel

__all__ = ["BARE", "ROWWISE", "bare", "rowwise"]

F = TypeVar("F", bound=Kernel)

BARE: Final[set[Kernel]] = set()
ROWWISE: Final[set[Kernel]] = set()


def bare(kernel: F) -> F:
    """Returns the kernel, noted as one that `NumpyBackend.bind` leaves as it is; saves half a microsecond a call."""
    BARE.add(kernel)
    return kernel


def rowwise(kernel: F) -> F:
    """Returns the kernel, noted as one that is run with short buffers."""
    ROWWISE.add(kernel)
    return kernel
