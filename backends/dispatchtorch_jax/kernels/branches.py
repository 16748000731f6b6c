"""Complex roots and inverse functions on their branch cuts, whose side the sign of a zero decides: XLA drops that sign.

Values are taken from the quarter of the plane that has no such zeros and mirrored back. Real arguments go straight
to JAX.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp

__all__ = ["KERNELS"]


def _mirrored(function: Callable[[Any], Any], *, odd: bool) -> Callable[[Any], Any]:
    """Returns the function by ``f(conj z) = conj f(z)``, where it is odd also by ``f(-z) = -f(z)``."""

    def kernel(a: Any) -> Any:
        if not jnp.issubdtype(a.dtype, jnp.complexfloating):
            return function(a)
        real, imag = jnp.real(a), jnp.imag(a)
        value = function(jax.lax.complex(jnp.abs(real) if odd else real, jnp.abs(imag)))
        x, y = jnp.real(value), jnp.imag(value)
        if odd:  # these keep to the quarter
            return jax.lax.complex(jnp.copysign(x, real), jnp.copysign(y, imag))
        return jax.lax.complex(x, jnp.where(jnp.signbit(imag), -y, y))

    kernel.__name__ = function.__name__
    return kernel


_root: Final = _mirrored(jnp.sqrt, odd=False)


def _rsqrt(a: Any) -> Any:
    return jnp.reciprocal(_root(a))


def _square_or_power(a: Any, b: Any) -> Any:
    """Returns powers by a number; complex squares by multiplication, since XLA's logarithm is not exact."""
    if not jnp.issubdtype(a.dtype, jnp.complexfloating):
        return jnp.power(a, b)
    return jnp.where(b == 2, a * a, jnp.power(a, b))


KERNELS: Final[dict[str, Callable[..., Any]]] = {
    "_pow_number": _square_or_power,
    "acos": _mirrored(jnp.arccos, odd=False),
    "acosh": _mirrored(jnp.arccosh, odd=False),
    "asin": _mirrored(jnp.arcsin, odd=True),
    "asinh": _mirrored(jnp.arcsinh, odd=True),
    "atan": _mirrored(jnp.arctan, odd=True),
    "atanh": _mirrored(jnp.arctanh, odd=True),
    "rsqrt": _rsqrt,
    "sqrt": _root,
}
