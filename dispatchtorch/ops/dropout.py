"""Dropout in all its forms: a mask from torch's stream, and a product.

The mask is drawn on the host and laid onto the backend of what it multiplies; derivatives are those of the product.
"""

from __future__ import annotations

import math
from typing import Any, Final

from dispatchtorch.batching.levels import LEVELS
from dispatchtorch.batching.randomness import drawn
from dispatchtorch.dispatch.table import METHODS, composite
from dispatchtorch.dispatch.tracing import drawn_on_host
from dispatchtorch.random import streams
from dispatchtorch.random.generator import default_generator
from dispatchtorch.tensor.lens import contiguous_strides
from dispatchtorch.tensor.tensor import Tensor, lens_of, wrap

__all__ = ["alpha_dropout", "dropout", "feature_alpha_dropout", "feature_dropout", "mask"]

_ALPHA: Final = 1.7580993408473766  # scale * alpha of selu: what a dropped unit becomes, negated


def mask(input: Tensor, p: float, *, channels: bool = False) -> Tensor:
    """Returns what dropout multiplies ``input`` by: 0 with probability ``p``, else 1 / (1 - p); one a channel if so."""
    key = input._key
    shape = tuple(input._a.shape)
    engine = default_generator.engine
    if channels:
        if len(shape) < 2:
            raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
        shape = (*shape[:2], *(1 for _ in shape[2:]))
    if LEVELS.stack:
        return drawn(key, shape, lambda s: streams.dropout_noise(engine, s, key.dtype.name, p))
    strides = contiguous_strides(shape) if channels else lens_of(input).strides

    def noise() -> Any:
        if strides == contiguous_strides(shape):
            return streams.dropout_noise(engine, shape, key.dtype.name, p)
        return streams.in_fill_order(shape, strides, lambda s: streams.dropout_noise(engine, s, key.dtype.name, p))

    return wrap(drawn_on_host(noise, key.backend, str(key.device)), key.fresh(not shape))


def _check(p: float) -> None:
    if not 0 <= p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p:g}")


def _write(input: Tensor, result: Tensor) -> Tensor:
    return METHODS["copy_"](input, result)  # type: ignore[no-any-return]  # an entry of the table


@composite()
def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Returns the input with each element zeroed with probability ``p`` and the rest scaled up, in training."""
    _check(p)
    if p == 0 or not train or not input._a.size:
        return input
    return input * mask(input, p)


@composite()
def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Returns the input with whole channels zeroed with probability ``p``, in training."""
    _check(p)
    if p == 0 or not train or not input._a.size:
        return input
    return input * mask(input, p, channels=True)


def _alpha(input: Tensor, p: float, train: bool, channels: bool) -> Tensor:
    _check(p)
    if p == 0 or not train or not input._a.size:
        return input
    if p == 1:
        return input * mask(input, 1.0, channels=channels)
    a = 1.0 / math.sqrt((_ALPHA * _ALPHA * p + 1) * (1 - p))
    kept = (mask(input, p, channels=channels) != 0).to(input._key.dtype)
    shift = (kept - 1) * (_ALPHA * a) + _ALPHA * a * p
    return input * (kept * a) + shift


@composite()
def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Returns the input with elements set to selu's saturation, mean and variance kept, in training."""
    return _alpha(input, p, train, channels=False)


@composite()
def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Returns the input with whole channels set to selu's saturation, in training."""
    return _alpha(input, p, train, channels=True)


@composite()
def dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """Writes the dropout of the tensor into it and returns it."""
    _check(p)
    if p == 0 or not train or not input._a.size:
        return input
    return input.mul_(mask(input, p))


@composite()
def feature_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """Writes the channel dropout of the tensor into it and returns it."""
    _check(p)
    if p == 0 or not train or not input._a.size:
        return input
    return input.mul_(mask(input, p, channels=True))


@composite()
def alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """Writes the alpha dropout of the tensor into it and returns it."""
    return _write(input, alpha_dropout(input, p, train)) if train and p else input


@composite()
def feature_alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """Writes the channel alpha dropout of the tensor into it and returns it."""
    return _write(input, feature_alpha_dropout(input, p, train)) if train and p else input
