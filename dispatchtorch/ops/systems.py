"""Inverses, determinants and solutions of linear systems, with derivatives that are solutions again.

A singular matrix is an error that names the place where elimination stops, looked for only when a library refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dispatchtorch.dispatch.table import FUNCTIONS, composite, primitive
from dispatchtorch.ops import return_types
from dispatchtorch.ops.matmul import _matmul_nt, _matmul_tn, conj
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.sizes import broadcast_shapes
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "LinAlgError", "check_matrix", "check_square", "culprit", "det", "herm", "inv", "inverse", "linalg_slogdet",
    "logdet", "refused", "slogdet", "solve", "solve_triangular",
]  # fmt: skip

SlogdetResult = return_types.make("slogdet", "sign", "logabsdet")
LinalgSlogdetResult = return_types.make("linalg_slogdet", "sign", "logabsdet")


class LinAlgError(RuntimeError):
    """A matrix does not have what was asked for: it is singular, or not positive-definite."""


LinAlgError.__name__ = LinAlgError.__qualname__ = "_LinAlgError"


# --- what can be wrong ------------------------------------------------------------------------------------------------


def check_matrix(name: str, a: Tensor) -> None:
    """Raises torch's error unless ``a`` holds matrices of a floating or complex dtype."""
    if len(a._a.shape) < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    if a._key.dtype.category < 2:
        raise RuntimeError(f"{name}: Expected a floating point or complex tensor as input. Got {a._key.dtype.legacy}")
    if a._key.dtype.itemsize == 2:
        raise RuntimeError(f"{name}: Low precision dtypes not supported. Got {a._key.dtype.legacy}")


def check_square(name: str, a: Tensor) -> None:
    """Raises torch's error unless ``a`` holds square matrices."""
    check_matrix(name, a)
    rows, columns = a._a.shape[-2:]
    if rows != columns:
        raise RuntimeError(f"{name}: A must be batches of square matrices, but they are {rows} by {columns} matrices")


def refused(call: Callable[[], Any], sentence: Callable[[], str]) -> Any:
    """Returns what ``call`` gives; LinAlgError where the library finds the matrix unfit."""
    try:
        return call()
    except Exception as error:
        if type(error).__name__ == "LinAlgError":
            raise LinAlgError(sentence()) from None
        raise


def culprit(a: Tensor, fault: Callable[[Any], int]) -> tuple[str, int]:
    """Returns the first matrix of a batch that has a fault, as messages name it, and the fault's place from 1."""
    if len(a._a.shape) == 2:
        return "", fault(a.detach().tolist()) or 1
    n = a._a.shape[-1]
    for i, matrix in enumerate(a.detach().reshape(-1, n, n).tolist()):
        place = fault(matrix)
        if place:
            return f"(Batch element {i}): ", place
    return "(Batch element 0): ", 1


def _zero_pivot(rows: list[list[Any]]) -> int:
    """Returns which pivot of Gaussian elimination is zero first, counted from 1; 0 for none."""
    n = len(rows)
    for k in range(n):
        best = max(range(k, n), key=lambda i: abs(rows[i][k]))
        if rows[best][k] == 0:
            return k + 1
        rows[k], rows[best] = rows[best], rows[k]
        for i in range(k + 1, n):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [x - factor * y for x, y in zip(rows[i], rows[k], strict=True)]
    return 0


def herm(x: Tensor) -> Tensor:
    """Returns the conjugate transpose."""
    return conj(x.transpose(-2, -1))


def _square(make: Maker, *batch: int) -> Tensor:
    """Returns matrices far from singular."""
    return make(*batch, 3, 3) + 5 * FUNCTIONS["eye"](3)  # type: ignore[no-any-return]  # the maker's tensors are tensors


def _squares(make: Maker) -> Any:
    yield Sample((_square(make),))
    yield Sample((_square(make, 2),))


# --- inverses and determinants ----------------------------------------------------------------------------------------


@primitive(
    grad={"input": lambda g, out: -_matmul_nt(_matmul_tn(conj(out), g), conj(out))},
    node="LinalgInvExBackward0",
    samples=_squares,
)
def _inv(input: Tensor) -> Tensor:
    """Returns inverses."""
    ...


def inv(A: Tensor) -> Tensor:
    """Returns the inverse of a square matrix, or of each in a batch."""
    check_square("linalg.inv", A)

    def sentence() -> str:
        which, place = culprit(A, _zero_pivot)
        return (
            f"linalg.inv: {which}The diagonal element {place} is zero, the inversion could not be completed "
            "because the input matrix is singular."
        )

    return refused(lambda: _inv(A), sentence)  # type: ignore[no-any-return]  # what the call gives


@composite(method=True, out=True, names=("linalg_inv",))
def inverse(input: Tensor) -> Tensor:
    """Returns the inverse of a square matrix."""
    return inv(input)


@primitive(
    grad={
        "input": lambda g, input, out: (g * conj(out)).unsqueeze(-1).unsqueeze(-1) * conj(_inv(input)).transpose(-2, -1)
    },
    node="LinalgDetBackward0",
    samples=_squares,
)
def _det(input: Tensor) -> Tensor:
    """Returns determinants."""
    ...


@composite(method=True)
def det(input: Tensor) -> Tensor:
    """Returns the determinant of a square matrix, or of each in a batch."""
    check_square("linalg.det", input)
    return _det(input)


def _slogdet_grad(g: Any, input: Tensor, out: Any) -> Tensor:
    sign, through = out[0], herm(_inv(input))
    scale = g[1]
    if input._key.dtype.category == 3:
        turn = (sign.conj() * g[0]).imag
        scale = FUNCTIONS["complex"](g[1], turn)
    return scale.unsqueeze(-1).unsqueeze(-1) * through  # type: ignore[no-any-return]  # methods arrive from the table


@primitive(grad={"input": _slogdet_grad}, node="LinalgSlogdetBackward0", samples=_squares)
def _slogdet(input: Tensor) -> Tensor:
    """Returns signs and logarithms of absolute determinants."""
    ...


@composite(method=True)
def slogdet(input: Tensor) -> Any:
    """Returns (sign, logabsdet) of the determinant."""
    check_square("linalg.slogdet", input)
    return SlogdetResult(_slogdet(input))


def linalg_slogdet(A: Tensor) -> Any:
    """Returns (sign, logabsdet) of the determinant."""
    check_square("linalg.slogdet", A)
    return LinalgSlogdetResult(_slogdet(A))


@composite(method=True)
def logdet(input: Tensor) -> Tensor:
    """Returns the logarithm of the determinant, nan where that is negative."""
    check_square("logdet", input)
    sign, size = _slogdet(input)
    return size + sign.log()


# --- linear systems ---------------------------------------------------------------------------------------------------


def _solve_samples(make: Maker) -> Any:
    yield Sample((_square(make), make(3, 2)))
    yield Sample((_square(make, 2), make(2, 3, 1)))


@primitive(
    grad={
        "A": lambda g, A, out: -_matmul_nt(_solve(herm(A), g), conj(out)),
        "B": lambda g, A: _solve(herm(A), g),
    },
    node="LinalgSolveExBackward0",
    samples=_solve_samples,
)
def _solve(A: Tensor, B: Tensor) -> Tensor:
    """Returns ``X`` with ``A @ X = B``."""
    ...


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """Returns ``X`` with ``A @ X = B`` (``X @ A = B`` where not ``left``); a vector ``B`` gives a vector."""
    check_square("linalg.solve", A)
    if A._key.dtype is not B._key.dtype:
        raise RuntimeError(
            f"linalg.solve: Expected A and B to have the same dtype, but found A of type {A._key.dtype.legacy} "
            f"and B of type {B._key.dtype.legacy} instead"
        )
    shape, other = tuple(A._a.shape), tuple(B._a.shape)
    vector = len(other) == 1 or (len(shape) - 1 == len(other) and other == shape[:-1])
    if vector:
        B = B.unsqueeze(-1)
    other = tuple(B._a.shape)
    rows = other[-2] if left else other[-1]
    if rows != shape[-1]:
        raise RuntimeError(
            f"linalg.solve: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
            f"({shape[-2]}x{shape[-1]} and {other[-2]}x{other[-1]})"
        )
    broadcast_shapes(shape[:-2], other[:-2])

    def sentence() -> str:
        which, _ = culprit(A, _zero_pivot)
        return f"torch.linalg.solve: {which}The solver failed because the input matrix is singular."

    if left:
        out = refused(lambda: _solve(A, B), sentence)
    else:
        out = refused(lambda: _solve(A.transpose(-2, -1), B.transpose(-2, -1)), sentence).transpose(-2, -1)
    return out.squeeze(-1) if vector else out  # type: ignore[no-any-return]  # methods arrive from the table


def _triangle(x: Tensor, upper: bool, unit: bool) -> Tensor:
    if upper:
        return FUNCTIONS["triu"](x, 1 if unit else 0)  # type: ignore[no-any-return]  # an entry of the table
    return FUNCTIONS["tril"](x, -1 if unit else 0)  # type: ignore[no-any-return]  # an entry of the table


@primitive(
    grad={
        "A": lambda g, A, out, upper, unitriangular: _triangle(
            -_matmul_nt(_solve_triangular(herm(A), g, not upper, unitriangular), conj(out)), upper, unitriangular
        ),
        "B": lambda g, A, upper, unitriangular: _solve_triangular(herm(A), g, not upper, unitriangular),
    },
    node="LinalgSolveTriangularBackward0",
)
def _solve_triangular(A: Tensor, B: Tensor, upper: bool, unitriangular: bool) -> Tensor:
    """Returns ``X`` with ``A @ X = B``, reading one triangle of ``A``."""
    ...


def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """Returns ``X`` with ``A @ X = B`` for a triangular ``A``, of which only that triangle is read."""
    check_square("linalg.solve_triangular", A)
    if left:
        return _solve_triangular(A, B, upper, unitriangular)
    out = _solve_triangular(A.transpose(-2, -1), B.transpose(-2, -1), not upper, unitriangular)
    return out.transpose(-2, -1)  # type: ignore[no-any-return]  # methods arrive from the table
