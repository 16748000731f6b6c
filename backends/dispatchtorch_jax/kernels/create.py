"""New arrays, copies and casts. A copy of an immutable array is the array; a cast wraps around as C's does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp

__all__ = ["EAGER", "KERNELS"]


def _clone(a: Any) -> Any:
    return a


def _arange(start: Any, step: Any, count: int, dtype: Any) -> Any:
    exact = jnp.result_type(start, step)
    exact = jnp.int64 if jnp.issubdtype(exact, jnp.integer) else jnp.float64
    return (jnp.arange(count, dtype=exact) * jnp.asarray(step, exact) + jnp.asarray(start, exact)).astype(dtype)


def cast(a: Any, dtype: Any) -> Any:
    """Returns the values in another dtype; XLA alone would clamp a float that a small int cannot hold."""
    kind = jnp.dtype(dtype).kind
    if a.dtype.kind == "c" and kind not in "cb":
        a = a.real
    if jnp.dtype(dtype).name == "float8_e4m3fn" and a.dtype != dtype:  # it has no infinity: too large is the largest
        return jnp.clip(a.astype(jnp.float32), -448.0, 448.0).astype(dtype)
    if kind not in "iu" or not jnp.issubdtype(a.dtype, jnp.floating):
        return a.astype(dtype)
    if jnp.dtype(dtype).itemsize < 4:
        return cast(a, jnp.int32).astype(dtype)  # wraps around, as the machine's conversion through a wider int does
    if dtype == jnp.uint32:
        return cast(a, jnp.int64).astype(dtype)
    if kind == "u":
        return a.astype(dtype)
    low = -(2 ** (8 * jnp.dtype(dtype).itemsize - 1))
    fits = (a >= low) & (a < -float(low))
    return jnp.where(fits, a, 0).astype(dtype) + jnp.where(fits, 0, low).astype(dtype)  # not a number, too big: lowest


def _copy(a: Any, source: Any) -> Any:
    return jnp.broadcast_to(cast(source, a.dtype), a.shape)


KERNELS: Final[dict[str, Callable[..., Any]]] = {
    "_arange": _arange,
    "_cast": cast,
    "_clone": _clone,
    "_complex": jax.lax.complex,
    "_copy": _copy,
}
EAGER: Final = (_clone,)
