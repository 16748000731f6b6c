"""Normalised exponentials along one dimension, over an array-API namespace."""

from __future__ import annotations

from typing import Any

from dispatchtorch.plugin.numpylike import kernel
from dispatchtorch.plugin.numpylike.reduce import wide

Array = Any


@kernel
def _softmax(xp: Any, a: Array, dim: int) -> Array:
    """Returns exponentials divided by their sum."""
    if not a.size:
        return xp.asarray(a, copy=True)
    if not a.ndim:
        return xp.exp(a - a)
    x = wide(xp, a)
    e = xp.exp(x - xp.max(x, axis=dim, keepdims=True))
    return (e / xp.sum(e, axis=dim, keepdims=True)).astype(a.dtype)


@kernel
def _log_softmax(xp: Any, a: Array, dim: int) -> Array:
    """Returns logarithms of `_softmax`, without computing it."""
    if not a.size:
        return xp.asarray(a, copy=True)
    if not a.ndim:
        return a - a
    x = wide(xp, a)
    x = x - xp.max(x, axis=dim, keepdims=True)
    return (x - xp.log(xp.sum(xp.exp(x), axis=dim, keepdims=True))).astype(a.dtype)


@kernel
def _softmax_backward(xp: Any, g: Array, out: Array, dim: int) -> Array:
    """Returns ``out * (g - sum(g * out))``."""
    if not out.size or not out.ndim:
        return g * 0
    gx, y = wide(xp, g), wide(xp, out)
    return (y * (gx - xp.sum(gx * y, axis=dim, keepdims=True))).astype(out.dtype)


@kernel
def _log_softmax_backward(xp: Any, g: Array, out: Array, dim: int) -> Array:
    """Returns ``g - exp(out) * sum(g)``."""
    if not out.size or not out.ndim:
        return g * 0
    gx, y = wide(xp, g), wide(xp, out)
    return (gx - xp.exp(y) * xp.sum(gx, axis=dim, keepdims=True)).astype(out.dtype)
