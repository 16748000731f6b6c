"""Factorisations of matrices, with derivatives: cholesky, qr, svd, eigh.

The derivatives of qr, svd and eigh hold where the factors are unique: distinct singular values, distinct eigenvalues.
"""

from __future__ import annotations

from typing import Any

from dispatchtorch.dispatch.table import FUNCTIONS, primitive
from dispatchtorch.ops import return_types
from dispatchtorch.ops.matmul import _matmul_nt, _matmul_tn, conj, matmul
from dispatchtorch.ops.systems import _solve_triangular, check_matrix, check_square, culprit, herm, refused
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["cholesky", "eigh", "eigvalsh", "qr", "svd", "svdvals"]

QrResult = return_types.make("linalg_qr", "Q", "R")
SvdResult = return_types.make("linalg_svd", "U", "S", "Vh")
EighResult = return_types.make("linalg_eigh", "eigenvalues", "eigenvectors")


def _bad_minor(rows: list[list[Any]]) -> int:
    """Returns the order of the first leading minor that is not positive, counted from 1; 0 for none."""
    n = len(rows)
    for k in range(n):
        if not complex(rows[k][k]).real > 0:
            return k + 1
        for i in range(k + 1, n):
            factor = rows[i][k] / rows[k][k]
            for j in range(k + 1, i + 1):
                rows[i][j] -= factor * rows[j][k].conjugate()
    return 0


def _cholesky_grad(g: Tensor, out: Tensor) -> Tensor:
    """Returns the gradient of a Cholesky factor, made Hermitian as its input is."""
    inside = FUNCTIONS["tril"](_matmul_tn(conj(out), g))
    phi = 0.5 * (inside + herm(FUNCTIONS["tril"](inside, -1)))
    left = _solve_triangular(herm(out), phi, True, False)
    return herm(_solve_triangular(herm(out), herm(left), True, False))


@primitive(grad={"input": _cholesky_grad}, node="LinalgCholeskyExBackward0")
def _cholesky(input: Tensor) -> Tensor:
    """Returns lower Cholesky factors."""
    ...


def cholesky(input: Tensor, *, upper: bool = False) -> Tensor:
    """Returns the lower (or upper) triangular factor of a positive-definite matrix."""
    check_square("linalg.cholesky", input)

    def sentence() -> str:
        which, order = culprit(input, _bad_minor)
        return (
            f"linalg.cholesky: {which}The factorization could not be completed because the input is not "
            f"positive-definite (the leading minor of order {order} is not positive-definite)."
        )

    low = refused(lambda: _cholesky(input), sentence)
    return herm(low) if upper else low


def _qr_grad(g: Any, out: Any, complete: bool) -> Tensor:
    """Returns the gradient of a reduced factorisation of a matrix with at least as many rows as columns."""
    (gq, gr), (q, r) = g, out
    if complete or r._a.shape[-2] != r._a.shape[-1]:
        raise RuntimeError(
            "The QR decomposition is not differentiable when mode='complete' and nrows > ncols"
            if complete
            else "linalg.qr: the derivative for matrices with more columns than rows is not implemented"
        )
    inner = matmul(r, herm(gr)) - matmul(herm(gq), q)
    low = FUNCTIONS["tril"](inner, -1)
    diagonal = FUNCTIONS["diag_embed"](inner.diagonal(0, -2, -1))
    if diagonal._key.dtype.category == 3:
        diagonal = diagonal.real.to(diagonal._key.dtype)
    sym = low + herm(low) + diagonal
    return herm(_solve_triangular(r, herm(gq + matmul(q, sym)), True, False))


@primitive(grad={"input": _qr_grad}, node="LinalgQrBackward0")
def _qr(input: Tensor, complete: bool) -> Tensor:
    """Returns orthonormal and triangular factors."""
    ...


def qr(A: Tensor, mode: str = "reduced") -> Any:
    """Returns (Q, R) with orthonormal ``Q`` and upper triangular ``R``; ``mode`` "r" leaves Q empty."""
    check_matrix("linalg.qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
        )
    q, r = _qr(A, mode == "complete")
    return QrResult((A.new_empty(0) if mode == "r" else q, r))


def _svd_grad(g: Any, out: Any, full: bool) -> Tensor:
    """Returns the gradient of a reduced singular value decomposition with distinct singular values."""
    (gu, gs, gvh), (u, s, vh) = g, out
    if full and u._a.shape[-1] != vh._a.shape[-2]:
        raise RuntimeError("linalg.svd: the derivative with full_matrices=True is not defined for the added vectors")
    v, gv = herm(vh), herm(gvh)
    k = s._a.shape[-1]
    eye = FUNCTIONS["eye"](k, dtype=s._key.dtype, device=s._key.device)
    square = s * s
    gaps = square.unsqueeze(-2) - square.unsqueeze(-1) + eye
    f = (1 - eye) / gaps
    su = _matmul_tn(conj(u), gu)
    sv = _matmul_tn(conj(v), gv)
    inner = f * (su - herm(su)) * s.unsqueeze(-2) + s.unsqueeze(-1) * (f * (sv - herm(sv)))
    middle = inner + FUNCTIONS["diag_embed"](gs)
    if u._key.dtype.category == 3:
        skew = FUNCTIONS["diag_embed"](su.diagonal(0, -2, -1).imag / s)
        middle = middle + FUNCTIONS["complex"](FUNCTIONS["zeros_like"](skew), skew)
    result = matmul(matmul(u, middle), vh)
    m, n = u._a.shape[-2], v._a.shape[-2]
    if m > k:
        result = result + matmul((gu - matmul(u, su)) / s.unsqueeze(-2), vh)
    if n > k:
        result = result + matmul(u / s.unsqueeze(-2), herm(gv - matmul(v, sv)))
    return result


@primitive(grad={"input": _svd_grad}, node="LinalgSvdBackward0")
def _svd(input: Tensor, full: bool) -> Tensor:
    """Returns left vectors, values, right vectors as rows."""
    ...


def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> Any:
    """Returns (U, S, Vh): left singular vectors, singular values in decreasing order, right singular vectors."""
    check_matrix("linalg.svd", A)
    return SvdResult(_svd(A, full_matrices))


def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """Returns the singular values in decreasing order."""
    check_matrix("linalg.svdvals", A)
    return _svd(A, False)[1]


def _eigh_grad(g: Any, out: Any) -> Tensor:
    """Returns the gradient of an eigendecomposition with distinct eigenvalues."""
    (gl, gv), (values, vectors) = g, out
    n = values._a.shape[-1]
    eye = FUNCTIONS["eye"](n, dtype=values._key.dtype, device=values._key.device)
    gaps = values.unsqueeze(-2) - values.unsqueeze(-1) + eye
    inner = _matmul_tn(conj(vectors), gv) * ((1 - eye) / gaps) + FUNCTIONS["diag_embed"](gl)
    return _matmul_nt(matmul(vectors, inner), conj(vectors))


@primitive(grad={"input": _eigh_grad}, node="LinalgEighBackward0")
def _eigh(input: Tensor, upper: bool) -> Tensor:
    """Returns eigenvalues in increasing order and eigenvectors."""
    ...


def eigh(A: Tensor, UPLO: str = "L") -> Any:
    """Returns (eigenvalues, eigenvectors) of a symmetric or Hermitian matrix, of which one triangle is read."""
    check_square("linalg.eigh", A)
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return EighResult(_eigh(A, UPLO.upper() == "U"))


def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """Returns the eigenvalues of a symmetric or Hermitian matrix in increasing order."""
    return eigh(A, UPLO)[0]  # type: ignore[no-any-return]  # one of two outputs
