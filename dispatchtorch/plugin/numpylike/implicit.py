"""How gamma and Dirichlet samples move with their parameters, over any numpy-like namespace.

A sample x whose cumulative probability F(x; a) is held fixed moves by dx/da = -(dF/da) / density. The slope of F is an
integral of (log t - its mean) times the density, from 0 to x or from x on, whichever has one sign. On a logarithmic
scale that starts at x the integrand falls from its start in one smooth slope, so that a Gauss rule between x and where
nothing is left gives ten digits.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from dispatchtorch.plugin.numpylike import kernel
from dispatchtorch.plugin.numpylike.special import digamma

__all__: list[str] = []

_NODES, _DEPTH, _STEPS, _CLUSTER = (
    72,
    42.0,
    14,
    2,
)  # points; exp(-depth) is nothing; Newton's steps; points near the start


@functools.cache
def _rule() -> tuple[Any, Any]:
    """Returns points and weights on 0 to 1, gathered near 0: Gauss's under a power."""
    points, weights = np.polynomial.legendre.leggauss(_NODES)
    s = (points + 1) / 2
    return s**_CLUSTER, weights / 2 * _CLUSTER * s ** (_CLUSTER - 1)


def _integral(xp: Any, end: Any, integrand: Any) -> Any:
    points, weights = _rule()
    shape = (_NODES,) + (1,) * len(end.shape)
    v = xp.asarray(points).reshape(shape) * end
    return (integrand(v) * xp.asarray(weights).reshape(shape)).sum(axis=0) * end


def _descend(xp: Any, v: Any, drop: Any) -> Any:
    """Returns where a convex ``drop``, given with its slope, has come down by the depth: Newton's steps from beyond."""
    for _ in range(_STEPS):
        fallen, slope = drop(v)
        v = xp.where((fallen > _DEPTH) & (slope > 0), v - (fallen - _DEPTH) / xp.where(slope > 0, slope, 1.0), v)
    return v


@kernel
def _standard_gamma_grad(xp: Any, a: Any, b: Any) -> Any:
    dtype = a.dtype
    alpha, x = a.astype(xp.float64), b.astype(xp.float64)
    plain = (alpha > 0) & (x > 0) & xp.isfinite(alpha) & xp.isfinite(x)
    alpha, y = xp.where(plain, alpha, 1.0), xp.where(plain, x, 1.0)
    middle = digamma(xp, alpha)
    log = xp.log(y)
    upper = log >= middle
    value = xp.where(upper, _gamma_above(xp, alpha, y, log - middle), _gamma_below(xp, alpha, y, middle - log))
    return xp.where(plain, y * value, xp.where(x == 0, 0.0, xp.nan)).astype(dtype)


def _gamma_above(xp: Any, alpha: Any, x: Any, offset: Any) -> Any:
    over = xp.maximum(x - alpha, 0.0)
    quadratic = 2 * _DEPTH / (over + xp.sqrt(over * over + 2 * _DEPTH * x))
    start = xp.minimum(quadratic + 2 * xp.maximum(alpha - x, 0.0) / x, xp.log1p((_DEPTH + 20 * (alpha + 1)) / x))
    end = _descend(xp, start, lambda v: (x * xp.expm1(v) - alpha * v, x * xp.exp(v) - alpha))
    return _integral(xp, end, lambda v: (offset + v) * xp.exp(alpha * v - x * xp.expm1(v)))


def _gamma_below(xp: Any, alpha: Any, x: Any, offset: Any) -> Any:
    start = (_DEPTH + x) / alpha
    end = _descend(xp, start, lambda v: (alpha * v + x * xp.expm1(-v), alpha - x * xp.exp(-v)))
    return _integral(xp, end, lambda v: (offset + v) * xp.exp(-alpha * v - x * xp.expm1(-v)))


@kernel
def _dirichlet_grad(xp: Any, a: Any, b: Any, c: Any) -> Any:
    dtype = a.dtype
    x, alpha, total = a.astype(xp.float64), b.astype(xp.float64), c.astype(xp.float64)
    plain = (x > 0) & (x < 1) & (alpha > 0) & (total > alpha)
    y, alpha, total = xp.where(plain, x, 0.5), xp.where(plain, alpha, 1.0), xp.where(plain, total, 2.0)
    beta = total - alpha
    middle = digamma(xp, alpha) - digamma(xp, total)
    log = xp.log(y)
    low = _beta_tail(xp, 1 - y, beta, alpha, lambda rise, v: middle - log + rise)
    high = _beta_tail(xp, y, alpha, beta, lambda rise, v: log - middle + v - rise)
    return xp.where(plain, y * xp.where(log < middle, low, high), xp.where(x == 0, 0.0, xp.nan)).astype(dtype)


def _beta_tail(xp: Any, x: Any, alpha: Any, beta: Any, factor: Any) -> Any:
    """Returns the integral of ``factor`` times Beta(alpha, beta)'s density over that of x, from x to 1.

    The scale is logistic: a step v raises log t by ``v - rise`` and log(1 - t) by ``-rise``.
    """

    def rise(v: Any) -> Any:
        near = xp.log1p(x * xp.expm1(xp.minimum(v, 1.0)))
        return xp.where(v < 1.0, near, v + xp.log(x + (1 - x) * xp.exp(-v)))

    def drop(v: Any) -> tuple[Any, Any]:
        return (alpha + beta) * rise(v) - alpha * v, (alpha + beta) * x / (x + (1 - x) * xp.exp(-v)) - alpha

    end = _descend(xp, (_DEPTH - (alpha + beta) * xp.log(x)) / beta, drop)

    def integrand(v: Any) -> Any:
        risen = rise(v)
        return factor(risen, v) * xp.exp(alpha * v - (alpha + beta) * risen)

    return _integral(xp, end, integrand)
