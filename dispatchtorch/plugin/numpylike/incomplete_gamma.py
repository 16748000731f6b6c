"""The regularised incomplete gamma functions, over any numpy-like namespace.

P(a, x) and Q(a, x) = 1 - P, in float64, given back in the argument's dtype. Three ways, each where it converges fast
and loses nothing (NIST DLMF 8.7.1, 8.9.2 and 8.12.3-8.12.13): the power series for small x, the continued fraction
for large x, and Temme's uniform expansion where a is large and x near it. Which is taken is chosen by value, all are
computed.
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from typing import Any

from dispatchtorch.plugin.numpylike import kernel
from dispatchtorch.plugin.numpylike.special import erfc_of, log_gamma_after_one, polynomial, stirling

__all__: list[str] = []

_SERIES, _FRACTION, _SMALL = 115, 110, 22  # terms that each needs at the edge of where it is used, to 1e-17
_BERNOULLI = ((1, 6), (-1, 30), (1, 42), (-1, 30), (5, 66), (-691, 2730))
_ORDERS, _POWERS = 12, 20  # of Temme's expansion, for a above 20 and x within 30% of a


def _scale() -> list[Fraction]:
    """Returns g(k) of DLMF 5.11.3: the exponential of Stirling's series, as a series."""
    log = [Fraction(0)] * _ORDERS  # coefficients of a ** -k
    for k, (numerator, denominator) in enumerate(_BERNOULLI, 1):
        if 2 * k - 1 < _ORDERS:
            log[2 * k - 1] = Fraction(numerator, denominator * 2 * k * (2 * k - 1))
    g = [Fraction(1)]
    for n in range(1, _ORDERS):
        g.append(sum((k * log[k] * g[n - k] for k in range(1, n + 1)), Fraction(0)) / n)
    return g


@functools.cache
def _temme() -> tuple[tuple[float, ...], ...]:
    """Returns the coefficients d(k, n) of DLMF 8.12.11, from its recurrences in exact fractions."""
    count = _POWERS + 2 * _ORDERS
    alpha = [Fraction(0), Fraction(1), Fraction(1, 3)]
    for n in range(3, count + 3):
        total = sum((j * alpha[j] * alpha[n - j + 1] for j in range(2, n)), Fraction(0))
        alpha.append((alpha[n - 1] - total) / (n + 1))
    first = [Fraction(-1, 3), *((n + 2) * alpha[n + 2] for n in range(1, count))]
    scale = _scale()
    rows, row = [], first
    for k in range(_ORDERS):
        if k:
            g = scale[k]
            row = [(-1) ** k * g * first[n] + (n + 2) * row[n + 2] for n in range(len(row) - 2)]
        rows.append(tuple(float(c) for c in row[:_POWERS]))
    return tuple(rows)


def _excess(mu: Any) -> Any:
    """Returns ``mu - log1p(mu)`` for values within -0.3 and 0.3, small ones too."""
    r = mu / (2.0 + mu)
    return r * mu - 2.0 * r * r * r * polynomial(tuple(1.0 / (2 * k + 3) for k in range(12)), r * r)


def _uniform(xp: Any, a: Any, mu: Any, upper: bool) -> Any:
    """Returns P or Q by Temme's expansion, for ``x = a (1 + mu)``."""
    half_square = _excess(mu)
    eta = xp.copysign(xp.sqrt(2.0 * half_square), mu)
    total = eta * 0.0
    for row in reversed(_temme()):
        total = total / a + polynomial(row, eta)
    rest = xp.exp(-a * half_square) / xp.sqrt(2 * math.pi * a) * total
    side = 1.0 if upper else -1.0
    return 0.5 * erfc_of(xp, side * eta * xp.sqrt(0.5 * a)) + side * rest


def _factor(xp: Any, a: Any, x: Any) -> Any:
    """Returns ``x ** a exp(-x) / gamma(a + 1)``."""
    small, large = xp.minimum(a, 10.0), xp.maximum(a, 10.0)
    near = xp.exp(small * xp.log(x) - x - log_gamma_after_one(xp, small))
    mu = (x - large) / large
    excess = xp.where(xp.abs(mu) <= 0.3, _excess(xp.clip(mu, -0.3, 0.3)), mu - xp.log(x / large))
    far = xp.exp(-large * excess - stirling(large)) / xp.sqrt(2 * math.pi * large)
    return xp.where(a <= 10.0, near, far)


def _lower_series(a: Any, x: Any) -> Any:
    """Returns ``1 + x / (a + 1) + x ** 2 / ((a + 1) (a + 2)) ...``."""
    term = total = x * 0.0 + 1.0
    for k in range(1, _SERIES):
        term = term * (x / (a + float(k)))
        total = total + term
    return total


def _upper_fraction(a: Any, x: Any) -> Any:
    """Returns Q over ``x ** a exp(-x) / gamma(a)``: the continued fraction from its far end."""
    value = x * 0.0
    for k in range(_FRACTION, 0, -1):
        value = k * (k - a) / (x + (2 * k + 1.0) - a - value)
    return 1.0 / (x + 1.0 - a - value)


def _upper_small(xp: Any, a: Any, x: Any) -> Any:
    """Returns Q for x up to 1.1, where 1 - P would lose what is left."""
    log = xp.log(x)
    near = xp.minimum(a, 3.0)
    log_gamma = log_gamma_after_one(xp, near)
    term, total = x * 0.0 + 1.0, x * 0.0
    for k in range(1, _SMALL):
        term = term * (-x / k)
        total = total + term / (near + float(k))
    return -xp.expm1(near * log - log_gamma) - xp.exp(near * log - log_gamma) * near * total


def _regularised(xp: Any, a: Any, x: Any, upper: bool) -> Any:
    dtype = a.dtype
    a, x = a.astype(xp.float64), x.astype(xp.float64)
    plain = (a > 0) & (x > 0) & xp.isfinite(a) & xp.isfinite(x)
    p, y = xp.where(plain, a, 1.0), xp.where(plain, x, 1.0)
    mu = (y - p) / p
    middle = (p > 20.0) & (xp.abs(mu) < 0.3)
    uniform = _uniform(xp, xp.where(middle, p, 30.0), xp.where(middle, mu, 0.0), upper)
    above = ~middle & (y > 1.1) & (y > p)
    factor = _factor(xp, p, y)
    high = factor * p * _upper_fraction(xp.where(above, p, 1.0), xp.where(above, y, 2.0))
    below = ~middle & ~above
    low = factor * _lower_series(xp.where(below, p, 1.0), xp.where(below, y, 0.5))
    if upper:
        tiny = below & (y <= 1.1) & (p <= 3.0) & (low > 0.5)
        exact = _upper_small(xp, xp.where(tiny, p, 1.0), xp.where(tiny, y, 0.5))
        value = xp.where(above, high, xp.where(tiny, exact, 1.0 - low))
    else:
        value = xp.where(above, 1.0 - high, low)
    value = xp.where(middle, uniform, value)
    none, whole = (1.0, 0.0) if upper else (0.0, 1.0)
    value = xp.where(a == xp.inf, xp.where(x == xp.inf, xp.nan, none), xp.where(x == xp.inf, whole, value))
    value = xp.where(x == 0, none, value)
    value = xp.where(a == 0, xp.where(x > 0, whole, xp.nan), value)
    return xp.where((a < 0) | (x < 0) | (a != a) | (x != x), xp.nan, value).astype(dtype)


@kernel
def igamma(xp: Any, a: Any, x: Any) -> Any:
    return _regularised(xp, a, x, False)


@kernel
def igammac(xp: Any, a: Any, x: Any) -> Any:
    return _regularised(xp, a, x, True)
