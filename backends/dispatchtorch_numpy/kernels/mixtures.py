"""Sums of scaled products in one new array, block by block: `addcmul`, `addcdiv`, `lerp`."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dispatchtorch.plugin.numpylike import KERNELS as SHARED
from dispatchtorch_numpy.kernels.bare import bare
from dispatchtorch_numpy.kernels.blocks import BLOCK, blocked, numbers

__all__ = ["KERNELS"]

_PLAIN: Final = frozenset(np.dtype(c) for c in "fdFD")
_ARRAY: Final = np.ndarray
_shared_lerp: Final = SHARED["_lerp"]


def _product(a: Any, b: Any, c: Any, out: Any) -> None:
    np.multiply(b, c, out)
    np.add(a, out, out)


def _quotient(a: Any, b: Any, c: Any, out: Any) -> None:
    np.divide(b, c, out)
    np.add(a, out, out)


_plus_product: Final = blocked(_product)
_plus_quotient: Final = blocked(_quotient)


def _scaled(b: Any, value: Any) -> Any:
    return b if value == 1 else (b * value).astype(b.dtype, copy=False)


def _is_short(a: Any, b: Any) -> bool:
    """Returns whether two arrays, alike in all, are one block."""
    return a.dtype in _PLAIN and b.dtype is a.dtype and a.ndim > 0 and b.shape == a.shape and a.size <= BLOCK


def _blockwise(a: Any, b: Any, c: Any) -> bool:
    dtype = a.dtype
    return dtype in _PLAIN and b.dtype is dtype and c.dtype is dtype


@bare
def addcmul(a: Any, b: Any, c: Any, value: Any) -> Any:
    """Returns ``a + value * b * c``; half precision is rounded once, at the end."""
    if value == 1 and _is_short(a, b) and c.shape == a.shape and c.dtype is a.dtype:
        out = np.multiply(b, c)
        return np.add(a, out, out)
    if b.dtype.itemsize == 2 and b.dtype.kind in "fV":
        wide = np.multiply(b.astype(np.float32), np.float32(value)) * c.astype(np.float32)
        return np.add(a.astype(np.float32), wide, out=...).astype(a.dtype)
    b = _scaled(b, value)
    if _blockwise(a, b, c):
        return _plus_product(a, b, c)
    return np.add(a, np.multiply(b, c, out=...), out=...)


@bare
def addcdiv(a: Any, b: Any, c: Any, value: Any) -> Any:
    """Returns ``a + value * b / c``; half precision is rounded once, at the end."""
    if b.dtype.itemsize == 2 and b.dtype.kind in "fV":
        wide = np.multiply(b.astype(np.float32), np.float32(value)) / c.astype(np.float32)
        return np.add(a.astype(np.float32), wide, out=...).astype(a.dtype)
    b = b if value == 1 else b * value
    if _blockwise(a, b, c):
        return _plus_quotient(a, b, c)
    return np.add(a, np.divide(b, c, out=...), out=...)


def _lerp(a: Any, b: Any, weight: Any) -> Any:
    """Returns ``a + weight * (b - a)``, counted from the nearer end, so that both ends are exact."""
    number = weight if type(weight) is not _ARRAY else weight.item() if not weight.ndim else None
    if number is None or a.dtype not in _PLAIN or b.dtype is not a.dtype:
        return _shared_lerp(np, a, b, weight)
    near = abs(number) < 0.5
    (share,) = numbers(a.dtype, number if near else number - 1)
    if _is_short(a, b):
        out = np.subtract(b, a)
        np.multiply(out, share, out)
        return np.add(out, a if near else b, out)

    def body(a: Any, b: Any, out: Any) -> None:
        np.subtract(b, a, out)
        np.multiply(out, share, out)
        np.add(out, a if near else b, out)

    return blocked(body)(a, b)


KERNELS: Final = {"_addcmul": addcmul, "_addcdiv": addcdiv, "_lerp": _lerp}
