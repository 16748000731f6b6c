"""Products with a transposed left factor: on the CPU the factor is transposed first.

XLA's fast product wants the left factor's rows in a run of neighbours. Left to itself it folds a transposition into the
product, which then takes a path that is up to twice as slow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import jax.numpy as jnp

from dispatchtorch_jax.kernels.apart import apart

__all__ = ["KERNELS", "transposed"]


def transposed(a: Any) -> Any:
    """Returns the array with its last two dimensions exchanged, on the CPU as one that is there and not folded away."""
    return apart(jnp.matrix_transpose, a)


def _matmul_tn(a: Any, b: Any) -> Any:
    return jnp.matmul(transposed(a) if a.ndim == 2 else jnp.swapaxes(a, -1, -2), b)


def _fold_tn(a: Any, b: Any) -> Any:
    rows = math.prod(a.shape[:-1])
    return _matmul_tn(a.reshape(rows, a.shape[-1]), b.reshape(rows, b.shape[-1]))


KERNELS: Final[dict[str, Callable[..., Any]]] = {"_fold_tn": _fold_tn, "_matmul_tn": _matmul_tn}
