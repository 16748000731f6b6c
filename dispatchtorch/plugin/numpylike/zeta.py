"""Hurwitz' zeta function and the derivatives of digamma, over any numpy-like namespace.

Computed in float64 by the formula of Euler and Maclaurin (NIST DLMF 25.11.5), given back in the argument's dtype.
"""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch.plugin.numpylike import kernel
from dispatchtorch.plugin.numpylike.special import turns

__all__: list[str] = []

# B(2k) / (2k)!
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)
_TERMS = tuple(b / math.factorial(2 * k) for k, b in enumerate(_BERNOULLI, 1))
_SHIFT = 10  # terms that are summed one by one


def _hurwitz(xp: Any, s: Any, q: Any) -> Any:
    """Returns the sum of ``(q + k) ** -s`` over all k from 0, for q above 0 and s above 1."""
    total = q * 0.0
    for k in range(_SHIFT):
        total = total + (q + float(k)) ** -s
    far = q + float(_SHIFT)
    step = xp.minimum(s, 1e5)  # beyond, the tail is nothing beside the first term
    power = far**-step
    tail = power * (far / (step - 1.0) + 0.5)
    factor, power = step, power / far
    for k, term in enumerate(_TERMS, 1):
        tail = tail + term * factor * power
        factor = factor * (step + (2.0 * k - 1.0)) * (step + 2.0 * k)
        power = power / far / far
    return total + tail


@kernel
def _special_zeta(xp: Any, s: Any, q: Any) -> Any:
    s, q = (xp.asarray(x, dtype=(s if hasattr(s, "dtype") else q).dtype) for x in (s, q))  # a number has no dtype
    dtype = s.dtype
    s, q = s.astype(xp.float64), q.astype(xp.float64)
    plain = (s > 1) & (s != xp.inf) & (q == q)
    power = xp.where(plain, s, 2.0)
    low = plain & (q < 0)
    up = _hurwitz(xp, power, xp.where(q > 0, q, xp.where(low, q - xp.floor(q), 1.0)))
    # below 0 the first terms have negative bases: their sizes are the difference of two such sums
    start = xp.where(low & (q != xp.floor(q)), 1.0 - (q - xp.floor(q)), 1.0)
    below = _hurwitz(xp, power, start) - _hurwitz(xp, power, xp.where(low, 1.0 - q, 1.0))
    value = xp.where(low, up + xp.where(power % 2 == 0, below, -below), up)
    value = xp.where((q < 0) & (s != xp.floor(s)), xp.nan, value)
    value = xp.where(s == xp.inf, xp.where(q == 1, 1.0, xp.where((q > 0) & (q < 1), xp.inf, xp.nan)), value)
    value = xp.where((s != s) | (q != q) | (q == xp.inf), xp.nan, value)  # nan at infinity, as in torch
    value = xp.where((q <= 0) & (q == xp.floor(q)), xp.inf, value)
    value = xp.where(s == 1, xp.inf, xp.where(s < 1, xp.nan, value))
    return value.astype(dtype)


@kernel
def _polygamma(xp: Any, a: Any, n: int) -> Any:
    x = a.astype(xp.float64)
    if n == 1:  # the mirror formula, which the others have no short form of
        mirror = x < 0.5
        value = _hurwitz(xp, 2.0, xp.where(mirror, 1.0 - x, x))
        sine = xp.sin(math.pi * turns(xp, x))
        value = xp.where(mirror, (math.pi / sine) ** 2 - value, value)
        return xp.where(x == xp.inf, 0.0, value).astype(a.dtype)
    sign = 1.0 if n % 2 else -1.0
    return (sign * math.factorial(n) * _special_zeta(xp, n + 1.0, x)).astype(a.dtype)
