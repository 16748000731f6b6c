"""Orthogonal polynomials by XLA's own loop: their degrees are values, which a traced kernel cannot look at."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp

from dispatchtorch.plugin.numpylike.polynomials import FAMILIES, evaluate

__all__ = ["KERNELS"]


def _looped(xp: Any, x: Any, n: Any, start: tuple[Any, Any], step: Callable[..., Any]) -> Any:
    last = jnp.max(n, initial=0)

    def wanted(state: Any) -> Any:
        k, _, value, _ = state
        return (k <= last) & jnp.any((n >= k) & (value == value))

    def forward(state: Any) -> Any:
        k, before, value, out = state
        following = step(k, x, value, before)
        return k + 1, value, following, jnp.where(n >= k, following, out)

    first, second = start
    return jax.lax.while_loop(wanted, forward, (jnp.asarray(2, x.dtype), first, second, second))[3]


def _named(name: str, x: Any, n: Any) -> Any:
    return evaluate(jnp, name, x, n, _looped)


KERNELS: Final[dict[str, Callable[..., Any]]] = {
    f"_special_{prefix}{name}": functools.partial(_named, prefix + name)
    for name in FAMILIES
    for prefix in (("", "shifted_") if name.startswith("chebyshev") else ("",))
}
