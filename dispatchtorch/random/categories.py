"""Draws from a list of weights: multinomial, with and without replacement."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dispatchtorch._base.dtypes import by_name
from dispatchtorch.random.engine import Engine
from dispatchtorch.random.inversion import exponential
from dispatchtorch.random.scalars import DIGITS
from dispatchtorch.random.uniforms import in_fill_order

__all__ = ["multinomial"]


def multinomial(engine: Engine, weights: NDArray[Any], samples: int, replacement: bool = False) -> NDArray[np.int64]:
    """Return indices drawn in proportion to the weights, of one row (n,) or of each row of (rows, n)."""
    _check(weights, samples, replacement)
    shape = (*weights.shape[:-1], samples)
    if not weights.size:
        return np.empty(shape, np.int64)
    if replacement and samples > 1:
        return _with_replacement(engine, np.atleast_2d(weights), samples).reshape(shape)
    return _race(engine, weights, samples)


def _check(weights: NDArray[Any], samples: int, replacement: bool) -> None:
    if not 0 < weights.ndim <= 2:
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if weights.dtype.name not in DIGITS:
        legacy = by_name(weights.dtype.name).legacy
        raise RuntimeError(f"multinomial only supports floating-point dtypes for input, got: {legacy}")
    if samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if not replacement and samples > weights.shape[-1]:
        raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    if weights.shape[-1] > 1 << 24:
        raise RuntimeError("number of categories cannot exceed 2^24")


def _with_replacement(engine: Engine, weights: NDArray[Any], samples: int) -> NDArray[np.int64]:
    rows = weights if weights.dtype == np.float64 else weights.astype(np.float32)
    out = np.empty((len(rows), samples), np.int64)
    for row, target in zip(rows, out):
        if not bool((row >= 0).all()):
            raise RuntimeError("invalid multinomial distribution (encountering probability entry < 0)")
        if not bool(np.isfinite(row).all()):
            raise RuntimeError("invalid multinomial distribution (encountering probability entry = infinity or NaN)")
        ladder = np.add.accumulate(row)
        if not ladder[-1] > 0:
            raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
        ladder /= ladder[-1]
        ladder[-1] = 1
        target[...] = np.searchsorted(ladder.astype(np.float64), engine.doubles(samples), side="left")
    return out


def _race(engine: Engine, weights: NDArray[Any], samples: int) -> NDArray[np.int64]:
    """Return the winners of a race: weight over waiting time, the largest first."""
    values = weights.astype(np.float32) if weights.dtype.itemsize == 2 else weights
    if not bool(((values < np.inf) & (values >= 0)).all()):
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if bool((values.sum(-1) == 0).any()):
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    waits = in_fill_order(weights.shape, weights.strides, lambda shape: exponential(engine, shape, weights.dtype.name))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        speed = weights / waits
    if samples == 1:
        winner: NDArray[np.int64] = np.argmax(speed, axis=-1, keepdims=True)
        return winner
    order: NDArray[np.int64] = np.argsort(-speed, axis=-1, kind="stable")
    return order[..., :samples].copy()
