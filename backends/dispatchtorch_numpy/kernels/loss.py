"""Losses by class: picking the targets' places instead of masking the whole array."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch_numpy.kernels.bare import bare

__all__ = ["KERNELS"]


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


KERNELS: Final[dict[str, Kernel]] = {"_nll_loss": _nll_loss, "_nll_slopes": _nll_slopes, "_mse_loss": _mse_loss}
