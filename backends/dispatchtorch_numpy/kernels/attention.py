"""Attention in one array of scores: products straight from BLAS, softmax and mask in place, some matrices at a time.

Exponentials are taken without the largest score's being found and subtracted first, which takes longer than all else
but the products: in floating point that changes no digit unless something gets too large or too small. The rows' sums
show whether it did, and then the shared kernel does it the other way. Results lie as their arguments do: where heads
are beside features, joining them again copies nothing.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch.plugin.numpylike import KERNELS as SHARED
from dispatchtorch_numpy.kernels.ones import ones

__all__ = ["KERNELS"]

BLOCK: Final = 1 << 17  # elements of the scores
_WIDE: Final = frozenset(np.dtype(c) for c in "fd")
_shared, _shared_backward = SHARED["_sdpa"], SHARED["_sdpa_backward"]
_LEAST, _MOST = 1e-8, 1e30  # sums of exponentials for which none that matters was too small or too large


def _fits(query: Any, *others: Any) -> bool:
    return query.dtype in _WIDE and query.ndim > 2 and all(o.shape[:-2] == query.shape[:-2] for o in others)


def _beside(a: Any, rows: int, width: int) -> Any:
    """Returns new memory for matrices of this size in a batch as ``a``'s, with a row's heads side by side if there."""
    if a.ndim != 4 or a.strides[1] >= a.strides[2]:
        return np.empty((*a.shape[:-2], rows, width), a.dtype)
    return np.empty((a.shape[0], rows, a.shape[1], width), a.dtype).swapaxes(1, 2)


def _parts(scores: Any) -> list[slice]:
    """Returns stretches of the first dimension that fit the cache."""
    step = max(1, BLOCK // max(math.prod(scores.shape[1:]), 1))
    return [slice(i, i + step) for i in range(0, len(scores), step)]


@lru_cache(maxsize=16)
def _earlier(rows: int, columns: int, dtype: Any) -> Any:
    """Returns 1 for keys that a query may see, 0 for those that come later."""
    return np.tri(rows, columns, dtype=dtype)


def _sdpa(query: Any, key: Any, value: Any, causal: bool, scale: float, bias: Any) -> tuple[Any, Any]:
    if not _fits(query, key, value) or not query.size or not key.size:
        return tuple(_shared(np, query, key, value, causal, scale, bias))
    rows, columns = query.shape[-2], key.shape[-2]
    weights = np.empty((*query.shape[:-2], rows, columns), query.dtype)
    out = _beside(query, rows, value.shape[-1])
    row, factor = ones(columns, query.dtype), np.asarray(scale, query.dtype)
    biases = None if bias is None else np.broadcast_to(bias, weights.shape)
    for part in _parts(weights):
        here = weights[part]
        np.matmul(query[part], key[part].swapaxes(-2, -1), out=here)
        np.multiply(here, factor, here)
        if biases is not None:
            np.add(here, biases[part], here)
        np.exp(here, here)
        if causal:
            np.multiply(here, _earlier(rows, columns, query.dtype), here)
        flat = here.reshape(-1, columns)
        totals = flat.dot(row)
        if not (totals.min() >= _LEAST and totals.max() <= _MOST):
            return tuple(_shared(np, query, key, value, causal, scale, bias))
        np.reciprocal(totals, totals)
        np.multiply(flat, totals[:, None], flat)
        np.matmul(here, value[part], out=out[part])
    return out, weights


def _sdpa_backward(
    g: Any, query: Any, key: Any, value: Any, weights: Any, causal: bool, scale: float, bias: Any
) -> tuple[Any, Any, Any, Any]:
    if not _fits(query, key, value, g) or g.dtype != query.dtype:
        return tuple(_shared_backward(np, g, query, key, value, weights, causal, scale, bias))
    rows, columns = query.shape[-2], key.shape[-2]
    scores, factor = np.empty(weights.shape, g.dtype), np.asarray(scale, g.dtype)
    by_query = _beside(query, rows, query.shape[-1])
    by_key, by_value = _beside(key, columns, key.shape[-1]), _beside(value, columns, value.shape[-1])
    for part in _parts(scores):
        here, kept = scores[part], weights[part]
        np.matmul(g[part], value[part].swapaxes(-2, -1), out=here)
        np.subtract(here, np.vecdot(here, kept)[..., None], here)
        np.multiply(here, kept, here)
        np.matmul(here, key[part], out=by_query[part])
        np.matmul(here.swapaxes(-2, -1), query[part], out=by_key[part])
        np.matmul(kept.swapaxes(-2, -1), g[part], out=by_value[part])
    np.multiply(by_query, factor, by_query)
    np.multiply(by_key, factor, by_key)
    return by_query, by_key, by_value, scores


KERNELS: Final[dict[str, Kernel]] = {"_sdpa": _sdpa, "_sdpa_backward": _sdpa_backward}
