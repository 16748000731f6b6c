"""Products and decompositions of matrices over an array-API namespace."""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch.plugin.numpylike import kernel

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
def _inv(xp: Any, a: Array) -> Array:
    """Returns inverses."""
    return xp.linalg.inv(a)


@kernel
def _det(xp: Any, a: Array) -> Array:
    """Returns determinants."""
    return xp.linalg.det(a)


@kernel
def _slogdet(xp: Any, a: Array) -> tuple[Array, Array]:
    """Returns signs and logarithms of absolute determinants."""
    sign, logabs = xp.linalg.slogdet(a)
    return sign, logabs


@kernel
def _solve(xp: Any, a: Array, b: Array) -> Array:
    """Returns ``x`` with ``a @ x = b``, for matrices ``b``."""
    batch = tuple(xp.broadcast_shapes(a.shape[:-2], b.shape[:-2]))
    a, b = xp.broadcast_to(a, batch + a.shape[-2:]), xp.broadcast_to(b, batch + b.shape[-2:])
    return xp.linalg.solve(a, b)


@kernel
def _solve_triangular(xp: Any, a: Array, b: Array, upper: bool, unitriangular: bool) -> Array:
    """Returns ``x`` with ``a @ x = b``, reading one triangle of ``a``."""
    a = xp.triu(a) if upper else xp.tril(a)
    if unitriangular:
        eye = xp.eye(a.shape[-1], dtype=a.dtype)
        a = a * (1 - eye) + eye
    return _solve(xp, a, b)


@kernel
def _cholesky(xp: Any, a: Array) -> Array:
    """Returns lower Cholesky factors, reading the lower triangle."""
    low = xp.tril(a)
    strict = xp.tril(a, -1)
    return xp.linalg.cholesky(low + xp.swapaxes(xp.conj(strict), -1, -2))


@kernel
def _qr(xp: Any, a: Array, complete: bool) -> tuple[Array, Array]:
    """Returns orthonormal and upper triangular factors."""
    q, r = xp.linalg.qr(a, mode="complete" if complete else "reduced")
    return q, r


@kernel
def _svd(xp: Any, a: Array, full: bool) -> tuple[Array, Array, Array]:
    """Returns left singular vectors, singular values in decreasing order, right singular vectors as rows."""
    u, s, vh = xp.linalg.svd(a, full_matrices=full)
    return u, s, vh


@kernel
def _eigh(xp: Any, a: Array, upper: bool) -> tuple[Array, Array]:
    """Returns eigenvalues in increasing order and eigenvectors as columns, reading one triangle."""
    if upper:
        a = xp.conj(xp.swapaxes(a, -1, -2))
    values, vectors = xp.linalg.eigh(a)
    return values, vectors
