"""Kernels that numpy does better than the shared ones: in-place buffers, BLAS without `matmul`'s overhead.

Every module has a dict `KERNELS` from op names to functions over numpy arrays, none of which writes into its arguments.
"""

from __future__ import annotations

from typing import Final

from dispatchtorch.plugin import Kernel
from dispatchtorch_numpy.kernels import linalg, reduce, softmax
from dispatchtorch_numpy.kernels.bare import BARE

__all__ = ["BARE", "KERNELS"]

KERNELS: Final[dict[str, Kernel]] = {**linalg.KERNELS, **reduce.KERNELS, **softmax.KERNELS}
