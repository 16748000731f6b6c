"""Gelu together with its slope: the two share most of their work, which the way back then need not do again."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch_numpy.kernels.blocks import BLOCK
from dispatchtorch_numpy.kernels.pointwise import normal_parts

__all__ = ["KERNELS"]

_FLOAT32: Final = np.dtype(np.float32)


def _both(a: Any, out: Any, slope: Any, s: Any) -> None:
    """Writes gelu and its slope of one block."""
    normal_parts(a, slope, s)
    np.multiply(slope, a, out)
    np.add(slope, s, slope)


def _gelu_and_slope(a: Any) -> tuple[Any, Any]:
    dtype = a.dtype
    if dtype.itemsize == 2:
        out, slope = _gelu_and_slope(a.astype(_FLOAT32))
        return out.astype(dtype), slope.astype(dtype)
    out, slope = np.empty(a.shape, dtype), np.empty(a.shape, dtype)
    flat, flat_out, flat_slope = a.reshape(-1), out.reshape(-1), slope.reshape(-1)
    scratch = np.empty(min(BLOCK, a.size), dtype)
    for i in range(0, a.size, BLOCK):
        part = slice(i, i + BLOCK)
        here = flat[part]
        _both(here, flat_out[part], flat_slope[part], scratch[: here.size])
    return out, slope


KERNELS: Final[dict[str, Kernel]] = {"_gelu_and_slope": _gelu_and_slope}
