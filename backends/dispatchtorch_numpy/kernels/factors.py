"""Factorisations by LAPACK, through numpy where numpy has them, else eliminated here, column by column over the batch.

numpy raises for a singular or indefinite matrix and does not say which; then each is looked at again, for ``info``.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel, bunch_kaufman

__all__ = ["KERNELS"]


def _size(x: Any) -> Any:
    """Returns how large elements are, for choosing among them, as LAPACK measures it."""
    return abs(x.real) + abs(x.imag) if x.dtype.kind == "c" else abs(x)


def _lu_factor(a: Any) -> tuple[Any, Any, Any]:
    """Returns packed factors, pivots from 1, and which pivot is zero first, from 1, or 0."""
    m, n = a.shape[-2:]
    k, batch = min(m, n), a.shape[:-2]
    x = a.reshape(-1, m, n).copy() if a.size else np.zeros((int(np.prod(batch)), m, n), a.dtype)
    matrices = np.arange(len(x))
    pivots = np.empty((len(x), k), np.int32)
    with np.errstate(all="ignore"):
        for j in range(k):
            p = _size(x[:, j:, j]).argmax(-1) + j
            pivots[:, j] = p + 1
            row = x[matrices, p]
            x[matrices, p] = x[:, j]
            x[:, j] = row
            pivot = row[:, j, None]
            x[:, j + 1 :, j] /= np.where(pivot == 0, 1, pivot)
            x[:, j + 1 :, j + 1 :] -= x[:, j + 1 :, j, None] * row[:, None, j + 1 :]
    zero = np.diagonal(x, axis1=-2, axis2=-1) == 0
    info = np.where(zero.any(-1), zero.argmax(-1) + 1, 0) if k else np.zeros(len(x))
    return x.reshape(a.shape), pivots.reshape(*batch, k), info.astype(np.int32).reshape(batch)


def _lu_rows(pivots: Any, rows: int) -> Any:
    """Returns the order of rows that swaps one after the other lead to."""
    flat = pivots.reshape(-1, pivots.shape[-1]) if pivots.size else np.zeros((int(np.prod(pivots.shape[:-1])), 0), int)
    order = np.tile(np.arange(rows), (len(flat), 1))
    matrices = np.arange(len(flat))
    for j in range(flat.shape[-1]):
        p = flat[:, j] - 1
        order[:, j], order[matrices, p] = order[matrices, p], order[:, j].copy()
    return order.reshape(*pivots.shape[:-1], rows)


def _regular(a: Any) -> tuple[Any, Any, Any]:
    info = _lu_factor(a)[2]
    bad = (info != 0)[..., None, None]
    return np.where(bad, np.eye(a.shape[-1], dtype=a.dtype), a), info, bad


def _inv(a: Any) -> tuple[Any, Any]:
    """Returns inverses and which pivot is zero; inf where one is."""
    try:
        return np.linalg.inv(a), np.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        regular, info, bad = _regular(a)
        return np.where(bad, np.inf, np.linalg.inv(regular)).astype(a.dtype), info


def _solve(a: Any, b: Any) -> tuple[Any, Any]:
    """Returns ``x`` with ``a @ x = b``, for matrices ``b``, and which pivot is zero; inf where one is."""
    try:
        return np.linalg.solve(a, b), np.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        regular, info, bad = _regular(a)
        return np.where(bad, np.inf, np.linalg.solve(regular, b)).astype(a.dtype), info


def _solve_triangular(a: Any, b: Any, upper: bool, unitriangular: bool) -> Any:
    """Returns ``x`` with ``a @ x = b``, reading one triangle of ``a``."""
    a = np.triu(a) if upper else np.tril(a)
    if unitriangular:
        diagonal = np.arange(a.shape[-1])
        a[..., diagonal, diagonal] = 1
    try:
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError:  # a zero on the diagonal
        return _substitute(a, b, upper)


def _substitute(a: Any, b: Any, upper: bool) -> Any:
    """Returns the solution row by row, with inf and nan where a zero divides."""
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    kind = np.result_type(a, b)
    x = np.broadcast_to(b, (*batch, *b.shape[-2:])).astype(kind)
    n = a.shape[-1]
    with np.errstate(all="ignore"):
        for i in reversed(range(n)) if upper else range(n):
            known = slice(i + 1, n) if upper else slice(0, i)
            x[..., i, :] -= (a[..., i, None, known] @ x[..., known, :])[..., 0, :]
            x[..., i, :] /= a[..., i, i, None]
    return x


def _minors(a: Any) -> tuple[Any, int]:
    """Returns as much of a Cholesky factor as there is, and the order of the first minor that is not positive, or 0."""
    n = len(a)
    low = np.tril(a)
    for j in range(n):
        pivot = (low[j, j] - (low[j, :j] * low[j, :j].conj()).sum()).real
        if not pivot > 0:
            low[j, j] = pivot
            return low, j + 1
        low[j, j] = np.sqrt(pivot)
        low[j + 1 :, j] = (low[j + 1 :, j] - low[j + 1 :, :j] @ low[j, :j].conj()) / low[j, j]
    return low, 0


def _cholesky(a: Any) -> tuple[Any, Any]:
    """Returns lower Cholesky factors, and the order of the first minor that is not positive."""
    info = np.zeros(a.shape[:-2], np.int32)
    try:
        return np.linalg.cholesky(a), info
    except np.linalg.LinAlgError:
        low = np.empty_like(a)
        with np.errstate(all="ignore"):
            for i in np.ndindex(a.shape[:-2]):
                low[i], info[i] = _minors(a[i])
        return low, info


KERNELS: Final[dict[str, Kernel]] = {
    "_cholesky": _cholesky,
    "_inv": _inv,
    "_ldl_factor": bunch_kaufman.factor,
    "_ldl_solve": bunch_kaufman.solve,
    "_lu_factor": _lu_factor,
    "_lu_rows": _lu_rows,
    "_solve": _solve,
    "_solve_triangular": _solve_triangular,
}
