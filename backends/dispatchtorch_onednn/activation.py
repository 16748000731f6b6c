"""The kernels of gelu, silu and sigmoid over oneDNN, for dense float32 from a few thousand elements.

oneDNN's way back through gelu and its softmax of short rows are no quicker than numpy's, and its log_softmax loses
digits near zero: these stay.
"""

from __future__ import annotations

import ctypes
from functools import partial
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch_onednn import library
from dispatchtorch_onednn.library import Plain, description, kept, plain

__all__ = ["AROUND", "around"]

_FLOAT32: Final = np.dtype(np.float32)
_INFERENCE, _SRC, _DST = 96, 1, 17
_LOGISTIC, _SWISH, _GELU = 0x29, 0x2C, 0x31
_FEWEST: Final = 8192  # elements below which a call costs what it saves


def _pointwise(kind: int, count: int) -> Plain:
    array = plain((count,))
    chosen = description("eltwise_forward", _INFERENCE, kind, array, array, ctypes.c_float(1), ctypes.c_float(0), None)
    return Plain(chosen, [(_SRC, array), (_DST, array)])


def _fits(a: Any) -> bool:
    return bool(a.dtype == _FLOAT32 and a.size >= _FEWEST and a.flags.c_contiguous)


def _written(found: Plain, a: Any) -> Any:
    out = np.empty(a.shape, _FLOAT32)
    found.run(a, out)
    return out


def _mapped(kind: int, before: Kernel, a: Any) -> Any:
    found = kept(_pointwise, kind, a.size) if _fits(a) else None
    return before(a) if found is None else _written(found, a)


def _gelu(before: Kernel, a: Any, approximate: str) -> Any:
    found = kept(_pointwise, _GELU, a.size) if approximate == "none" and _fits(a) else None
    return before(a, approximate) if found is None else _written(found, a)


AROUND: Final[dict[str, Kernel]] = {
    "gelu": _gelu,
    "silu": partial(_mapped, _SWISH),
    "sigmoid": partial(_mapped, _LOGISTIC),
}

around: Final = library.around(AROUND)
