"""Special functions that array libraries mostly lack, over any numpy-like namespace.

Everything is computed in float64, to a few units in its last place, and given back in the argument's dtype.
Coefficients are least-squares fits to 60-digit values (relative weights, Chebyshev nodes), made for this file.
"""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch.plugin.numpylike import kernel

__all__ = ["erfc_of", "log_gamma_after_one", "polynomial", "scaled_erfc", "stirling", "turns"]

# erf(x) / x in x*x, for |x| <= 1; relative error 7e-19
_ERF_OVER: tuple[float, ...] = (
    1.1283791670955126, 0.14350833432948884, 0.045483833928352625, 0.0018774728616214361, 0.00019688709437230804,
    7.781342397797464e-08,
)  # fmt: skip
_ERF_UNDER: tuple[float, ...] = (
    1.0, 0.46051428324300286, 0.09381375938112119, 0.010693215614164355, 0.0006925120717280904, 2.081088611738351e-05,
)  # fmt: skip
# (1 + 2 x) exp(x*x) erfc(x) in (x - 4) / (x + 4), for 0.75 <= x <= 28; relative error 7e-18
_ERFCX: tuple[float, ...] = (
    1.2329951186255526, -0.13962111684056236, 0.015379652102622437, 0.06809705425467069, -0.10103906603649133,
    0.09373283499931856, -0.0663303658072069, 0.03716751551776153, -0.016197734125650398, 0.005031970200249274,
    -0.0007577727643176398, -0.00019925821191099408, 0.00015061923506307393, -2.4392666504203512e-05,
    -1.1215124999199429e-05, 5.6917007003196555e-06, 2.8245122821163833e-07, -7.945201106833603e-07,
    8.38900918996903e-08, 7.956177133542948e-08, -1.9292940805423218e-08,
)  # fmt: skip
# log gamma(x) / ((x - 1) (x - 2)) in x - 1.5, for 0.5 <= x <= 3; relative error 3e-17
_GAMMA_OVER: tuple[float, ...] = (
    0.4831289505409809, 1.3463407215958665, 1.5396437893263075, 0.9287550189052479, 0.3156818813343672,
    0.05961279943049303, 0.005701249431995781, 0.00021459585012907335, 9.564277436696882e-07, -7.519320728117878e-09,
)  # fmt: skip
_GAMMA_UNDER: tuple[float, ...] = (
    1.0, 3.0888246623167115, 3.989777288863847, 2.7903289494876278, 1.1422723772487484,
    0.2758093366593198, 0.037481358660682924, 0.002529892422652114, 6.121909856030458e-05,
)  # fmt: skip
# B(2k) / (2k (2k - 1)) of Stirling's series, B(2k) / 2k of digamma's
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)
_SHIFT = 10  # arguments are moved up to at least this before a series in 1/x is used


def polynomial(coefficients: tuple[float, ...], x: Any) -> Any:
    """Returns the polynomial's values, lowest coefficient first."""
    value = x * coefficients[-1] + coefficients[-2]
    for c in coefficients[-3::-1]:
        value = value * x + c
    return value


def _erf_small(x: Any) -> Any:
    square = x * x
    return x * (polynomial(_ERF_OVER, square) / polynomial(_ERF_UNDER, square))


def _erfc_large(xp: Any, x: Any) -> Any:
    """Returns erfc of ``x`` of at least 0.75."""
    x = xp.minimum(x, 28.0)
    high = x.astype(xp.float32).astype(xp.float64)  # its square is exact
    decay = xp.exp(-high * high) * xp.exp((high - x) * (high + x))
    return decay * (polynomial(_ERFCX, (x - 4.0) / (x + 4.0)) / (1.0 + 2.0 * x))


@kernel
def erf(xp: Any, a: Any) -> Any:
    x = a.astype(xp.float64)
    size = xp.abs(x)
    far = 1.0 - _erfc_large(xp, xp.maximum(size, 0.75))
    near = _erf_small(xp.clip(x, -1.0, 1.0))
    return xp.where(size < 1.0, near, xp.where(x != x, x, xp.copysign(far, x))).astype(a.dtype)


def erfc_of(xp: Any, x: Any) -> Any:
    """Returns 1 - erf of float64 values, exact where that is small."""
    size = xp.abs(x)
    far = _erfc_large(xp, xp.maximum(size, 0.75))
    near = 1.0 - _erf_small(xp.clip(x, -1.0, 1.0))
    out = xp.where(size < 0.75, near, xp.where(x < 0, 2.0 - far, far))
    return xp.where(x != x, x, out)


def scaled_erfc(xp: Any, x: Any) -> Any:
    """Returns ``exp(x * x) * erfc(x)`` of float64 values."""
    size = xp.abs(x)
    middle = xp.minimum(xp.maximum(size, 0.75), 28.0)
    series = polynomial(_ERFCX, (middle - 4.0) / (middle + 4.0)) / (1.0 + 2.0 * middle)
    inner = xp.minimum(size, 0.75)
    near = xp.exp(inner * inner) * (1.0 - _erf_small(inner))
    far = xp.maximum(size, 28.0)
    step = 0.5 / far / far
    beyond = (1.0 - step * (1.0 - 3.0 * step * (1.0 - 5.0 * step * (1.0 - 7.0 * step)))) / (far * math.sqrt(math.pi))
    out = xp.where(size < 0.75, near, xp.where(size <= 28.0, series, beyond))
    low = xp.maximum(x, -30.0)
    high = low.astype(xp.float32).astype(xp.float64)  # its square is exact
    growth = xp.exp(high * high) * xp.exp((low - high) * (low + high))
    return xp.where(x != x, x, xp.where(x < 0, 2.0 * growth - out, out))


@kernel
def _special_erfcx(xp: Any, a: Any) -> Any:
    return scaled_erfc(xp, a.astype(xp.float64)).astype(a.dtype)


@kernel
def erfc(xp: Any, a: Any) -> Any:
    return erfc_of(xp, a.astype(xp.float64)).astype(a.dtype)


@kernel
def erfinv(xp: Any, a: Any) -> Any:
    x = a.astype(xp.float64)
    size = xp.minimum(xp.abs(x), 1.0)
    tail = 1.0 - size
    inner = xp.where(size < 1.0, size, 0.5)
    log = xp.log1p(-inner * inner)
    half = 2.0 / (math.pi * 0.147) + log * 0.5
    y = xp.sqrt(xp.sqrt(half * half - log / 0.147) - half)  # within 0.2%; each step of Halley's cubes the error
    for _ in range(3):
        miss = xp.where(inner < 0.5, _erf_small(xp.minimum(y, 1.0)) - inner, tail - erfc_of(xp, y))
        step = miss * (math.sqrt(math.pi) / 2) * xp.exp(y * y)
        y = y - step / (1.0 + y * step)
    out = xp.copysign(xp.where(size < 1.0, y, xp.inf), x)
    return xp.where(xp.abs(x) <= 1.0, out, xp.nan).astype(a.dtype)


def _raised(xp: Any, x: Any) -> tuple[Any, Any, Any]:
    """Returns ``x`` moved above the shift, the product of what was passed, and the sum of its reciprocals."""
    product, total = xp.ones_like(x), xp.zeros_like(x)
    for _ in range(_SHIFT):
        low = x < _SHIFT
        product = xp.where(low, product * x, product)
        total = xp.where(low, total + 1.0 / x, total)
        x = xp.where(low, x + 1.0, x)
    return x, product, total


def _log_gamma(xp: Any, x: Any) -> Any:
    """Returns log gamma of values of at least 0.5."""
    near = xp.minimum(x, 3.0) - 1.5
    middle = (near + 0.5) * (near - 0.5) * (polynomial(_GAMMA_OVER, near) / polynomial(_GAMMA_UNDER, near))
    return xp.where(x <= 3.0, middle, _log_gamma_large(xp, x))


def log_gamma_after_one(xp: Any, x: Any) -> Any:
    """Returns log gamma of ``1 + x``, exact for small x, for values from 0 on."""
    near = xp.minimum(x, 2.0) - 0.5
    middle = xp.minimum(x, 2.0) * (near - 0.5) * (polynomial(_GAMMA_OVER, near) / polynomial(_GAMMA_UNDER, near))
    return xp.where(x <= 2.0, middle, _log_gamma_large(xp, 1.0 + x))


def stirling(x: Any) -> Any:
    """Returns what log gamma has beyond Stirling's formula, for values from 10 on."""
    terms = tuple(b / (2 * k * (2 * k - 1)) for k, b in enumerate(_BERNOULLI, 1))
    return polynomial(terms, 1.0 / (x * x)) / x


def _log_gamma_large(xp: Any, x: Any) -> Any:
    x, product, _ = _raised(xp, x)
    return (x - 0.5) * xp.log(x) - x + 0.5 * math.log(2 * math.pi) + stirling(x) - xp.log(product)


def turns(xp: Any, x: Any) -> Any:
    """Returns the distance to the next integer, with its sign: what sin(pi x) depends on."""
    return x - xp.rint(x)


@kernel
def lgamma(xp: Any, a: Any) -> Any:
    x = a.astype(xp.float64)
    mirror = x < 0.5
    finite = xp.isfinite(x)
    value = _log_gamma(xp, xp.where(finite, xp.where(mirror, 1.0 - x, x), 1.0))
    sine = xp.abs(xp.sin(math.pi * turns(xp, xp.where(finite, x, 0.5))))
    reflected = math.log(math.pi) - xp.log(sine) - value
    out = xp.where(mirror, reflected, value) + 0.0  # never -0
    return xp.where(finite, out, xp.where(x != x, x, xp.inf)).astype(a.dtype)


@kernel
def _mvlgamma(xp: Any, a: Any, p: int) -> Any:
    x = a.astype(xp.float64)
    total = x * 0.0 + p * (p - 1) / 4 * math.log(math.pi)
    for j in range(p):
        total = total + lgamma(xp, x - j / 2)
    return total.astype(a.dtype)


@kernel
def digamma(xp: Any, a: Any) -> Any:
    x = a.astype(xp.float64)
    mirror = x < 0
    whole = mirror & (x == xp.floor(x))
    raised, _, total = _raised(xp, xp.where(mirror, 1.0 - x, xp.where(x == 0, 1.0, x)))
    terms = tuple(b / (2 * k) for k, b in enumerate(_BERNOULLI, 1))
    inverse = 1.0 / (raised * raised)
    value = xp.log(raised) - 0.5 / raised - inverse * polynomial(terms, inverse) - total
    turn = xp.where(mirror & ~whole, turns(xp, x), 0.25)
    out = xp.where(mirror, value - math.pi / xp.tan(math.pi * turn), value)
    out = xp.where(whole, xp.nan, xp.where(x == 0, xp.copysign(xp.inf, -x), out))
    return out.astype(a.dtype)
