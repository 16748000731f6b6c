"""Inverses and solutions of linear systems, with derivatives that are solutions again.

A singular matrix is an error that names the place where elimination stops; the ``_ex`` forms return it as ``info``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dispatchtorch._base.notices import warn_once
from dispatchtorch.dispatch.table import FUNCTIONS, composite, primitive
from dispatchtorch.ops import return_types
from dispatchtorch.ops.matmul import _matmul_nt, _matmul_tn, conj
from dispatchtorch.ops.matrices import (
    LinAlgError,
    batch_element,
    check_matrix,
    check_square,
    culprit,
    herm,
    linalg,
    require_tensor,
    square,
    squares,
)
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.sizes import broadcast_shapes
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "check_shapes", "inverse", "is_vector", "linalg_inv", "linalg_inv_ex", "linalg_solve", "linalg_solve_ex",
    "linalg_solve_triangular", "linalg_tensorinv", "linalg_tensorsolve", "same_dtype", "triangular_solve",
]  # fmt: skip

InvExResult = return_types.make("linalg_inv_ex", "inverse", "info")
SolveExResult = return_types.make("linalg_solve_ex", "result", "info")
TriangularSolveResult = return_types.make("triangular_solve", "solution", "cloned_coefficient")


def _require_regular(name: str, info: Tensor) -> None:
    """Raises torch's error unless every matrix had an inverse."""
    i, place = culprit(info)
    if place:
        raise LinAlgError(
            f"{name}: {batch_element(info, i)}The diagonal element {place} is zero, the inversion could not be "
            "completed because the input matrix is singular."
        )


# --- inverses ---------------------------------------------------------------------------------------------------------


@primitive(
    grad={"input": lambda g, out: -_matmul_nt(_matmul_tn(conj(out[0]), g[0]), conj(out[0]))},
    node="LinalgInvExBackward0",
    samples=squares,
)
def _inv(input: Tensor) -> tuple[Tensor, Tensor]:
    """Returns inverses, and for each which pivot is zero, from 1, or 0."""
    ...


@linalg(samples=squares)
def linalg_inv(A: Tensor) -> Tensor:
    """Returns the inverse of a square matrix, or of each in a batch; LinAlgError for a singular one.

    >>> torch.linalg.inv(torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    check_square("linalg.inv", A)
    result, info = _inv(A)
    _require_regular("linalg.inv", info)
    return result


@composite(method=True, out=True)
def inverse(input: Tensor) -> Tensor:
    """Returns the inverse of a square matrix."""
    return linalg_inv(input)


@linalg(samples=squares)
def linalg_inv_ex(A: Tensor, *, check_errors: bool = False) -> Any:
    """Returns (inverse, info): ``info`` is 0, or which pivot is zero; nothing is raised unless ``check_errors``."""
    check_square("linalg.inv", A)
    result, info = _inv(A)
    if check_errors:
        _require_regular("linalg.inv_ex", info)
    return InvExResult((result, info))


# --- linear systems ---------------------------------------------------------------------------------------------------


def _solve_samples(make: Maker) -> Any:
    yield Sample((square(make), make(3, 2)))
    yield Sample((square(make, 2), make(2, 3, 1)))


def _solved(A: Tensor, B: Tensor) -> Tensor:
    return _solve(A, B)[0]


@primitive(
    grad={
        "A": lambda g, A, out: -_matmul_nt(_solved(herm(A), g[0]), conj(out[0])),
        "B": lambda g, A: _solved(herm(A), g[0]),
    },
    node="LinalgSolveExBackward0",
    samples=_solve_samples,
)
def _solve(A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
    """Returns ``X`` with ``A @ X = B``, and for each ``A`` which pivot is zero, from 1, or 0."""
    ...


def same_dtype(name: str, A: Tensor, B: Tensor) -> None:
    """Raises torch's error where two arguments have different dtypes."""
    if A._key.dtype is not B._key.dtype:
        raise RuntimeError(
            f"{name}: Expected A and B to have the same dtype, but found A of type {A._key.dtype.legacy} "
            f"and B of type {B._key.dtype.legacy} instead"
        )


def check_shapes(name: str, A: Tensor, B: Tensor, left: bool) -> None:
    """Raises torch's error unless the matrices ``B`` fit the square matrices ``A``."""
    if len(B._a.shape) < 2:
        raise RuntimeError(f"{name}: The input tensor B must have at least 2 dimensions.")
    shape, other = tuple(A._a.shape), tuple(B._a.shape)
    if shape[-2 if left else -1] != other[-2 if left else -1]:
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
            f"({shape[-2]}x{shape[-1]} and {other[-2]}x{other[-1]})"
        )
    broadcast_shapes(shape[:-2], other[:-2])


def is_vector(A: Tensor, B: Tensor) -> bool:
    """Returns whether ``B`` holds right sides that are vectors, one a matrix of ``A``."""
    shape, other = tuple(A._a.shape), tuple(B._a.shape)
    return len(other) == 1 or (len(shape) - 1 == len(other) and other == shape[:-1])


def _solve_any(name: str, A: Tensor, B: Tensor, left: bool, check: bool) -> tuple[Tensor, Tensor]:
    check_square("linalg.solve", A, kernel="lu_cpu")
    same_dtype("linalg.solve", A, B)
    vector = is_vector(A, B)
    if vector:
        B = B.unsqueeze(-1)
    check_shapes("linalg.solve", A, B, left)
    if left:
        result, info = _solve(A, B)
    else:
        result, info = _solve(A.transpose(-2, -1), B.transpose(-2, -1))
        result = result.transpose(-2, -1)
    if check:
        i, place = culprit(info)
        if place:
            raise LinAlgError(
                f"{name}: {batch_element(info, i)}The solver failed because the input matrix is singular."
            )
    return (result.squeeze(-1) if vector else result), info


@linalg(samples=_solve_samples)
def linalg_solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """Returns ``X`` with ``A @ X = B`` (``X @ A = B`` where not ``left``); a vector ``B`` gives a vector."""
    require_tensor("linalg_solve", A=A, B=B)
    return _solve_any("torch.linalg.solve", A, B, left, True)[0]


@linalg(samples=_solve_samples)
def linalg_solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> Any:
    """Returns (result, info) of `solve`; ``info`` is 0, or which pivot is zero, and nothing is raised unless asked."""
    require_tensor("linalg_solve_ex", A=A, B=B)
    return SolveExResult(_solve_any("torch.linalg.solve_ex", A, B, left, check_errors))


# --- triangular systems -----------------------------------------------------------------------------------------------


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


def _check_dtype(B: Tensor) -> None:
    if B._key.dtype.category < 2 or (B._key.dtype.itemsize == 2 and B._key.dtype.category == 2):
        raise NotImplementedError(f"\"triangular_solve_cpu\" not implemented for '{B._key.dtype.legacy}'")


def _triangular_samples(make: Maker) -> Any:
    yield Sample((square(make), make(3, 2)), {"upper": True})
    yield Sample((square(make, 2), make(2, 2, 3)), {"upper": False, "left": False, "unitriangular": True})


@linalg(samples=_triangular_samples)
def linalg_solve_triangular(
    A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor:
    """Returns ``X`` with ``A @ X = B`` for a triangular ``A``, of which only that triangle is read."""
    require_tensor("linalg_solve_triangular", A=A, B=B)
    check_square("linalg.solve_triangular", A, typed=False)
    check_shapes("linalg.solve_triangular", A, B, left)
    _check_dtype(A)
    if A._key.dtype is not B._key.dtype:
        B = B.to(A._key.dtype)
    if left:
        return _solve_triangular(A, B, upper, unitriangular)
    out = _solve_triangular(A.transpose(-2, -1), B.transpose(-2, -1), not upper, unitriangular)
    return out.transpose(-2, -1)  # type: ignore[no-any-return]  # methods arrive from the table


def _turned_samples(make: Maker) -> Any:
    yield Sample((make(3, 2), square(make)))
    yield Sample((make(2, 3, 1), square(make), False, True, True))


@composite(method=True, out=True, samples=_turned_samples)
def triangular_solve(
    input: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> Any:
    """Returns (solution, cloned_coefficient) for a triangular ``A``; deprecated for `linalg.solve_triangular`."""
    warn_once(
        "torch.triangular_solve is deprecated in favor of torch.linalg.solve_triangularand will be removed in a future "
        "PyTorch release.\ntorch.linalg.solve_triangular has its arguments reversed and does not return a copy of one "
        "of the inputs.\nX = torch.triangular_solve(B, A).solution\nshould be replaced with\n"
        "X = torch.linalg.solve_triangular(A, B)."
    )
    for name, t in (("b", input), ("A", A)):
        if len(t._a.shape) < 2:
            raise RuntimeError(
                f"torch.triangular_solve: Expected {name} to have at least 2 dimensions, but it has "
                f"{len(t._a.shape)} dimensions instead"
            )
    rows, columns = A._a.shape[-2:]
    if rows != columns:
        raise RuntimeError(f"A must be batches of square matrices, but they are {rows} by {columns} matrices")
    if input._a.shape[-2] != columns:
        raise RuntimeError(
            f"Incompatible matrix sizes for triangular_solve: each A matrix is {rows} by {columns} but each b matrix "
            f"is {input._a.shape[-2]} by {input._a.shape[-1]}"
        )
    _check_dtype(input)
    batch = broadcast_shapes(tuple(input._a.shape[:-2]), tuple(A._a.shape[:-2]))
    cloned = A.expand(*batch, rows, columns).clone()
    matrix = A.transpose(-2, -1) if transpose else A
    return TriangularSolveResult((_solve_triangular(matrix, input, upper != transpose, unitriangular), cloned))


# --- systems over several dimensions ----------------------------------------------------------------------------------


def _unequal(before: int, after: int, first: str, second: str) -> RuntimeError:
    return RuntimeError(
        f"Expected self to satisfy the requirement prod(self.shape[{first}]) == prod(self.shape[{second}]), but got "
        f"{before} != {after}"
    )


def _tensorinv_samples(make: Maker) -> Any:
    yield Sample((square(make).reshape(3, 3, 1),), {"ind": 1})


@linalg(samples=_tensorinv_samples)
def linalg_tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """Returns the inverse of ``A`` as a map between its first ``ind`` dimensions and the rest."""
    if ind <= 0:
        raise RuntimeError(f"Expected a strictly positive integer for 'ind', but got {ind}")
    shape = tuple(A._a.shape)
    after, before = math.prod(shape[ind:]), math.prod(shape[:ind])
    if after != before:
        raise _unequal(after, before, "ind:", ":ind")
    result, info = _inv(_typed("inv", A.reshape(after, before)))
    _require_regular("inv", info)
    return result.reshape(*shape[ind:], *shape[:ind])


def _typed(name: str, A: Tensor) -> Tensor:
    check_square("linalg." + name, A)
    return A


def _tensorsolve_samples(make: Maker) -> Any:
    yield Sample((square(make).reshape(3, 3, 1), make(3)))


@linalg(samples=_tensorsolve_samples)
def linalg_tensorsolve(A: Tensor, B: Tensor, dims: Sequence[int] | None = None) -> Tensor:
    """Returns ``X`` with ``tensordot(A, X, X.ndim) == B``, after moving ``dims`` of ``A`` to the end."""
    ndim = len(A._a.shape)
    if dims is not None:
        A = FUNCTIONS["movedim"](A, list(dims), list(range(ndim - len(dims), ndim)))
    shape, m = tuple(A._a.shape), len(B._a.shape)
    after, before = math.prod(shape[m:]), math.prod(shape[:m])
    if after != before:
        raise _unequal(after, before, "other.ndim:", ":other.ndim")
    check_matrix("linalg.solve", A.reshape(after, before))
    return linalg_solve(A.reshape(after, before), B.flatten()).reshape(shape[m:])
