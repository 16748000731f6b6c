"""Division of integers, which has to refuse zero: XLA gives -1, so the divisor is looked at where there are values.

While something is traced there are none, and on an accelerator PyTorch does not look either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp

from dispatchtorch.plugin import Kernel

__all__ = ["EAGER", "KERNELS"]


def _checked(divide: Callable[[Any, Any], Any]) -> Kernel:
    """Returns the jitted division, which raises RuntimeError("ZeroDivisionError") for integers divided by zero."""

    def with_check(a: Any, b: Any) -> Any:
        out = divide(a, b)
        out = jax.lax.convert_element_type(out, out.dtype)  # a strong dtype
        return (out, jnp.any(jnp.equal(b, 0))) if jnp.issubdtype(out.dtype, jnp.integer) else (out, None)

    jitted = jax.jit(with_check)

    def kernel(a: Any, b: Any) -> Any:
        out, by_zero = jitted(a, b)
        if by_zero is None or isinstance(by_zero, jax.core.Tracer):
            return out
        if next(iter(by_zero.devices())).platform == "cpu" and by_zero:
            raise RuntimeError("ZeroDivisionError")
        return out

    return kernel


def _truncated(a: Any, b: Any) -> Any:
    quotient = jnp.floor_divide(a, b)
    if not jnp.issubdtype(quotient.dtype, jnp.integer):
        return jnp.trunc(jnp.true_divide(a, b))
    return quotient + ((quotient < 0) & (quotient * b != a)).astype(quotient.dtype)


KERNELS: Final[dict[str, Kernel]] = {
    "_div_floor": _checked(jnp.floor_divide),
    "_div_trunc": _checked(_truncated),
    "_floor_divide": _checked(jnp.floor_divide),
    "fmod": _checked(jnp.fmod),
    "remainder": _checked(jnp.remainder),
}
EAGER: Final = tuple(KERNELS.values())
