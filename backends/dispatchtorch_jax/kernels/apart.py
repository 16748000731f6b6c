"""Work that XLA is to do where it stands, and not once more inside everything that needs it.

XLA's CPU compiler makes one loop of whatever cheap operations lead to an array, for each of the array's users anew.
Where a user reads it in another order or several times, that loop is slower than all of its parts: a normalisation,
recomputed while it is transposed, took five times as long, and a sum of 25 products, under a pool, ninety times. Here
are calls that are not inlined: what goes in and what comes out are arrays. On accelerators nothing is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax.experimental import xla_metadata

__all__ = ["apart", "turned"]

_marked: Final[Any] = xla_metadata.set_xla_metadata  # untyped in JAX


def apart(function: Callable[..., Any], *arrays: Any) -> Any:
    """Returns ``function(*arrays)``, on the CPU computed on its own."""
    if jax.default_backend() != "cpu":
        return function(*arrays)

    def inside(*given: Any) -> Any:
        with _marked(inlineable=None):  # calls within the call are inlined as always
            return function(*given)

    inside.__name__ = getattr(function, "__name__", "apart")
    with _marked(inlineable="false"):
        return jax.jit(inside)(*arrays)


def _turn(a: Any) -> Any:
    return jnp.swapaxes(a, 0, -1)


def turned(a: Any) -> Any:
    """Returns the array with its first and last dimensions exchanged."""
    return apart(_turn, a)
