"""What the C++ side does with one number: dtypes as the host spells them, fused steps, libm's own functions.

It knows numpy and dtype names. It must not know engines or distributions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from dispatchtorch._base.host import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

from dispatchtorch._base.dtypes import by_name

__all__ = ["CXX_NAME", "DIGITS", "Shape", "cast", "count", "fused", "host_dtype", "libm", "require_floating"]

Shape = Sequence[int]

#: Bits of a floating type's significand, the hidden one included.
DIGITS: Final = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}

#: How torch's messages spell a dtype that they print from C++.
CXX_NAME: Final = {
    "bool": "bool", "uint8": "unsigned char", "int8": "signed char", "int16": "short", "int32": "int",
    "int64": "long int", "uint16": "unsigned short", "uint32": "unsigned int", "uint64": "unsigned long",
    "float16": "c10::Half", "bfloat16": "c10::BFloat16", "float32": "float", "float64": "double",
}  # fmt: skip

_SPLITTER: Final = float(2**27 + 1)
_LOOP: Final = 2048  # numbers for which a loop over libm, 60 ns each, is worth its last bit


def host_dtype(name: str) -> np.dtype[Any]:
    """Return numpy's dtype called ``name``; ml_dtypes is imported for "bfloat16", and only then."""
    if name == "bfloat16":
        import ml_dtypes  # an optional library that only this dtype needs

        brain: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return brain
    return np.dtype(name)


def count(shape: Shape) -> int:
    """Return the number of elements of a shape."""
    return math.prod(shape)


def cast(values: NDArray[Any], name: str) -> NDArray[Any]:
    """Return ``values`` as a C++ cast would give them; half types are reached through float, as torch does it."""
    dtype = host_dtype(name)
    if values.dtype == dtype:
        return values
    if dtype.itemsize == 2 and name in DIGITS:
        values = values.astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(dtype)


def require_floating(name: str, kernel: str) -> None:
    """Raise torch's NotImplementedError for a kernel that serves only floating types."""
    if name not in DIGITS:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{by_name(name).legacy}'")


def fused(x: NDArray[Any], factor: float, term: float) -> NDArray[Any]:
    """Return ``x * factor + term`` rounded once, in the type of ``x`` (float32 or float64)."""
    if x.dtype == np.float32:
        wide = x.astype(np.float64)
        wide *= factor
        wide += term
        return wide.astype(np.float32)
    if factor == 1.0 or term == 0.0 or not 1e-280 < abs(factor) < 1e280:
        product = x * factor
        product += term
        return product
    # Dekker's exact product and Knuth's exact sum; what both leave over is added last.
    product = x * factor
    high = x * _SPLITTER
    high -= high - x
    low = x - high
    factor_high = factor * _SPLITTER
    factor_high -= factor_high - factor
    factor_low = factor - factor_high
    rest = high * factor_high - product + high * factor_low + low * factor_high + low * factor_low
    total = product + term
    moved = total - product
    rest += (product - (total - moved)) + (term - moved)
    total += rest
    return total


def libm(function: Callable[[float], float], ufunc: np.ufunc, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the function of each element: to libm's last bit where they are few, within one place where many."""
    if x.size <= _LOOP:
        return np.fromiter(map(function, x.tolist()), np.float64, x.size)
    out: NDArray[np.float64] = ufunc(x)
    return out
