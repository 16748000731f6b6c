"""How kernels are called on JAX: jitted once per shapes, eagerly where shapes or branches depend on values.

Must not know: which kernels there are, where arrays live.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from dispatchtorch.plugin import Kernel

__all__ = ["gathering", "or_eager", "strong"]


def strong(kernel: Kernel) -> Kernel:
    """Returns the kernel without weak dtypes in its results; costs nothing once it is traced."""

    def settled(*args: Any) -> Any:
        out = kernel(*args)
        if isinstance(out, (tuple, list)):
            return tuple([_settled(o) for o in out])
        return _settled(out)

    settled.__name__ = getattr(kernel, "__name__", "kernel")
    return settled


def _settled(out: Any) -> Any:
    return jax.lax.convert_element_type(out, out.dtype) if hasattr(out, "dtype") else jnp.asarray(out)


def or_eager(jitted: Kernel, kernel: Kernel) -> Kernel:
    """Returns the jitted kernel, which gives way to the plain one where shapes or branches depend on values."""
    run, plain = jitted, strong(kernel)

    def bound(*args: Any) -> Any:
        nonlocal run
        try:
            return run(*args)
        except (jax.errors.ConcretizationTypeError, jax.errors.NonConcreteBooleanIndexError):
            if run is plain:
                raise
            if any(isinstance(a, jax.core.Tracer) for a in jax.tree.leaves(args)):
                return plain(*args)  # within a trace numbers still have values, if the kernel asks for no array's
            run = plain
            return run(*args)

    bound.__name__ = getattr(kernel, "__name__", "kernel")
    return bound


def gathering(kernel: Callable[..., Any]) -> Kernel:
    """Returns the kernel with 0-dimensional CPU arguments first moved to where the others are, as in PyTorch."""

    def gathered(*args: Any) -> Any:
        leaves = [a for a in jax.tree.leaves(args) if isinstance(a, jax.Array) and not isinstance(a, jax.core.Tracer)]
        targets = {a.device for a in leaves if a.ndim} if len({a.device for a in leaves}) > 1 else set()
        if len(targets) == 1:
            (target,) = targets
            args = jax.tree.map(lambda a: jax.device_put(a, target) if isinstance(a, jax.Array) else a, args)
        return kernel(*args)

    gathered.__name__ = getattr(kernel, "__name__", "kernel")
    return gathered
