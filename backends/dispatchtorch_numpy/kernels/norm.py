"""Normalisation over rows: sums as BLAS products, one new array a result, a block of rows at a time."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch.plugin.numpylike import KERNELS as SHARED

__all__ = ["KERNELS"]

BLOCK: Final = 1 << 16  # elements
_WIDE: Final = frozenset(np.dtype(c) for c in "fd")
_shared_layer, _shared_layer_backward = SHARED["_layer_norm"], SHARED["_layer_norm_backward"]
_shared_group, _shared_group_backward = SHARED["_group_norm"], SHARED["_group_norm_backward"]


@lru_cache(maxsize=64)
def _shares(count: int, dtype: Any) -> Any:
    """Returns what a row is multiplied by to give its mean."""
    return np.full(count, 1.0 / count, dtype)


@lru_cache(maxsize=64)
def _ones(count: int, dtype: Any) -> Any:
    return np.ones(count, dtype)


def _parts(rows: int, width: int) -> list[slice]:
    step = max(1, BLOCK // max(width, 1))
    return [slice(i, i + step) for i in range(0, rows, step)]


def _normalise(x: Any, out: Any, mean: Any, rstd: Any, eps: float) -> None:
    """Writes the rows of ``x`` with mean 0 and variance 1 into ``out``, and their facts into ``mean`` and ``rstd``."""
    width = x.shape[1]
    shares = _shares(width, x.dtype)
    for part in _parts(*x.shape):
        here = out[part]
        mean[part] = x[part].dot(shares)
        np.subtract(x[part], mean[part, None], here)
        rstd[part] = np.vecdot(here, here)
        rstd[part] /= width
        rstd[part] += eps
        np.sqrt(rstd[part], rstd[part])
        np.reciprocal(rstd[part], rstd[part])
        here *= rstd[part, None]


def _pull(inner: Any, normal: Any, rstd: Any, out: Any) -> None:
    """Writes the gradient through the normalisation itself into ``out``; ``normal`` is used up."""
    width = inner.shape[1]
    shares = _shares(width, inner.dtype)
    for part in _parts(*inner.shape):
        here = out[part]
        along = np.vecdot(inner[part], normal[part])
        along /= width
        np.subtract(inner[part], inner[part].dot(shares)[:, None], here)
        normal[part] *= along[:, None]
        here -= normal[part]
        here *= rstd[part, None]


def _fits(x: Any) -> bool:
    return x.dtype in _WIDE and x.size > 0


def _layer_norm(input: Any, ndim: int, eps: float, weight: Any, bias: Any) -> Any:
    if not _fits(input):
        return _shared_layer(np, input, ndim, eps, weight, bias)
    lead = input.shape[: input.ndim - ndim]
    x = input.reshape(int(np.prod(lead)), -1)
    out, mean, rstd = np.empty_like(x, order="C"), np.empty(len(x), x.dtype), np.empty(len(x), x.dtype)
    _normalise(x, out, mean, rstd, eps)
    if weight is not None:
        out *= weight.reshape(-1)
    if bias is not None:
        out += bias.reshape(-1)
    kept = (*lead, *(1 for _ in range(ndim)))
    return out.reshape(input.shape), mean.reshape(kept), rstd.reshape(kept)


def _layer_norm_backward(g: Any, input: Any, mean: Any, rstd: Any, ndim: int, eps: float, weight: Any) -> Any:
    if not _fits(input) or g.dtype != input.dtype:
        return _shared_layer_backward(np, g, input, mean, rstd, ndim, eps, weight)
    rows = mean.size
    x, gs = input.reshape(rows, -1), g.reshape(rows, -1)
    rstd = rstd.reshape(rows)
    normal = np.subtract(x, mean.reshape(rows, 1))
    normal *= rstd[:, None]
    out = np.empty_like(x, order="C")
    if weight is None:
        _pull(gs, normal, rstd, out)
        return (out.reshape(input.shape),)
    shape = weight.shape
    by_weight = np.einsum("ij,ij->j", gs, normal)
    by_bias = _ones(rows, gs.dtype).dot(gs)
    _pull(gs * weight.reshape(-1), normal, rstd, out)
    return out.reshape(input.shape), by_weight.reshape(shape), by_bias.reshape(shape)


def _group_norm(input: Any, groups: int, eps: float, weight: Any, bias: Any) -> Any:
    if not _fits(input):
        return _shared_group(np, input, groups, eps, weight, bias)
    count, channels = input.shape[:2]
    x = input.reshape(count * groups, -1)
    out, mean, rstd = np.empty_like(x, order="C"), np.empty(len(x), x.dtype), np.empty(len(x), x.dtype)
    _normalise(x, out, mean, rstd, eps)
    planes = out.reshape(count, channels, -1)
    if weight is not None:
        planes *= weight[:, None]
    if bias is not None:
        planes += bias[:, None]
    return out.reshape(input.shape), mean.reshape(count, groups, 1), rstd.reshape(count, groups, 1)


def _group_norm_backward(g: Any, input: Any, mean: Any, rstd: Any, groups: int, eps: float, weight: Any) -> Any:
    if not _fits(input) or g.dtype != input.dtype:
        return _shared_group_backward(np, g, input, mean, rstd, groups, eps, weight)
    count, channels = input.shape[:2]
    rows = count * groups
    x, rstd = input.reshape(rows, -1), rstd.reshape(rows)
    normal = np.subtract(x, mean.reshape(rows, 1))
    normal *= rstd[:, None]
    out = np.empty_like(x, order="C")
    if weight is None:
        _pull(g.reshape(rows, -1), normal, rstd, out)
        return (out.reshape(input.shape),)
    planes = g.reshape(count, channels, -1)
    by_weight = np.vecdot(planes, normal.reshape(planes.shape)).sum(0)
    by_bias = planes.dot(_ones(planes.shape[2], planes.dtype)).sum(0)
    _pull((planes * weight[:, None]).reshape(rows, -1), normal, rstd, out)
    return out.reshape(input.shape), by_weight, by_bias


KERNELS: Final[dict[str, Kernel]] = {
    "_layer_norm": _layer_norm,
    "_layer_norm_backward": _layer_norm_backward,
    "_group_norm": _group_norm,
    "_group_norm_backward": _group_norm_backward,
}
