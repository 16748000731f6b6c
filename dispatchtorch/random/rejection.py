"""Distributions that draw until a candidate is accepted: Poisson, binomial, gamma, Dirichlet.

How many numbers one sample costs depends on the numbers, so these are loops over elements, in double precision where
torch is. Methods: Hörmann 1993 (transformed rejection), Kachitvichyanukul and Schmeiser's inversion by geometric steps,
Marsaglia and Tsang 2000.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dispatchtorch.random.engine import Engine
from dispatchtorch.random.normals import standard_normal
from dispatchtorch.random.scalars import DIGITS, cast

__all__ = ["binomial", "dirichlet", "poisson", "standard_gamma"]

_TINY: Final = {"float64": 2.0**-1022, "float32": 2.0**-126, "bfloat16": 2.0**-126, "float16": 2.0**-14}
_STIRLING: Final = (
    0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509, 0.0166446911898211,
    0.0138761288230707, 0.0118967099458917, 0.0104112652619720, 0.00925546218271273, 0.00833056343336287,
)  # fmt: skip


def _each(values: NDArray[Any], sample: Callable[[float], float]) -> NDArray[np.float64]:
    flat = np.fromiter(map(sample, values.reshape(-1).tolist()), np.float64, values.size)
    return flat.reshape(values.shape)


def poisson(engine: Engine, rates: NDArray[Any]) -> NDArray[Any]:
    """Return event counts, one for each rate, in the dtype of the rates."""
    if rates.size and bool((rates < 0).any()):
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    return cast(_each(rates, lambda rate: _poisson(engine, rate)), rates.dtype.name)


def _poisson(engine: Engine, rate: float) -> float:
    if rate == 0:
        return 0
    draw = engine.double
    if rate < 10:
        limit, product, events = math.exp(-rate), 1.0, 0
        while True:
            product *= draw()
            if product <= limit:
                return events
            events += 1
    root, log_rate = math.sqrt(rate), math.log(rate)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2)
    while True:
        u = draw() - 0.5
        v = draw()
        us = 0.5 - abs(u)
        if us == 0.0:
            continue  # the division below is by zero; C++ goes on with an infinity that it then refuses
        k = math.floor((2 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        left = (math.log(v) if v else -math.inf) + math.log(inverse_alpha) - math.log(a / (us * us) + b)
        if left <= -rate + k * log_rate - math.lgamma(k + 1.0):
            return k


def binomial(engine: Engine, counts: NDArray[Any], probabilities: NDArray[Any]) -> NDArray[Any]:
    """Return numbers of successes, one for each pair of a count and a probability, in their common dtype."""
    counts, probabilities = np.broadcast_arrays(counts, probabilities)
    kind = counts.dtype.type
    pairs = zip(counts.reshape(-1), probabilities.reshape(-1))
    flat = [_binomial(engine, kind, count, prob) for count, prob in pairs]
    return np.array(flat, counts.dtype).reshape(counts.shape)


def _binomial(engine: Engine, kind: Any, count: Any, prob: Any) -> Any:
    if count <= 0 or prob <= 0:
        return kind(0)
    if prob >= 1:
        return count
    if prob <= 0.5:
        return _successes(engine, kind, count, prob)
    if prob > 0.5:
        return count - _successes(engine, kind, count, kind(1.0 - float(prob)))
    return kind(math.nan)


def _successes(engine: Engine, kind: Any, count: Any, prob: Any) -> Any:
    if count * prob >= 10:
        return _transformed(engine, kind, count, prob)
    log_rest = float(np.log1p(-prob)) if kind is not np.float64 else math.log1p(-float(prob))
    steps, successes, limit = 0.0, 0, float(count)
    while True:
        u = engine.double()
        steps += math.ceil(math.log(u) / log_rest) if u else math.inf
        if steps > limit:
            return kind(successes)
        successes += 1


def _tail(k: float) -> float:
    if k < len(_STIRLING):
        return _STIRLING[int(k)]
    square = (k + 1) * (k + 1)
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1)


def _transformed(engine: Engine, kind: Any, count: Any, prob: Any) -> Any:
    n, p = float(count), float(prob)
    product, rest = count * prob, kind(1) - prob  # in the tensor's own precision, as torch computes them
    deviation = float(np.sqrt(product * rest))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    c = float(product) + 0.5
    v_r = 0.92 - 4.2 / b
    r = float(prob / rest)
    alpha = (2.83 + 5.1 / b) * deviation
    m = float(np.floor((count + kind(1)) * prob))
    while True:
        u = engine.double() - 0.5
        v = engine.double()
        us = 0.5 - abs(u)
        if us == 0.0:
            continue
        k = float(math.floor((2 * a / us + b) * u + c))
        if k < 0 or k > n:
            continue
        if us >= 0.07 and v <= v_r:
            return kind(k)
        bound = (
            (m + 0.5) * math.log((m + 1) / (r * (n - m + 1)))
            + (n + 1) * math.log((n - m + 1) / (n - k + 1))
            + (k + 0.5) * math.log(r * (n - k + 1) / (k + 1))
            + _tail(m) + _tail(n - m) - _tail(k) - _tail(n - k)
        )  # fmt: skip
        if v == 0.0 or math.log(v * alpha / (a / (us * us) + b)) <= bound:
            return kind(k)


def standard_gamma(engine: Engine, shapes: NDArray[Any]) -> NDArray[Any]:
    """Return gamma numbers of scale 1, one for each shape parameter, never less than the dtype's smallest normal."""
    name = shapes.dtype.name
    narrow = name == "float32"
    drawn = _each(shapes, lambda alpha: _gamma(engine, alpha, narrow))
    out = cast(drawn, name)
    np.maximum(out, out.dtype.type(_TINY[name]), out=out)
    return out


def _gamma(engine: Engine, alpha: float, narrow: bool) -> float:
    scale = 1.0
    if alpha < 1.0:
        if alpha == 0.0:
            return 0.0
        exponent = float(np.float32(1) / np.float32(alpha)) if narrow else 1.0 / alpha
        scale = math.pow(1 - engine.double(), exponent)
        alpha = float(np.float32(alpha) + np.float32(1)) if narrow else alpha + 1.0
    d = float(np.float32(alpha) - np.float32(1) / np.float32(3)) if narrow else alpha - _THIRD
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        y = 0.0
        while y <= 0:
            x = standard_normal(engine)
            y = 1.0 + c * x
        v = y * y * y
        u = 1 - engine.double()
        square = x * x
        if u < 1.0 - _SQUEEZE * square * square or math.log(u) < 0.5 * square + d * (1.0 - v + math.log(v)):
            return scale * d * v


_THIRD: Final = float(np.float32(1) / np.float32(3))  # torch writes both constants as floats
_SQUEEZE: Final = float(np.float32(0.0331))


def dirichlet(engine: Engine, concentrations: NDArray[Any]) -> NDArray[Any]:
    """Return points of the simplex: gamma numbers divided by their sum along the last axis."""
    name = concentrations.dtype.name
    if name not in DIGITS:
        raise NotImplementedError(f"\"dirichlet\" not implemented for '{name}'")
    drawn = _each(concentrations, lambda alpha: max(_gamma(engine, alpha, False), _TINY["float64"]))
    shares = cast(drawn / drawn.sum(-1, keepdims=True), name)
    kind = shares.dtype.type
    below_one = np.nextafter(kind(1), kind(0))
    np.maximum(shares, kind(_TINY[name]), out=shares)
    np.minimum(shares, below_one, out=shares)
    return shares
