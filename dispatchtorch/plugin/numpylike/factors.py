"""Factorisations over an array-API namespace: as much as its ``linalg`` has, and elimination written out.

``info`` is 0 for each matrix that went well. A namespace's own functions are given regular matrices only, so that none
of them raises where another returns inf.
"""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch.plugin.numpylike import kernel

Array = Any


# --- elimination ------------------------------------------------------------------------------------------------------


@kernel
def _lu_factor(xp: Any, a: Array) -> tuple[Array, Array, Array]:
    """Returns packed factors, pivots from 1, and the first zero pivot; column by column, rows by their index."""
    m, n = a.shape[-2:]
    k = min(m, n)
    rows, columns = xp.arange(m), xp.arange(n)
    pivots = []
    for j in range(k):
        column = a[..., :, j]
        size = abs(xp.real(column)) + abs(xp.imag(column)) if _is_complex(a) else abs(column)
        p = xp.argmax(xp.where(rows >= j, size, -1.0), axis=-1)
        pivots.append(p + 1)
        p = p[..., None]
        order = xp.where(rows == j, p, xp.where(rows == p, j, rows))
        a = xp.take_along_axis(a, order[..., None], axis=-2)
        pivot = a[..., j : j + 1, j : j + 1]
        factor = xp.where((rows > j)[:, None], a[..., :, j : j + 1] / xp.where(pivot == 0, 1, pivot), 0)
        rest = a - factor * xp.where(columns > j, a[..., j : j + 1, :], 0)
        a = xp.where((columns == j) & (rows > j)[:, None], factor, rest)
    batch = a.shape[:-2]
    found = xp.stack(pivots, axis=-1) if k else xp.zeros((*batch, 0))
    return a, found.astype(xp.int32), _first_zero(xp, a)


def _is_complex(a: Array) -> bool:
    return str(a.dtype).startswith("complex")


def _first_zero(xp: Any, packed: Array) -> Array:
    """Returns the place of the first zero on the diagonals, from 1, or 0."""
    k = min(packed.shape[-2:])
    if k == 0:
        return xp.zeros(packed.shape[:-2], dtype=xp.int32)
    zero = xp.diagonal(packed, axis1=-2, axis2=-1) == 0
    return xp.where(xp.any(zero, axis=-1), xp.argmax(zero, axis=-1) + 1, 0).astype(xp.int32)


@kernel
def _lu_rows(xp: Any, pivots: Array, rows: int) -> Array:
    """Returns the order of rows that swaps one after the other lead to."""
    index = xp.arange(rows)
    order = xp.broadcast_to(index, (*pivots.shape[:-1], rows))
    for j in range(pivots.shape[-1]):
        p = pivots[..., j : j + 1].astype(index.dtype) - 1
        order = xp.take_along_axis(order, xp.where(index == j, p, xp.where(index == p, j, index)), axis=-1)
    return order


# --- systems ----------------------------------------------------------------------------------------------------------


def _regular(xp: Any, a: Array) -> tuple[Array, Array, Array]:
    """Returns matrices with the singular ones made the unit matrix, ``info``, and which are singular."""
    info = _lu_factor(xp, a)[2]
    bad = (info != 0)[..., None, None]
    return xp.where(bad, xp.eye(a.shape[-1], dtype=a.dtype), a), info, bad


@kernel
def _inv(xp: Any, a: Array) -> tuple[Array, Array]:
    """Returns inverses and which pivot is zero; inf where one is."""
    regular, info, bad = _regular(xp, a)
    return xp.where(bad, math.inf, xp.linalg.inv(regular)).astype(a.dtype), info


@kernel
def _solve(xp: Any, a: Array, b: Array) -> tuple[Array, Array]:
    """Returns ``x`` with ``a @ x = b``, for matrices ``b``, and which pivot is zero; inf where one is."""
    batch = tuple(xp.broadcast_shapes(a.shape[:-2], b.shape[:-2]))
    regular, info, bad = _regular(xp, a)
    regular, b = xp.broadcast_to(regular, batch + a.shape[-2:]), xp.broadcast_to(b, batch + b.shape[-2:])
    return xp.where(bad, math.inf, xp.linalg.solve(regular, b)).astype(a.dtype), info


@kernel
def _solve_triangular(xp: Any, a: Array, b: Array, upper: bool, unitriangular: bool) -> Array:
    """Returns ``x`` with ``a @ x = b``, reading one triangle of ``a``; a zero on the diagonal gives inf or nan."""
    a = xp.triu(a) if upper else xp.tril(a)
    eye = xp.eye(a.shape[-1], dtype=a.dtype)
    if unitriangular:
        a = a * (1 - eye) + eye
    batch = tuple(xp.broadcast_shapes(a.shape[:-2], b.shape[:-2]))
    zero = (xp.diagonal(a, axis1=-2, axis2=-1) == 0)[..., None]
    whole = xp.broadcast_to(xp.where(eye * zero != 0, 1, a).astype(a.dtype), batch + a.shape[-2:])
    x = xp.linalg.solve(whole, xp.broadcast_to(b, batch + b.shape[-2:]))
    return xp.where(zero, x * math.inf, x).astype(x.dtype)


# --- factors that the namespace has -----------------------------------------------------------------------------------


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
def _cholesky(xp: Any, a: Array) -> tuple[Array, Array]:
    """Returns lower Cholesky factors, reading the lower triangle, and 1 for each that is not positive-definite."""
    strict = xp.tril(a, -1)
    low = xp.linalg.cholesky(xp.tril(a) + xp.swapaxes(xp.conj(strict), -1, -2))
    info = xp.any(~xp.isfinite(low), axis=(-2, -1)).astype(xp.int32)
    return low, info


@kernel
def _qr(xp: Any, a: Array, complete: bool) -> tuple[Array, Array]:
    """Returns orthonormal and upper triangular factors."""
    q, r = xp.linalg.qr(a, mode="complete" if complete else "reduced")
    return q, r


@kernel
def _geqrf(xp: Any, a: Array) -> tuple[Array, Array]:
    """Returns the triangular factor with reflectors below it, and their scales."""
    h, tau = xp.linalg.qr(a, mode="raw")
    return xp.swapaxes(h, -1, -2), tau


@kernel
def _svd(xp: Any, a: Array, full: bool) -> tuple[Array, Array, Array]:
    """Returns left singular vectors, singular values in decreasing order, right singular vectors as rows."""
    u, s, vh = xp.linalg.svd(a, full_matrices=full)
    return u, s, vh


@kernel
def _svdvals(xp: Any, a: Array) -> Array:
    """Returns singular values in decreasing order."""
    return xp.linalg.svd(a, compute_uv=False)


@kernel
def _eigh(xp: Any, a: Array, upper: bool) -> tuple[Array, Array]:
    """Returns eigenvalues in increasing order and eigenvectors as columns, reading one triangle."""
    values, vectors = xp.linalg.eigh(_lower(xp, a, upper))
    return values, vectors


@kernel
def _eigvalsh(xp: Any, a: Array, upper: bool) -> Array:
    """Returns eigenvalues in increasing order, reading one triangle."""
    return xp.linalg.eigvalsh(_lower(xp, a, upper))


def _lower(xp: Any, a: Array, upper: bool) -> Array:
    """Returns the matrix that one triangle stands for, whole: some libraries average both triangles."""
    low = xp.conj(xp.swapaxes(a, -1, -2)) if upper else a
    return xp.tril(low) + xp.conj(xp.swapaxes(xp.tril(low, -1), -1, -2))


@kernel
def _eig(xp: Any, a: Array) -> tuple[Array, Array]:
    """Returns complex eigenvalues and eigenvectors."""
    values, vectors = xp.linalg.eig(a)
    kind = xp.result_type(a.dtype, xp.complex64)
    return values.astype(kind), vectors.astype(kind)


# --- exponentials -----------------------------------------------------------------------------------------------------

_COEFFICIENTS = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0,
    10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip
REACH = 5.371920351148152  # the norm up to which the quotient of order 13 is exact in float64


def quotient(xp: Any, a: Array) -> Array:
    """Returns Pade's quotient of order 13 for the exponential of matrices with a norm below `REACH`."""
    b = _COEFFICIENTS
    eye = xp.eye(a.shape[-1], dtype=a.dtype)
    a2 = xp.matmul(a, a)
    a4 = xp.matmul(a2, a2)
    a6 = xp.matmul(a4, a2)
    odd = xp.matmul(a6, b[13] * a6 + b[11] * a4 + b[9] * a2) + b[7] * a6 + b[5] * a4 + b[3] * a2 + b[1] * eye
    odd = xp.matmul(a, odd)
    even = xp.matmul(a6, b[12] * a6 + b[10] * a4 + b[8] * a2) + b[6] * a6 + b[4] * a4 + b[2] * a2 + b[0] * eye
    return xp.linalg.solve(even - odd, even + odd)


def halvings(xp: Any, a: Array) -> Array:
    """Returns how often each matrix has to be halved to have a norm below `REACH`."""
    norm = xp.max(xp.sum(abs(a), axis=-2), axis=-1)
    usable = xp.where(xp.isfinite(norm) & (norm > REACH), norm / REACH, 1.0)
    return xp.ceil(xp.log2(usable))[..., None, None]


@kernel
def _matrix_exp(xp: Any, a: Array) -> Array:
    """Returns exponentials of matrices: halved until small, a quotient of polynomials, squared as often again.

    Each squaring doubles what was rounded before, so it is all done in float64.
    """
    if 0 in a.shape:
        return a + 0
    wide = a.astype(xp.result_type(a.dtype, xp.float64))
    times = halvings(xp, wide)
    x = quotient(xp, wide * 0.5**times)
    for i in range(int(xp.max(times))):
        x = xp.where(i < times, xp.matmul(x, x), x)
    return x.astype(a.dtype)
