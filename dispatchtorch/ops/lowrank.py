"""The few largest parts of a matrix: svd_lowrank and pca_lowrank from a random sketch, lobpcg's extreme eigenpairs.

A sketch of the range takes ``q`` random combinations of the columns, sharpened by ``niter`` rounds of multiplication
(Halko, Martinsson and Tropp, 2009, algorithms 4.4 and 5.1). Draws come from the generator, so a seed repeats them.
"""

from __future__ import annotations

from typing import Any

from dispatchtorch.dispatch.table import FUNCTIONS, composite
from dispatchtorch.ops.factors import linalg_cholesky, linalg_qr
from dispatchtorch.ops.matmul import matmul
from dispatchtorch.ops.matrices import herm
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.ops.spectra import linalg_eigh, linalg_svd
from dispatchtorch.ops.systems import linalg_solve_triangular
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["lobpcg", "pca_lowrank", "svd_lowrank"]


def _range_of(A: Tensor, q: int, niter: int) -> Tensor:
    """Returns an orthonormal basis of nearly the range of ``A``."""
    sketch = FUNCTIONS["randn"](A._a.shape[-1], q, dtype=A._key.dtype, device=A._key.device)
    basis: Tensor = linalg_qr(matmul(A, sketch))[0]
    for _ in range(niter):
        back = linalg_qr(matmul(herm(A), basis))[0]
        basis = linalg_qr(matmul(A, back))[0]
    return basis


def _parts(A: Tensor, q: int, niter: int, M: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    m, n = A._a.shape[-2:]
    if M is not None:
        A = A - M.broadcast_to(A._a.shape)
    if m < n:
        A = herm(A)
    basis = _range_of(A, q, niter)
    u, s, vh = linalg_svd(matmul(herm(basis), A), full_matrices=False)
    left, right = matmul(basis, u), herm(vh)
    return (right, s, left) if m < n else (left, s, right)


def _drawn_samples(make: Maker) -> Any:
    yield Sample((make(4, 3), 0), grad=False)  # no part at all: what is drawn decides no sign


@composite(samples=_drawn_samples)
def svd_lowrank(
    A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns (U, S, V) with nearly the ``q`` largest singular values of ``A - M``.

    >>> _ = torch.manual_seed(0)
    >>> U, S, V = torch.svd_lowrank(torch.diag(torch.tensor([3.0, 2.0, 0.0])), q=2)
    >>> S
    tensor([3.0000, 2.0000])
    """
    return _parts(A, 6 if q is None else q, 2 if niter is None else niter, M)


@composite(samples=_drawn_samples)
def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True, niter: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Returns (U, S, V): nearly the ``q`` main directions ``V`` of the rows of ``A``, less their mean."""
    m, n = A._a.shape[-2:]
    if q is None:
        q = min(6, m, n)
    elif not 0 <= q <= min(m, n):
        raise ValueError(f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}")
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    if center:
        A = A - A.mean(-2, keepdim=True)
    return _parts(A, q, niter, None)


@composite()
def lobpcg(
    A: Tensor,
    k: int | None = None,
    B: Tensor | None = None,
    X: Tensor | None = None,
    n: int | None = None,
    iK: Tensor | None = None,
    niter: int | None = None,
    tol: float | None = None,
    largest: bool | None = None,
    method: str | None = None,
    tracker: Any = None,
    ortho_iparams: dict[str, int] | None = None,
    ortho_fparams: dict[str, float] | None = None,
    ortho_bparams: dict[str, bool] | None = None,
) -> tuple[Tensor, Tensor]:
    """Returns the ``k`` largest (or smallest) eigenvalues of symmetric ``A``, or of ``A x = l B x``, and their vectors.

    The pairs are computed exactly, by a dense factorisation, so nothing is drawn and what steers the iteration (``X``,
    ``iK``, ``niter``, ``tol``, ``method`` and ``ortho_*``) is checked and not needed. A ``tracker`` is refused: there
    are no steps to follow.
    """
    rows, columns = A._a.shape[-2:]
    if rows != columns:
        raise AssertionError(f"A must be square, got shape {A.shape}")
    count = (1 if X is None else X._a.shape[-1]) if k is None else k
    if rows < 3 * count:
        raise ValueError(
            f"LOBPCG algorithm is not applicable when the number of A rows (={rows}) is smaller than 3 x the number of "
            f"requested eigenpairs (={count})"
        )
    width = (count if X is None else X._a.shape[-1]) if n is None else n
    if rows < 3 * width:
        raise ValueError(
            f"LOBPCG algorithm is not applicable when the number of A rows (={rows}) is smaller than 3 x the number of "
            f"requested eigenpairs (={width})"
        )
    if X is not None and tuple(X._a.shape[-2:]) != (rows, width):
        raise AssertionError(f"X shape mismatch: got {X.shape}, expected {(rows, width)}")
    if tracker is not None:
        raise NotImplementedError(
            "lobpcg computes eigenpairs by one dense factorisation and has no steps for a tracker"
        )
    if B is None:
        values, vectors = linalg_eigh((A + herm(A)) / 2)
    else:
        low = linalg_cholesky(B)
        inside = linalg_solve_triangular(low, (A + herm(A)) / 2, upper=False)
        inside = linalg_solve_triangular(herm(low), inside, upper=True, left=False)
        values, vectors = linalg_eigh((inside + herm(inside)) / 2)
        vectors = linalg_solve_triangular(herm(low), vectors, upper=True)
    if largest is None or largest:
        return values.flip(-1).narrow(-1, 0, count), vectors.flip(-1).narrow(-1, 0, count)
    return values.narrow(-1, 0, count), vectors.narrow(-1, 0, count)
