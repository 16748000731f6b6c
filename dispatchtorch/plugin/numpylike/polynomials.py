"""Orthogonal polynomials of degrees given elementwise, over any numpy-like namespace, in the argument's own precision.

Values come from the three-term recurrences (NIST DLMF 18.9), taken as often as the largest degree asks, and for
Chebyshev's of higher degree inside of -1 and 1 from trigonometric forms (DLMF 18.5). How a step is repeated is an
argument (``repeat``): a library that traces its kernels brings its own loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dispatchtorch.plugin.numpylike import kernel

__all__ = ["FAMILIES", "evaluate"]

Step = Callable[[Any, Any, Any, Any], Any]  # from k, x, the value of degree k - 1 and that before to degree k
Repeat = Callable[[Any, Any, Any, Any, Step], Any]


def _in_turn(xp: Any, x: Any, n: Any, start: tuple[Any, Any], step: Step) -> Any:
    """Returns the values of the degrees ``n``, by one step after another, until no element asks for more."""
    before, value = start
    out = value
    for k in range(2, int(xp.max(n)) + 1 if n.size else 0):
        before, value = value, step(float(k), x, value, before)
        out = xp.where(n >= k, value, out)
        if k % 64 == 0 and not bool(xp.any((n > k) & (value == value))):
            break  # what is left has overflown and stays nan
    return out


def _chebyshev_step(k: Any, x: Any, value: Any, before: Any) -> Any:
    return (x + x) * value - before


def _hermite_h_step(k: Any, x: Any, value: Any, before: Any) -> Any:
    return (x + x) * value - (k + k - 2) * before


def _hermite_he_step(k: Any, x: Any, value: Any, before: Any) -> Any:
    return x * value - (k - 1) * before


def _laguerre_step(k: Any, x: Any, value: Any, before: Any) -> Any:
    return ((k + k - 1 - x) * value - (k - 1) * before) / k


def _legendre_step(k: Any, x: Any, value: Any, before: Any) -> Any:
    return ((k + k - 1) * x * value - (k - 1) * before) / k


# per family: the step, the value of degree 1, and up to which degree it is taken inside of -1 and 1
FAMILIES: dict[str, tuple[Step, Callable[[Any], Any], int]] = {
    "chebyshev_polynomial_t": (_chebyshev_step, lambda x: x, 6),
    "chebyshev_polynomial_u": (_chebyshev_step, lambda x: x + x, 8),
    "chebyshev_polynomial_v": (_chebyshev_step, lambda x: x + x - 1, 8),
    "chebyshev_polynomial_w": (_chebyshev_step, lambda x: x + x + 1, 8),
    "hermite_polynomial_h": (_hermite_h_step, lambda x: x + x, 0),
    "hermite_polynomial_he": (_hermite_he_step, lambda x: x, 0),
    "laguerre_polynomial_l": (_laguerre_step, lambda x: 1 - x, 0),
    "legendre_polynomial_p": (_legendre_step, lambda x: x, 0),
}


def _wave(xp: Any, kind: str, x: Any, n: Any) -> Any:
    """Returns Chebyshev polynomials inside of -1 and 1 by their trigonometric forms."""
    angle = xp.arccos(x)
    half = angle / 2
    if kind == "t":
        return xp.cos(n * angle)
    if kind == "u":
        return xp.sin((n + 1) * angle) / xp.sin(angle)
    if kind == "v":
        value = xp.cos((n + 0.5) * angle) / xp.cos(half)
        return xp.where(xp.sin(half) == 1, _ends(xp, kind, -xp.ones_like(x), n), value)
    return xp.where(xp.cos(half) == 1, n + n + 1, xp.sin((n + 0.5) * angle) / xp.sin(half))


def _ends(xp: Any, kind: str, x: Any, n: Any) -> Any:
    """Returns Chebyshev polynomials at 1 and -1."""
    one, wide = xp.ones_like(x), n + n + 1
    sign = xp.where(n % 2 == 0, one, -one)
    high, low = {"t": (one, sign), "u": (n + 1, (n + 1) * sign), "v": (one, wide * sign), "w": (wide, sign)}[kind]
    return xp.where(x > 0, high, low)


def evaluate(xp: Any, name: str, x: Any, n: Any, repeat: Repeat = _in_turn) -> Any:
    """Returns the polynomials of a family, of degrees ``n`` cut to whole numbers, at ``x``; 0 for negative degrees."""
    x, n = (xp.asarray(a, dtype=(x if hasattr(x, "dtype") else n).dtype) for a in (x, n))  # a number has no dtype
    x, n = xp.broadcast_arrays(x, xp.where(xp.isfinite(n), xp.trunc(n), -xp.ones_like(n)))
    if name.startswith("shifted_"):
        name, x = name.removeprefix("shifted_"), x + x - 1
    step, first, highest = FAMILIES[name]
    asked = xp.where(n > 0, n, xp.zeros_like(n))
    if name.startswith("chebyshev"):
        kind, size = name[-1], xp.abs(x)
        known = (size == 1) | ((size < 1) & (n > highest))
        inner = xp.where(size < 1, x, xp.zeros_like(x))
        value = xp.where(size == 1, _ends(xp, kind, x, n), _wave(xp, kind, inner, n))
    elif name.startswith("hermite"):
        known = n > (512 if x.dtype == xp.float64 else 128)  # where torch gives up
        value = xp.full_like(x, xp.nan)
    elif name.startswith("laguerre"):
        known, value = x == 0, xp.ones_like(x)
    else:
        known = xp.abs(x) == 1
        value = xp.where((x > 0) | (n % 2 == 0), xp.ones_like(x), -xp.ones_like(x))
    asked = xp.where(known, xp.zeros_like(n), asked)
    found = repeat(xp, x, asked, (xp.ones_like(x), first(x)), step)
    out = xp.where(known, value, xp.where(n == 0, xp.ones_like(x), found))
    return xp.where(n < 0, xp.zeros_like(out), out)


def _declare(name: str) -> None:
    def polynomial(xp: Any, x: Any, n: Any) -> Any:
        return evaluate(xp, name, x, n)

    polynomial.__name__ = polynomial.__qualname__ = "_special_" + name
    kernel(polynomial)


for _name in FAMILIES:
    _declare(_name)
    if _name.startswith("chebyshev"):
        _declare("shifted_" + _name)
