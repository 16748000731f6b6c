"""Distances of all pairs of rows; the Euclidean ones of many rows by one product of matrices."""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch.plugin.numpylike import kernel

Array = Any


def _euclidean(xp: Any, a: Array, b: Array) -> Array:
    squares = xp.sum(a * a, axis=-1)[..., :, None] + xp.sum(b * b, axis=-1)[..., None, :]
    squares = squares - 2 * xp.matmul(a, xp.swapaxes(b, -1, -2))
    return xp.sqrt(xp.maximum(squares, xp.zeros((), dtype=a.dtype)))


@kernel
def _cdist(xp: Any, a: Array, b: Array, p: float) -> Array:
    if p == 2 and max(a.shape[-2], b.shape[-2]) > 25:
        return _euclidean(xp, a, b).astype(a.dtype)
    if not a.shape[-1]:
        return xp.zeros((*a.shape[:-1], b.shape[-2]), dtype=a.dtype)
    apart = xp.abs(a[..., :, None, :] - b[..., None, :, :])
    if p == 0:
        out = xp.sum(apart != 0, axis=-1)
    elif p == 1:
        out = xp.sum(apart, axis=-1)
    elif p == 2:
        out = xp.sqrt(xp.sum(apart * apart, axis=-1))
    elif math.isinf(p):
        out = xp.max(apart, axis=-1)
    else:
        out = xp.sum(apart**p, axis=-1) ** (1 / p)
    return out.astype(a.dtype)
