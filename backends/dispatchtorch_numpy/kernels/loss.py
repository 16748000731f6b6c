"""Losses by class: picking the targets' places instead of masking the whole array."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch_numpy.kernels.bare import bare, rowwise
from dispatchtorch_numpy.kernels.ones import ones

__all__ = ["KERNELS"]

BLOCK: Final = 1 << 16  # elements
_top: Final[Any] = np.maximum.reduce  # arguments by position, which numpy's annotations do not know


def _places(target: Any, ignore_index: int) -> tuple[Any, Any]:
    """Returns the targets with ignored ones as class 0, and where those are (None: nowhere)."""
    ignored = target == ignore_index
    if not ignored.any():
        return target, None
    return np.where(ignored, 0, target), ignored


def _weights(like: Any, places: Any, ignored: Any, weight: Any) -> Any:
    """Returns each place's weight, 0 where it is ignored; None where all are 1."""
    if weight is None and ignored is None:
        return None
    weights = np.ones(places.shape, like.dtype) if weight is None else weight[places]
    return weights if ignored is None else np.where(ignored, 0, weights).astype(like.dtype, copy=False)


def _picked(a: Any, places: Any) -> Any:
    if a.ndim == 1:
        return a[places]
    if a.ndim == 2:
        return a[np.arange(a.shape[0]), places]
    return np.take_along_axis(a, np.expand_dims(places, 1), 1)[:, 0]


def _nll_loss(input: Any, target: Any, reduction: str, ignore_index: int, weight: Any) -> Any:
    places, ignored = _places(target if input.ndim > 1 else target.reshape(()), ignore_index)
    weights = _weights(input, places, ignored, weight)
    picked = _picked(input, places)
    if weights is not None:
        picked = np.where(weights == 0, 0, picked * weights)
    if reduction == "none":
        return np.negative(picked)
    total = np.asarray(picked).sum(dtype=input.dtype)
    if reduction == "mean":
        total = total / (places.size if weights is None else np.asarray(weights).sum(dtype=input.dtype))
    return np.asarray(-total, dtype=input.dtype)


def _nll_slopes(target: Any, like: Any, reduction: str, ignore_index: int, weight: Any) -> Any:
    places, ignored = _places(target if like.ndim > 1 else target.reshape(()), ignore_index)
    weights = _weights(like, places, ignored, weight)
    values = like.dtype.type(1) if weights is None else weights
    if reduction == "mean":
        values = values / (places.size if weights is None else np.asarray(weights).sum(dtype=like.dtype))
    out = np.zeros(like.shape, like.dtype)
    if like.ndim == 1:
        out[places] = -values
    elif like.ndim == 2:
        out[np.arange(like.shape[0]), places] = -values
    else:
        spread = np.expand_dims(np.broadcast_to(-values, places.shape), 1)
        np.put_along_axis(out, np.expand_dims(places, 1), spread, 1)
    return out


@bare
def _mse_loss(input: Any, target: Any, reduction: str) -> Any:
    far = np.asarray(input - target)
    if reduction == "none":
        return np.multiply(far, far, out=far)
    flat = far.reshape(-1)
    if far.dtype.itemsize < 4:
        flat = flat.astype(np.float32)
    total = flat.dot(flat)
    if reduction == "mean":
        total = total / far.size if far.size else np.nan
    return np.asarray(total, dtype=far.dtype)


def _mean_squared_error(input: Any, target: Any) -> Any:
    return _mse_loss(input, target, "mean")


def _mean_slope(a: Any, b: Any, g: Any) -> Any:
    share = g * (2 / max(a.size, 1))
    if a.dtype.itemsize < 4 or not a.ndim:
        return (a - b) * share
    out = np.subtract(a, b)
    return np.multiply(out, share, out)


# --- cross entropy ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _starts(rows: int, width: int) -> Any:
    """Returns where each row begins in the flattened order."""
    return np.arange(0, rows * width, width)


@rowwise
def _cross_entropy(x: Any, target: Any, reduction: str, ignore_index: int, weight: Any) -> tuple[Any, Any]:
    rows, classes = x.shape
    if not x.size:
        logs = np.empty(x.shape, x.dtype)
        return np.asarray(_nll_loss(logs, target, reduction, ignore_index, weight), x.dtype), logs
    places, ignored = _places(target, ignore_index)
    soft, losses = np.empty((rows, classes), x.dtype), np.empty(rows, x.dtype)
    at, row = _starts(rows, classes) + places, ones(classes, x.dtype)
    step = max(1, BLOCK // classes)
    for start in range(0, rows, step):
        part = slice(start, start + step)
        here = soft[part]
        np.subtract(x[part], _top(x[part], 1, None, None, True), here)
        picked = soft.take(at[part])  # in the flattened order
        np.exp(here, here)
        sums = here.dot(row)
        np.divide(here, sums[:, None], here)
        np.subtract(np.log(sums, sums), picked, losses[part])
    weights = _weights(x, places, ignored, weight)
    if weights is not None:
        losses = np.where(weights == 0, 0, losses * weights)
    if reduction == "none":
        return losses, soft
    total = losses.sum()
    if reduction == "mean":
        total = total / (rows if weights is None else weights.sum())
    return np.asarray(total, dtype=x.dtype), soft


def _cross_entropy_backward(g: Any, soft: Any, target: Any, reduction: str, ignore_index: int, weight: Any) -> Any:
    rows = len(soft)
    places, ignored = _places(target, ignore_index)
    weights = _weights(soft, places, ignored, weight)
    if weights is None:
        shares = g / rows if reduction == "mean" else g
        shares = shares.astype(soft.dtype, copy=False)
        out = soft * (shares if reduction != "none" else shares[:, None])
    else:
        shares = (weights / weights.sum() if reduction == "mean" else weights) * g
        out = soft * shares[:, None]
        if ignored is not None:
            out[ignored] = 0
    flat = out.reshape(-1)
    flat[_starts(rows, out.shape[1]) + places] -= shares
    return out


_ALL: Final = (
    *(_nll_loss, _nll_slopes, _mse_loss, _mean_squared_error, _mean_slope),
    *(_cross_entropy, _cross_entropy_backward),
)
KERNELS: Final[dict[str, Kernel]] = {kernel.__name__: kernel for kernel in _ALL}
