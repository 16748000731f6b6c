"""Sums of weighted slices along one dimension, over any numpy-like namespace."""

from __future__ import annotations

from typing import Any

from dispatchtorch.plugin.numpylike import kernel
from dispatchtorch.plugin.numpylike.conv import wide


@kernel
def _taps(xp: Any, a: Any, axis: int, places: Any, back_places: Any, weights: Any, back_weights: Any) -> Any:
    if weights is None:
        return xp.take(a, places[0], axis=axis)
    x = wide(xp, a)
    shape = (-1, *(1 for _ in range(a.ndim - axis - 1)))
    total: Any = None
    for k in range(places.shape[0]):
        term = xp.take(x, places[k], axis=axis) * xp.reshape(weights[k].astype(x.dtype), shape)
        total = term if total is None else total + term
    if total is None:
        total = xp.zeros((*a.shape[:axis], places.shape[1], *a.shape[axis + 1 :]), dtype=x.dtype)
    return total.astype(a.dtype)
