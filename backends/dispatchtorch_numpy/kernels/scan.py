"""Running sums: all rows at once, step by step, in float64 as PyTorch accumulates them.

numpy's own scan goes through one row after the other, and each sum waits for the last one to reach memory.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch.plugin.numpylike import KERNELS as SHARED

__all__ = ["KERNELS"]

_SINGLE: Final = np.dtype("f4")
_DOUBLE: Final = np.dtype("f8")
_LANES: Final = 1024  # rows that are summed side by side
_FEW: Final = 48  # rows for which numpy's scan is quicker
_STRIP: Final = 64
_BRIEF: Final = 2048  # elements of a matrix whose rows are summed by one product
_NARROW: Final = 128  # elements of such a row
_shared: Final = SHARED["_cumsum"]


@lru_cache(maxsize=_NARROW)
def _triangle(n: int) -> Any:
    """Returns ones where a row is not below a column: a product with it gives running sums."""
    return np.tri(n, dtype=_DOUBLE).T.copy()


def _by_product(a: Any) -> Any | None:
    """Returns running sums of the rows of a small matrix; None where one holds an infinity or a nan."""
    sums = a.astype(_DOUBLE).dot(_triangle(a.shape[1]))
    last = sums[:, -1]
    return None if math.isnan(last.dot(last) * 0.0) else sums


def _cumsum(a: Any, dim: int, dtype: Any) -> Any:
    """Returns running sums along ``dim``."""
    if a.dtype is not dtype or dtype not in (_SINGLE, _DOUBLE) or not a.size or not a.ndim:
        return _shared(np, a, dim, dtype)
    size = a.shape[dim]
    if dtype is _SINGLE and dim == 1 and a.ndim == 2 and a.size <= _BRIEF and 1 < size <= _NARROW:
        sums = _by_product(a)
        if sums is not None:
            return sums.astype(_SINGLE)
    inner, outer = math.prod(a.shape[dim + 1 :]), math.prod(a.shape[:dim])
    out = np.empty(a.shape, dtype)
    if inner * outer < _FEW:
        np.copyto(out, np.add.accumulate(a, dim, _DOUBLE), casting="same_kind")
        return out
    source, into = a.reshape(outer, size, inner), out.reshape(outer, size, inner)
    if inner >= _FEW:
        for block, target in zip(source, into, strict=True):
            for start in range(0, inner, _LANES):
                _down(block[:, start : start + _LANES], target[:, start : start + _LANES])
        return out
    for start in range(0, outer, _LANES):
        _across(source[start : start + _LANES], into[start : start + _LANES])
    return out


def _down(a: Any, out: Any) -> None:
    """Writes the running sums of the columns of ``a`` into ``out``."""
    total = a[0].astype(_DOUBLE)
    out[0] = total
    for row, target in zip(a[1:], out[1:], strict=True):
        np.add(total, row, total)
        target[...] = total


def _across(a: Any, out: Any) -> None:
    """Writes the running sums along the middle one of three dims, by way of memory where it comes first."""
    outer, size, inner = a.shape
    lanes = np.empty((size, outer, inner), _DOUBLE)
    for start in range(0, outer, _STRIP):
        lanes[:, start : start + _STRIP] = a[start : start + _STRIP].swapaxes(0, 1)
    rows = list(lanes.reshape(size, -1))
    last = rows[0]
    for row in rows[1:]:
        np.add(last, row, row)
        last = row
    for start in range(0, outer, _STRIP):
        out[start : start + _STRIP] = lanes[:, start : start + _STRIP].swapaxes(0, 1)


KERNELS: Final[dict[str, Kernel]] = {"_cumsum": _cumsum}
