"""Factorisations by XLA, with ``info`` as LAPACK has it; what JAX has not, on the host.

Outside a trace the values are there, so a matrix that failed is looked at again on the host; inside one, ``info`` says
what the result shows.
"""

from __future__ import annotations

from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from dispatchtorch.plugin import Kernel, bunch_kaufman
from dispatchtorch.plugin.numpylike.factors import halvings, quotient

__all__ = ["EAGER", "KERNELS"]


def _first_zero(packed: Any) -> Any:
    zero = jnp.diagonal(packed, axis1=-2, axis2=-1) == 0
    if not zero.shape[-1]:
        return jnp.zeros(packed.shape[:-2], jnp.int32)
    return jnp.where(zero.any(-1), jnp.argmax(zero, -1) + 1, 0).astype(jnp.int32)


def _lu_factor(a: Any) -> tuple[Any, Any, Any]:
    """Returns packed factors, pivots from 1, and which pivot is zero first, from 1, or 0."""
    if 0 in a.shape:
        k = min(a.shape[-2:])
        return a, jnp.zeros((*a.shape[:-2], k), jnp.int32), jnp.zeros(a.shape[:-2], jnp.int32)
    packed, pivots, _ = jax.lax.linalg.lu(a)
    return packed, (pivots + 1).astype(jnp.int32), _first_zero(packed)


def _lu_rows(pivots: Any, rows: int) -> Any:
    """Returns the order of rows that swaps one after the other lead to."""
    if 0 in pivots.shape or not rows:
        return jnp.broadcast_to(jnp.arange(rows), (*pivots.shape[:-1], rows))
    return jax.lax.linalg.lu_pivots_to_permutation(pivots.astype(jnp.int32) - 1, rows).astype(jnp.int64)


def _solve(a: Any, b: Any) -> tuple[Any, Any]:
    """Returns ``x`` with ``a @ x = b``, and which pivot is zero; inf and nan where one is."""
    batch = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    if 0 in a.shape or 0 in b.shape or 0 in batch:
        return jnp.zeros((*batch, *b.shape[-2:]), a.dtype), jnp.zeros(a.shape[:-2], jnp.int32)
    packed, _, order = jax.lax.linalg.lu(a)
    info = _first_zero(packed)
    packed = jnp.broadcast_to(packed, (*batch, *a.shape[-2:]))
    order = jnp.broadcast_to(order, (*batch, order.shape[-1]))
    x = jnp.take_along_axis(jnp.broadcast_to(b, (*batch, *b.shape[-2:])), order[..., None], axis=-2)
    x = jax.lax.linalg.triangular_solve(packed, x, left_side=True, lower=True, unit_diagonal=True)
    return jax.lax.linalg.triangular_solve(packed, x, left_side=True, lower=False), info


def _inv(a: Any) -> tuple[Any, Any]:
    """Returns inverses and which pivot is zero."""
    return _solve(a, jnp.broadcast_to(jnp.eye(a.shape[-1], dtype=a.dtype), a.shape))


def _solve_triangular(a: Any, b: Any, upper: bool, unitriangular: bool) -> Any:
    """Returns ``x`` with ``a @ x = b``, reading one triangle of ``a``."""
    batch = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    kind = jnp.result_type(a, b)
    a = jnp.broadcast_to(a, (*batch, *a.shape[-2:])).astype(kind)
    b = jnp.broadcast_to(b, (*batch, *b.shape[-2:])).astype(kind)
    if 0 in a.shape or 0 in b.shape:
        return b
    return jax.lax.linalg.triangular_solve(a, b, left_side=True, lower=not upper, unit_diagonal=unitriangular)


@jax.jit
def _factor_definite(a: Any) -> Any:
    return jnp.linalg.cholesky(a, symmetrize_input=False)


def _order_on_host(a: Any) -> int:
    """Returns the order of the first leading minor that is not positive, found by bisection, or 0."""
    n = len(a)
    for k in range(1, n + 1):
        try:
            np.linalg.cholesky(a[:k, :k])
        except np.linalg.LinAlgError:
            return k
    return 0


def _cholesky(a: Any) -> tuple[Any, Any]:
    """Returns lower Cholesky factors, and the order of the first minor that is not positive."""
    if 0 in a.shape:
        return a, jnp.zeros(a.shape[:-2], jnp.int32)
    low = _factor_definite(a)
    bad = jnp.isnan(low).any((-2, -1))
    if isinstance(bad, jax.core.Tracer) or not bool(bad.any()):
        return low, bad.astype(jnp.int32)
    host, info = np.asarray(a), np.zeros(a.shape[:-2], np.int32)
    for i in zip(*np.nonzero(np.asarray(bad)), strict=True) if bad.ndim else ((),):
        info[i] = _order_on_host(host[i])
    return low, jnp.asarray(info)


def _eig(a: Any) -> tuple[Any, Any]:
    """Returns complex eigenvalues and eigenvectors; LinAlgError where the matrix is not finite."""
    if isinstance(a, jax.core.Tracer):
        values, vectors = jnp.linalg.eig(a)
        return values, vectors
    found = np.linalg.eig(np.asarray(a))
    kind = jnp.result_type(a.dtype, jnp.complex64)
    return jnp.asarray(found.eigenvalues.astype(kind)), jnp.asarray(found.eigenvectors.astype(kind))


def _ldl_factor(a: Any, hermitian: bool) -> tuple[Any, Any, Any]:
    """Returns packed factors, pivots and info, made on the host."""
    packed, pivots, info = bunch_kaufman.factor(np.asarray(a), hermitian)
    return jnp.asarray(packed), jnp.asarray(pivots), jnp.asarray(info)


def _ldl_solve(packed: Any, pivots: Any, b: Any, hermitian: bool) -> Any:
    """Returns the solution, made on the host."""
    return jnp.asarray(bunch_kaufman.solve(np.asarray(packed), np.asarray(pivots), np.asarray(b), hermitian))


def _matrix_exp(a: Any) -> Any:
    """Returns exponentials of matrices; how often to square is known when it runs, not when it is traced."""
    if 0 in a.shape:
        return a
    wide = a.astype(jnp.result_type(a.dtype, jnp.float64))
    times = halvings(jnp, wide)
    x = quotient(jnp, wide * 0.5**times)
    most = jnp.max(times).astype(jnp.int32)
    return jax.lax.fori_loop(0, most, lambda i, x: jnp.where(i < times, x @ x, x), x).astype(a.dtype)


KERNELS: Final[dict[str, Kernel]] = {
    "_cholesky": _cholesky,
    "_eig": _eig,
    "_inv": _inv,
    "_ldl_factor": _ldl_factor,
    "_ldl_solve": _ldl_solve,
    "_lu_factor": _lu_factor,
    "_lu_rows": _lu_rows,
    "_matrix_exp": _matrix_exp,
    "_solve": _solve,
    "_solve_triangular": _solve_triangular,
}
EAGER: Final = (_cholesky, _eig, _ldl_factor, _ldl_solve)
