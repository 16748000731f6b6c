"""Distributions with one formula from a uniform number of 53 bits to the sample: exponential, geometric, Cauchy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dispatchtorch._base.dtypes import by_name
from dispatchtorch.random.engine import Engine
from dispatchtorch.random.scalars import CXX_NAME, DIGITS, Shape, cast, count, fused, libm

__all__ = ["cauchy", "exponential", "geometric"]


def exponential(engine: Engine, shape: Shape, dtype_name: str, rate: float = 1.0) -> NDArray[Any]:
    """Return waiting times of this rate (torch's ``lambd``)."""
    if not rate > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={rate:g}")
    if dtype_name not in DIGITS:
        raise RuntimeError(
            "Exponential distribution is a continuous probability distribution. "
            f"dtype must be a floating point but you specified {by_name(dtype_name).legacy}"
        )
    values = libm(math.log1p, np.log1p, -engine.doubles(count(shape)))
    values *= -1.0 / rate
    return cast(values, dtype_name).reshape(shape)


def geometric(engine: Engine, shape: Shape, dtype_name: str, p: float) -> NDArray[Any]:
    """Return the numbers of trials up to the first success, in any real dtype but bool."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    with np.errstate(divide="ignore"):
        values = np.log(engine.doubles(count(shape)))
    values /= math.log1p(-p)
    np.ceil(values, out=values)
    return cast(values, dtype_name).reshape(shape)


def cauchy(engine: Engine, shape: Shape, dtype_name: str, median: float = 0.0, sigma: float = 1.0) -> NDArray[Any]:
    """Return Cauchy numbers around ``median`` with scale ``sigma``."""
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
    if dtype_name not in DIGITS:
        raise RuntimeError(
            "Cauchy distribution is a continuous probability distribution. "
            f"dtype must be a floating point but you specified {CXX_NAME[dtype_name]}"
        )
    angles = engine.doubles(count(shape))
    angles -= 0.5
    angles *= math.pi
    return cast(fused(libm(math.tan, np.tan, angles), sigma, median), dtype_name).reshape(shape)
