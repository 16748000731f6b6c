"""Cholesky's and QR factorisations, and solutions and inverses from factors; torch.linalg's and older names.

The derivatives hold where the factors are unique.
"""

from __future__ import annotations

from typing import Any

from dispatchtorch._base.notices import warn_once
from dispatchtorch.dispatch.table import FUNCTIONS, composite, primitive
from dispatchtorch.ops import return_types
from dispatchtorch.ops.matmul import _matmul_tn, conj, matmul
from dispatchtorch.ops.matrices import (
    LinAlgError,
    batch_element,
    check_matrix,
    check_square,
    culprit,
    definite,
    herm,
    linalg,
)
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.ops.systems import _solve_triangular
from dispatchtorch.tensor.sizes import broadcast_shapes
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "cholesky", "cholesky_inverse", "cholesky_solve", "linalg_cholesky", "linalg_cholesky_ex", "linalg_qr", "qr",
]  # fmt: skip

LinalgQrResult = return_types.make("linalg_qr", "Q", "R")
QrResult = return_types.make("qr", "Q", "R")
CholeskyExResult = return_types.make("linalg_cholesky_ex", "L", "info")


# --- cholesky ---------------------------------------------------------------------------------------------------------


def _cholesky_grad(g: Any, out: Any) -> Tensor:
    """Returns the gradient of a Cholesky factor, made Hermitian as its input is."""
    low = out[0]
    inside = FUNCTIONS["tril"](_matmul_tn(conj(low), g[0]))
    phi = 0.5 * (inside + herm(FUNCTIONS["tril"](inside, -1)))
    left = _solve_triangular(herm(low), phi, True, False)
    return herm(_solve_triangular(herm(low), herm(left), True, False))


@primitive(grad={"input": _cholesky_grad}, node="LinalgCholeskyExBackward0")
def _cholesky(input: Tensor) -> tuple[Tensor, Tensor]:
    """Returns lower Cholesky factors, and for each the order of the first leading minor that is not positive, or 0."""
    ...


def _require_definite(name: str, info: Tensor) -> None:
    i, order = culprit(info)
    if order:
        raise LinAlgError(
            f"{name}: {batch_element(info, i)}The factorization could not be completed because the input is not "
            f"positive-definite (the leading minor of order {order} is not positive-definite)."
        )


def _definites(make: Maker) -> Any:
    yield Sample((definite(make),), grad=False)
    yield Sample((definite(make, 2),), {"upper": True}, grad=False)


def _factor(name: str, A: Tensor, upper: bool, check: bool) -> tuple[Tensor, Tensor]:
    low, info = _cholesky(A)
    if check:
        _require_definite(name, info)
    return (herm(low) if upper else low), info


@linalg(samples=_definites)
def linalg_cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """Returns the lower (or upper) triangular factor of a positive-definite matrix; LinAlgError for another."""
    check_square("linalg.cholesky", A, kernel="cholesky_cpu")
    return _factor("linalg.cholesky", A, upper, True)[0]


@linalg(samples=_definites)
def linalg_cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False) -> Any:
    """Returns (L, info): ``info`` is 0, or the order of the first leading minor that is not positive."""
    check_square("linalg.cholesky", A, kernel="cholesky_cpu")
    return CholeskyExResult(_factor("linalg.cholesky_ex", A, upper, check_errors))


@composite(method=True, out=True, samples=_definites)
def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """Returns the triangular factor of a positive-definite matrix; deprecated for `linalg.cholesky`."""
    warn_once(
        "torch.cholesky is deprecated in favor of torch.linalg.cholesky and will be removed in a future PyTorch "
        "release.\nL = torch.cholesky(A)\nshould be replaced with\nL = torch.linalg.cholesky(A)\nand\n"
        "U = torch.cholesky(A, upper=True)\nshould be replaced with\nU = torch.linalg.cholesky(A).mH\n"
        "This transform will produce equivalent results for all valid (symmetric positive definite) inputs."
    )
    check_square("cholesky", input, typed=False)
    _check_dtype("cholesky_cpu", input)
    return _factor("cholesky", input, upper, True)[0]


def _check_dtype(kernel: str, a: Tensor) -> None:
    if a._key.dtype.category < 2 or (a._key.dtype.itemsize == 2 and a._key.dtype.category == 2):
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{a._key.dtype.legacy}'")


def _low_samples(make: Maker) -> Any:
    low = FUNCTIONS["tril"](definite(make))
    yield Sample((make(3, 2), low))
    yield Sample((make(2, 3, 2), herm(low), True))


def _to_factor(common: Tensor, L: Tensor, upper: bool) -> Tensor:
    """Returns the gradient of a factor from that of what it stands for; both triangles, as torch gives it."""
    both = common + herm(common)
    return -(matmul(L, both) if upper else matmul(both, L))


@primitive(
    grad={
        "input": lambda g, L, upper: _cholesky_solve(g, L, upper),
        "L": lambda g, L, out, upper: _to_factor(matmul(_cholesky_solve(g, L, upper), herm(out)), L, upper),
    },
    node="CholeskySolveBackward0",
)
def _cholesky_solve(input: Tensor, L: Tensor, upper: bool) -> Tensor:
    """Returns ``X`` with ``A @ X = input``."""
    first, second = (herm(L), L) if upper else (L, herm(L))
    return _solve_triangular(second, _solve_triangular(first, input, False, False), True, False)


@primitive(
    grad={"L": lambda g, L, out, upper: _to_factor(matmul(matmul(out, g), out), L, upper)},
    node="CholeskyInverseBackward0",
)
def _cholesky_inverse(L: Tensor, upper: bool) -> Tensor:
    """Returns inverses of what has the factors ``L``."""
    eye = FUNCTIONS["eye"](L._a.shape[-1], dtype=L._key.dtype, device=L._key.device)
    return _cholesky_solve(eye, L, upper)


@composite(method=True, out=True, samples=_low_samples)
def cholesky_solve(input: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """Returns ``X`` with ``A @ X = input``, given the Cholesky factor of ``A``."""
    for name, t in (("b", input), ("u", L)):
        if len(t._a.shape) < 2:
            raise RuntimeError(
                f"{name} should have at least 2 dimensions, but has {len(t._a.shape)} dimensions instead"
            )
    rows, columns = L._a.shape[-2:]
    if rows != columns:
        raise RuntimeError(f"A must be batches of square matrices, but they are {rows} by {columns} matrices")
    if input._a.shape[-2] != columns:
        raise RuntimeError(
            f"Incompatible matrix sizes for cholesky_solve: each A matrix is {rows} by {columns} but each b matrix is "
            f"{input._a.shape[-2]} by {input._a.shape[-1]}"
        )
    broadcast_shapes(tuple(input._a.shape[:-2]), tuple(L._a.shape[:-2]))
    _check_dtype("cholesky_solve_cpu", input)
    return _cholesky_solve(input, L, upper)


def _inverse_samples(make: Maker) -> Any:
    low = FUNCTIONS["tril"](definite(make))
    yield Sample((low,))
    yield Sample((herm(low), True))


@composite(method=True, out=True, samples=_inverse_samples)
def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:
    """Returns the inverse of ``A``, given its Cholesky factor."""
    check_square("cholesky_inverse", L, kernel="cholesky_inverse_cpu")
    return _cholesky_inverse(L, upper)


# --- qr ---------------------------------------------------------------------------------------------------------------


def _tall_qr_grad(gq: Any, gr: Any, q: Tensor, r: Tensor) -> Tensor:
    """Returns the gradient of a factorisation with a square ``R``."""
    inner = r.new_zeros(()) if gr is None else matmul(r, herm(gr))
    if gq is not None:
        inner = inner - matmul(herm(gq), q)
    low = FUNCTIONS["tril"](inner, -1)
    diagonal = FUNCTIONS["diag_embed"](inner.diagonal(0, -2, -1))
    if diagonal._key.dtype.category == 3:
        diagonal = diagonal.real.to(diagonal._key.dtype)
    middle = matmul(q, low + herm(low) + diagonal)
    if gq is not None:
        middle = gq + middle
    return herm(_solve_triangular(r, herm(middle), True, False))


def _qr_grad(g: Any, input: Tensor, out: Any, complete: bool) -> Tensor:
    """Returns the gradient of a factorisation whose ``Q`` follows from the first columns of the matrix."""
    (gq, gr), (q, r) = g, out
    m, n = input._a.shape[-2:]
    if complete and m > n:
        raise RuntimeError("The QR decomposition is not differentiable when mode='complete' and nrows > ncols.")
    if m >= n:
        return _tall_qr_grad(gq, gr, q, r)
    square, rest = r.narrow(-1, 0, m), input.narrow(-1, m, n - m)
    g_square = g_rest = None
    if gr is not None:
        g_square, g_rest = gr.narrow(-1, 0, m), gr.narrow(-1, m, n - m)
        through = matmul(rest, herm(g_rest))
        gq = through if gq is None else gq + through
    first = _tall_qr_grad(gq, g_square, q, square)
    second = input.new_zeros((*input._a.shape[:-1], n - m)) if g_rest is None else matmul(q, g_rest)
    return FUNCTIONS["cat"]([first, second], -1)  # type: ignore[no-any-return]  # an entry of the table


@primitive(grad={"input": _qr_grad}, node="LinalgQrBackward0", partial=True)
def _qr(input: Tensor, complete: bool) -> tuple[Tensor, Tensor]:
    """Returns orthonormal and triangular factors."""
    ...


def _r_grad(g: Tensor, input: Tensor) -> Tensor:
    raise RuntimeError(
        "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use linalg.qr(A, "
        "mode='reduced') if you are going to differentiate through linalg.qr."
    )


@primitive(grad={"input": _r_grad}, node="LinalgQrBackward0")
def _qr_r(input: Tensor) -> Tensor:
    """Returns triangular factors alone."""
    return _qr(input, False)[1]


def _qr_samples(make: Maker) -> Any:
    for shape in ((3, 3), (4, 3), (2, 3, 4)):
        yield Sample((make(*shape),))
    yield Sample((make(4, 3), "r"), grad=False)
    yield Sample((make(4, 3), "complete"), grad=False)


@linalg(samples=_qr_samples)
def linalg_qr(A: Tensor, mode: str = "reduced") -> Any:
    """Returns (Q, R) with orthonormal ``Q`` and upper triangular ``R``; ``mode`` "r" leaves Q empty."""
    check_matrix("linalg.qr", A, kernel="geqrf_cpu")
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
        )
    if mode == "r":
        return LinalgQrResult((A.new_empty(0), _qr_r(A)))
    return LinalgQrResult(_qr(A, mode == "complete"))


def _old_qr_samples(make: Maker) -> Any:
    yield Sample((make(4, 3),))
    yield Sample((make(4, 3), False), grad=False)


@composite(method=True, out=True, samples=_old_qr_samples)
def qr(input: Tensor, some: bool = True) -> Any:
    """Returns (Q, R); deprecated for `linalg.qr`."""
    warn_once(
        "torch.qr is deprecated in favor of torch.linalg.qr and will be removed in a future PyTorch release.\n"
        "The boolean parameter 'some' has been replaced with a string parameter 'mode'.\nQ, R = torch.qr(A, some)\n"
        "should be replaced with\nQ, R = torch.linalg.qr(A, 'reduced' if some else 'complete')"
    )
    return QrResult(linalg_qr(input, "reduced" if some else "complete"))
