"""Products of matrices over an array-API namespace. Factorisations are in `factors`."""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch.plugin.numpylike import kernel
from dispatchtorch.plugin.numpylike.halves import is_half

Array = Any


@kernel
def matmul(xp: Any, a: Array, b: Array) -> Array:
    """Returns the product of two arrays of any ranks; a batch times one matrix is one product."""
    if a.ndim > 2 and b.ndim == 2 and a.shape[-1] == b.shape[0]:
        rows = math.prod(a.shape[:-1])
        return xp.reshape(xp.matmul(xp.reshape(a, (rows, a.shape[-1])), b), a.shape[:-1] + b.shape[1:])
    return xp.matmul(a, b)


@kernel
def _bmm(xp: Any, a: Array, b: Array) -> Array:
    """Returns the products of matching matrices."""
    return xp.matmul(a, b)


@kernel
def _matmul_nt(xp: Any, a: Array, b: Array) -> Array:
    """Returns ``a @ b.mT``."""
    return matmul(xp, a, xp.swapaxes(b, -1, -2))


@kernel
def _matmul_tn(xp: Any, a: Array, b: Array) -> Array:
    """Returns ``a.mT @ b``."""
    return xp.matmul(xp.swapaxes(a, -1, -2), b)


@kernel
def _fold_tn(xp: Any, a: Array, b: Array) -> Array:
    """Returns ``a.T @ b`` with all dimensions but the last made one."""
    rows = math.prod(a.shape[:-1])
    return xp.matmul(xp.reshape(a, (rows, a.shape[-1])).T, xp.reshape(b, (rows, b.shape[-1])))


@kernel
def _linear(xp: Any, x: Array, weight: Array, bias: Array | None) -> Array:
    """Returns ``x @ weight.T + bias``."""
    out = matmul(xp, x, weight.T)
    return out if bias is None else out + bias


@kernel
def _sum_rows(xp: Any, g: Array) -> Array:
    """Returns the sum over all dimensions but the last."""
    axes = tuple(range(g.ndim - 1))
    return xp.sum(g.astype(xp.float32), axis=axes).astype(g.dtype) if is_half(g) else xp.sum(g, axis=axes)
