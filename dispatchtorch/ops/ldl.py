"""Factors of symmetric matrices that need not be definite: ``A = L D L^T``, pivoted as Bunch and Kaufman do.

``D`` has blocks of one and two; two negative pivots in a row mark a block of two, as LAPACK's ``sytrf`` writes them.
No derivatives, as in torch.
"""

from __future__ import annotations

from typing import Any

from dispatchtorch._base.dtypes import int32
from dispatchtorch.dispatch.table import primitive
from dispatchtorch.ops import return_types
from dispatchtorch.ops.matrices import batch_element, check_square, culprit, linalg, symmetric
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.sizes import broadcast_shapes
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["linalg_ldl_factor", "linalg_ldl_factor_ex", "linalg_ldl_solve"]

LdlResult = return_types.make("linalg_ldl_factor", "LD", "pivots")
LdlExResult = return_types.make("linalg_ldl_factor_ex", "LD", "pivots", "info")


def _samples(make: Maker) -> Any:
    yield Sample((symmetric(make),), grad=False)
    yield Sample((symmetric(make, 2),), {"hermitian": True}, grad=False)


@primitive(samples=lambda make: iter([Sample((symmetric(make, 2), False), grad=False)]))
def _ldl_factor(input: Tensor, hermitian: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Returns packed factors, pivots, and for each matrix which block of ``D`` is zero, from 1, or 0."""
    ...


@primitive()
def _ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, hermitian: bool) -> Tensor:
    """Returns ``X`` with ``A @ X = B``."""
    ...


@linalg(samples=_samples)
def linalg_ldl_factor(A: Tensor, *, hermitian: bool = False) -> Any:
    """Returns (LD, pivots) of a symmetric (or Hermitian) matrix, of which the lower triangle is read."""
    check_square("torch.linalg.ldl_factor_ex", A)
    packed, pivots, info = _ldl_factor(A, hermitian)
    i, code = culprit(info)
    if code:
        raise RuntimeError(f"torch.linalg.ldl_factor: {batch_element(info, i)}Unknown error code: {code}.")
    return LdlResult((packed, pivots))


@linalg(samples=_samples)
def linalg_ldl_factor_ex(A: Tensor, *, hermitian: bool = False, check_errors: bool = False) -> Any:
    """Returns (LD, pivots, info): ``info`` is 0, or which block of ``D`` is zero."""
    check_square("torch.linalg.ldl_factor_ex", A)
    packed, pivots, info = _ldl_factor(A, hermitian)
    i, code = culprit(info) if check_errors else (0, 0)
    if code:
        raise RuntimeError(f"torch.linalg.ldl_factor_ex: {batch_element(info, i)}Unknown error code: {code}.")
    return LdlExResult((packed, pivots, info))


def _solve_samples(make: Maker) -> Any:
    from_pivots = _packed_sample(make)
    yield Sample((*from_pivots, make(3, 2)), grad=False)


def _packed_sample(make: Maker) -> tuple[Tensor, Tensor]:
    packed, pivots, _ = _ldl_factor(symmetric(make), False)
    return packed, pivots


@linalg(samples=_solve_samples)
def linalg_ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, *, hermitian: bool = False) -> Tensor:
    """Returns ``X`` with ``A @ X = B``, given what `ldl_factor` says of ``A``."""
    name = "torch.linalg.ldl_solve"
    check_square(name, LD)
    if len(B._a.shape) < 2:
        if not B._a.shape:
            raise IndexError("Dimension specified as -2 but tensor has no dimensions")
        raise IndexError("Dimension out of range (expected to be in range of [-1, 0], but got -2)")
    rows, columns = LD._a.shape[-2:]
    if B._a.shape[-2] != rows:
        raise RuntimeError(
            f"Incompatible matrix sizes for {name}: each A matrix is {rows} by {columns} but each b matrix is "
            f"{B._a.shape[-2]} by {B._a.shape[-1]}"
        )
    if tuple(LD._a.shape[:-1]) != tuple(pivots._a.shape):
        raise RuntimeError(
            f"{name}: Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots with shape "
            f"{list(pivots._a.shape)} instead"
        )
    if pivots._key.dtype.category != 1:
        raise RuntimeError(f"{name}: Expected pivots to be integers. Got {pivots._key.dtype.legacy}")
    if LD._key.dtype is not B._key.dtype:
        raise RuntimeError(f"{name}: LD dtype {LD._key.dtype.legacy} does not match b dtype {B._key.dtype.legacy}")
    batch = broadcast_shapes(tuple(LD._a.shape[:-2]), tuple(B._a.shape[:-2]))
    return _ldl_solve(
        LD.expand(*batch, rows, columns),
        pivots.to(int32).expand(*batch, rows),
        B.expand(*batch, *B._a.shape[-2:]),
        hermitian,
    )
