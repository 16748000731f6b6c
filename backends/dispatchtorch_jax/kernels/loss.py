"""The likelihood of classes by one look-up a row, and its slopes by one comparison an element, in 32 bits.

A class that does not exist, which eager calls refuse, gives NaN in a program.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jax.numpy as jnp
from jax import lax

__all__ = ["KERNELS"]


def _rows(target: Any, weight: Any, ignore_index: int, dtype: Any) -> tuple[Any, Any]:
    """Returns each row's class, -1 where it is to be ignored, and its weight."""
    kept = target != ignore_index
    classes = jnp.where(kept, target, -1).astype(jnp.int32)
    weights = 1 if weight is None else jnp.take(weight, jnp.maximum(classes, 0), mode="fill")
    return classes, jnp.where(kept, jnp.asarray(weights, dtype), jnp.zeros((), dtype))


def _nll_loss(input: Any, target: Any, reduction: str, ignore_index: int, weight: Any) -> Any:
    dim = 1 if input.ndim > 1 else 0
    classes, weights = _rows(target.reshape(()) if dim == 0 else target, weight, ignore_index, input.dtype)
    place = jnp.expand_dims(jnp.maximum(classes, 0), dim)
    found = jnp.squeeze(jnp.take_along_axis(input, place, axis=dim, mode="fill"), dim)
    loss = -jnp.where(weights != 0, found, 0) * weights
    if reduction == "none":
        return loss
    total = jnp.sum(loss)
    return total / jnp.sum(weights) if reduction == "mean" else total


def _nll_slopes(target: Any, like: Any, reduction: str, ignore_index: int, weight: Any) -> Any:
    dim = 1 if like.ndim > 1 else 0
    classes, weights = _rows(target.reshape(()) if dim == 0 else target, weight, ignore_index, like.dtype)
    slopes = -weights / jnp.sum(weights) if reduction == "mean" else -weights
    places = lax.broadcasted_iota(jnp.int32, like.shape, dim)
    hit = places == jnp.expand_dims(classes, dim)
    return jnp.where(hit, jnp.expand_dims(slopes, dim), jnp.zeros((), like.dtype))


KERNELS: Final[dict[str, Callable[..., Any]]] = {"_nll_loss": _nll_loss, "_nll_slopes": _nll_slopes}
