"""Gelu together with its slope: the two share most of their work, which the way back then need not do again."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch.plugin.numpylike.special import erf as exact_erf
from dispatchtorch_numpy.kernels.blocks import BLOCK
from dispatchtorch_numpy.kernels.pointwise import _bell

__all__ = ["KERNELS"]

_FLOAT32: Final = np.dtype(np.float32)
_ROOT_HALF: Final = math.sqrt(0.5)
_BELL: Final = 1 / math.sqrt(2 * math.pi)


def _both(a: Any, out: Any, slope: Any, s: Any) -> None:
    """Writes gelu and its slope of one block."""
    one, half, minus, bell = (np.asarray(n, a.dtype) for n in (1, 0.5, -0.5, _BELL))
    if a.dtype == _FLOAT32:
        _bell(a, slope, s)
    else:
        slope[...] = exact_erf(np, a * _ROOT_HALF)
    np.add(slope, one, slope)
    np.multiply(slope, half, slope)
    np.square(a, s)
    np.multiply(s, minus, s)
    np.exp(s, s)
    np.multiply(s, bell, s)
    np.multiply(s, a, s)
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
