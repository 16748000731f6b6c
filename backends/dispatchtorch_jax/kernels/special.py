"""Special functions and activations that JAX has in the argument's own precision."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp

from dispatchtorch.plugin.numpylike.halves import in_float32

__all__ = ["KERNELS"]


def _digamma(a: Any) -> Any:
    return jnp.where(a == 0, jnp.copysign(jnp.asarray(jnp.inf, a.dtype), -a), jax.lax.digamma(a))


def _normal_share(a: Any) -> Any:
    return 0.5 * (1 + jax.lax.erf(a * math.sqrt(0.5)))


def _gelu(a: Any, approximate: str) -> Any:
    return a * _normal_share(a) if approximate == "none" else jax.nn.gelu(a, approximate=True)


def _gelu_backward(g: Any, a: Any, approximate: str) -> Any:
    if approximate == "none":
        return g * (_normal_share(a) + a * jnp.exp(a * a * -0.5) * (1 / math.sqrt(2 * math.pi)))
    beta, kappa = math.sqrt(2 / math.pi), 0.044715
    t = jnp.tanh(beta * (a + kappa * a * a * a))
    return g * (0.5 * (1 + t) + 0.5 * a * (1 - t * t) * (beta * (1 + 3 * kappa * a * a)))


def _in_float32(kernel: Callable[..., Any]) -> Callable[..., Any]:
    shared = in_float32(lambda _, *args: kernel(*args))
    return lambda *args: shared(jnp, *args)


KERNELS: Final[dict[str, Callable[..., Any]]] = {
    "_gelu": _in_float32(_gelu),
    "_gelu_backward": _in_float32(_gelu_backward),
    "digamma": _digamma,
    "erf": jax.lax.erf,
    "erfc": jax.lax.erfc,
    "erfinv": jax.lax.erf_inv,
}
