"""New arrays, copies and casts for the types that numpy itself has: one call of numpy each, with nothing around it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dispatchtorch.plugin.numpylike import KERNELS as SHARED
from dispatchtorch_numpy.kernels.bare import bare

__all__ = ["KERNELS"]

_INT64: Final = np.dtype(np.int64)
_OWN: Final = frozenset(np.dtype(c) for c in "?bBhHiIlLqQefdFD")


@bare
def _full(shape: tuple[int, ...], value: Any, dtype: Any) -> Any:
    """Returns an array full of one number."""
    if value == 0 and dtype in _OWN:
        return np.zeros(shape, dtype)
    out = np.empty(shape, dtype)
    if dtype.kind == "f":
        out.fill(value)
    else:
        np.copyto(out, value, casting="unsafe")  # an integer that is too large wraps around
    return out


@bare
def _arange(start: Any, step: Any, count: int, dtype: Any) -> Any:
    """Returns ``start + step * i``, counted in integers where both are such, else in float64."""
    whole = isinstance(start, int) and isinstance(step, int)
    if whole and step == 1 and dtype is _INT64:
        return np.arange(start, start + count)
    out = np.arange(count, dtype=np.int64 if whole else np.float64)
    if step != 1:
        out = out * step
    if start != 0:
        out = out + start
    return out.astype(dtype, copy=False)


@bare
def _cast(a: Any, dtype: Any) -> Any:
    """Returns the values in another dtype."""
    if dtype in _OWN and a.dtype in _OWN:
        return a.astype(dtype) if a.dtype.kind != "c" or dtype.kind in "cb" else a.real.astype(dtype)
    with np.errstate(all="ignore"):
        return SHARED["_cast"](np, a, dtype)


@bare
def _clone(a: Any) -> Any:
    """Returns a copy whose elements lie as they do here; repeated ones are laid out row by row."""
    return a.copy("C" if 0 in a.strides else "K")


KERNELS: Final = {"_full": _full, "_arange": _arange, "_cast": _cast, "_clone": _clone}
