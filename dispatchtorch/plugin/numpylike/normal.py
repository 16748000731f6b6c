"""The normal distribution's functions and entropy's term, over any numpy-like namespace, computed in float64."""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch.plugin.numpylike import kernel
from dispatchtorch.plugin.numpylike.special import erfc_of, erfinv, scaled_erfc

__all__: list[str] = []

_ROOT_HALF = math.sqrt(0.5)


def _log_share(xp: Any, x: Any) -> Any:
    """Returns the logarithm of the normal distribution's share below ``x``."""
    t = x * _ROOT_HALF
    low = xp.log(0.5 * scaled_erfc(xp, xp.where(x < -1.0, -t, 1.0))) - t * t
    return xp.where(x < -1.0, low, xp.log1p(-0.5 * erfc_of(xp, t)))


@kernel
def _special_log_ndtr(xp: Any, a: Any) -> Any:
    return _log_share(xp, a.astype(xp.float64)).astype(a.dtype)


@kernel
def _special_ndtri(xp: Any, a: Any) -> Any:
    p = a.astype(xp.float64)
    centre = p - 0.5
    tail = xp.minimum(p, 1.0 - p)
    far = xp.where((tail > 0) & (tail < 0.25), tail, 0.1)
    log = xp.log(far)
    y = -xp.sqrt(-2.0 * log)
    y = (
        y - (xp.log(-y) + 0.5 * math.log(2 * math.pi)) / y
    )  # the leading terms; Newton's steps on the logarithm do the rest
    for _ in range(6):
        slope = math.sqrt(2 / math.pi) / scaled_erfc(xp, -y * _ROOT_HALF)
        y = xp.minimum(y - (_log_share(xp, y) - log) / slope, -0.1)
    near = math.sqrt(2) * erfinv(xp, xp.clip(2.0 * centre, -0.75, 0.75))
    value = xp.where(xp.abs(centre) <= 0.25, near, xp.where(centre > 0, -y, y))
    value = xp.where(p == 0, -xp.inf, xp.where(p == 1, xp.inf, value))
    return xp.where((p >= 0) & (p <= 1), value, xp.nan).astype(a.dtype)


@kernel
def _special_entr(xp: Any, a: Any) -> Any:
    inner = xp.where(a > 0, a, xp.ones_like(a))
    value = xp.where(a > 0, -a * xp.log(inner), xp.where(a == 0, a * 0, -xp.inf))
    return xp.where(a != a, a, value).astype(a.dtype)


@kernel
def _special_xlog1py(xp: Any, a: Any, b: Any) -> Any:
    a, b = (xp.asarray(x, dtype=(a if hasattr(a, "dtype") else b).dtype) for x in (a, b))  # a number has no dtype
    product = a * xp.log1p(b)
    return xp.where((a == 0) & ~(b != b), xp.zeros_like(product), product)
