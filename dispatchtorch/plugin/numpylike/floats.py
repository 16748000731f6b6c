"""Floats taken apart and put together, and the step function, over any numpy-like namespace."""

from __future__ import annotations

from typing import Any

from dispatchtorch.plugin.numpylike import kernel

__all__: list[str] = []

_LARGEST = 4096  # a power of two beyond it overflows every float, and its opposite vanishes


@kernel
def heaviside(xp: Any, a: Any, values: Any) -> Any:
    return xp.where(a == 0, values, (a > 0).astype(values.dtype))


@kernel
def nextafter(xp: Any, a: Any, b: Any) -> Any:
    return xp.nextafter(a, b)


@kernel
def _frexp(xp: Any, a: Any) -> Any:
    if a.dtype.itemsize > 2:
        mantissa, exponent = xp.frexp(a)
        return mantissa, exponent.astype(xp.int32)
    mantissa, exponent = xp.frexp(a.astype(xp.float32))
    return mantissa.astype(a.dtype), exponent.astype(xp.int32)


@kernel
def _ldexp(xp: Any, a: Any, b: Any) -> Any:
    if xp.issubdtype(a.dtype, xp.complexfloating):
        return a * xp.power(2.0, b)
    wide, power = (a, b) if a.dtype.itemsize > 2 else (a.astype(xp.float32), b.astype(xp.float32))
    whole = xp.isfinite(power) & (power == xp.rint(power))
    steps = xp.clip(xp.where(whole, power, xp.zeros_like(power)), -_LARGEST, _LARGEST).astype(xp.int32)
    return xp.where(whole, xp.ldexp(wide, steps), wide * xp.power(2.0, power)).astype(a.dtype)
