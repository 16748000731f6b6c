"""LU factorisation with partial pivoting: packed and unpacked, solving with it, torch.linalg's and older names.

Packed, ``L`` and ``U`` lie in one matrix and ``pivots`` says, from 1, which row was swapped with each.
"""

from __future__ import annotations

from typing import Any

from dispatchtorch._base.dtypes import int32
from dispatchtorch._base.notices import warn_once
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, primitive
from dispatchtorch.ops import return_types
from dispatchtorch.ops.matmul import _matmul_nt, _matmul_tn, conj
from dispatchtorch.ops.matrices import batch_element, check_square, culprit, herm, linalg, square
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.ops.systems import _solve_triangular, check_shapes
from dispatchtorch.tensor.sizes import broadcast_shapes
from dispatchtorch.tensor.tensor import Tensor, read

__all__ = ["linalg_lu", "linalg_lu_factor", "linalg_lu_factor_ex", "linalg_lu_solve", "lu", "lu_solve", "lu_unpack"]

LuResult = return_types.make("linalg_lu", "P", "L", "U")
LuFactorResult = return_types.make("linalg_lu_factor", "LU", "pivots")
LuFactorExResult = return_types.make("linalg_lu_factor_ex", "LU", "pivots", "info")
LuWithInfoResult = return_types.make("_lu_with_info", "LU", "pivots", "info")
LuUnpackResult = return_types.make("lu_unpack", "P", "L", "U")


# --- factors ----------------------------------------------------------------------------------------------------------


def _triangles(packed: Tensor) -> tuple[Tensor, Tensor]:
    """Returns ``L`` with its ones, and ``U``."""
    m, n = packed._a.shape[-2:]
    k = min(m, n)
    eye = FUNCTIONS["eye"](m, k, dtype=packed._key.dtype, device=packed._key.device)
    return FUNCTIONS["tril"](packed.narrow(-1, 0, k), -1) + eye, FUNCTIONS["triu"](packed.narrow(-2, 0, k))


def _permuted(x: Tensor, order: Tensor) -> Tensor:
    """Returns ``x`` with its rows taken in an order, one order a matrix."""
    batch = broadcast_shapes(tuple(x._a.shape[:-2]), tuple(order._a.shape[:-1]))
    if not x.numel():
        return x.expand(*batch, *x._a.shape[-2:])
    index = order.unsqueeze(-1).expand(*batch, *x._a.shape[-2:])
    return FUNCTIONS["gather"](x.expand(*batch, *x._a.shape[-2:]), -2, index)  # type: ignore[no-any-return]  # an entry of the table


def _factor_grad(g: Any, out: Any) -> Tensor:
    """Returns the gradient of the packed factors, for a matrix of any shape with regular leading part."""
    packed, pivots = out[0], out[1]
    m, n = packed._a.shape[-2:]
    k = min(m, n)
    low, up = _triangles(packed)
    through = g[0]
    g_low, g_up = through.narrow(-1, 0, k), through.narrow(-2, 0, k)
    low1, up1 = low.narrow(-2, 0, k), up.narrow(-1, 0, k)
    below = _matmul_tn(conj(low1), FUNCTIONS["tril"](g_low.narrow(-2, 0, k), -1))
    above = _matmul_nt(FUNCTIONS["triu"](g_up.narrow(-1, 0, k)), conj(up1))
    if m > k:
        above = above - _matmul_tn(conj(low.narrow(-2, k, m - k)), g_low.narrow(-2, k, m - k))
    if n > k:
        below = below - _matmul_nt(g_up.narrow(-1, k, n - k), conj(up.narrow(-1, k, n - k)))
    phi = FUNCTIONS["tril"](below, -1) + FUNCTIONS["triu"](above)
    left = _solve_triangular(herm(low1), phi, True, True)
    result = herm(_solve_triangular(up1, herm(left), True, False))
    if m > k:
        rest = herm(_solve_triangular(up1, herm(g_low.narrow(-2, k, m - k)), True, False))
        result = FUNCTIONS["cat"]([result, rest], -2)
    if n > k:
        rest = _solve_triangular(herm(low1), g_up.narrow(-1, k, n - k), True, True)
        result = FUNCTIONS["cat"]([result, rest], -1)
    order = _rows_of(pivots, m)
    return _permuted(result, FUNCTIONS["argsort"](order, -1))


def _factor_samples(make: Maker) -> Any:
    for shape in ((3, 3), (4, 3), (2, 3, 4)):
        yield Sample((make(*shape),))


@primitive(grad={"input": _factor_grad}, node="LinalgLuFactorExBackward0", samples=_factor_samples)
def _lu_factor(input: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns packed factors, pivots from 1, and for each matrix which pivot is zero, from 1, or 0."""
    ...


@primitive()
def _lu_rows(pivots: Tensor, rows: int) -> Tensor:
    """Returns which row of the matrix stands in each row of ``L @ U``, from pivots that count from 1."""
    ...


def _rows_of(pivots: Tensor, rows: int) -> Tensor:
    return _lu_rows(pivots, rows)


def _refuse_unpivoted(pivot: bool) -> None:
    if not pivot:
        raise RuntimeError("linalg.lu_factor: LU without pivoting is not implemented on the CPU")


def _check_dtype(A: Tensor) -> None:
    if len(A._a.shape) >= 2 and (A._key.dtype.category < 2 or A._key.dtype.itemsize == 2):
        raise NotImplementedError(f"\"lu_cpu\" not implemented for '{A._key.dtype.legacy}'")


def _factored(name: str, A: Tensor, pivot: bool, check: bool) -> tuple[Tensor, Tensor, Tensor]:
    if len(A._a.shape) < 2:
        raise RuntimeError(
            f"torch.lu_factor: Expected tensor with 2 or more dimensions. Got size: {list(A._a.shape)} instead"
        )
    _refuse_unpivoted(pivot)
    _check_dtype(A)
    packed, pivots, info = _lu_factor(A)
    if check:
        i, place = culprit(info)
        if place:
            raise RuntimeError(
                f"{name}: {batch_element(info, i)}U[{place},{place}] is zero and using it on lu_solve would result in "
                "a division by zero. If you still want to perform the factorization, consider calling linalg.lu(A, "
                "pivot) or linalg.lu_factor_ex(A, pivot)"
            )
    return packed, pivots, info


@linalg(samples=_factor_samples)
def linalg_lu_factor(A: Tensor, *, pivot: bool = True) -> Any:
    """Returns (LU, pivots): packed factors, and from 1 which row each was swapped with."""
    return LuFactorResult(_factored("torch.linalg.lu_factor", A, pivot, True)[:2])


@linalg(samples=_factor_samples)
def linalg_lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """Returns (LU, pivots, info): ``info`` is 0, or which element of U's diagonal is zero."""
    return LuFactorExResult(_factored("torch.linalg.lu_factor_ex", A, pivot, check_errors))


@composite(function=False, method=False, samples=_factor_samples)
def _lu_with_info(self: Tensor, pivot: bool = True, check_errors: bool = True) -> Any:
    """Returns (LU, pivots, info), with a notice that torch.lu is deprecated."""
    warn_once(
        "torch.lu is deprecated in favor of torch.linalg.lu_factor / torch.linalg.lu_factor_ex and will be removed in "
        "a future PyTorch release.\nLU, pivots = torch.lu(A, compute_pivots)\nshould be replaced with\n"
        "LU, pivots = torch.linalg.lu_factor(A, compute_pivots)\nand\n"
        "LU, pivots, info = torch.lu(A, compute_pivots, get_infos=True)\nshould be replaced with\n"
        "LU, pivots, info = torch.linalg.lu_factor_ex(A, compute_pivots)"
    )
    return LuWithInfoResult(_factored("torch.linalg.lu_factor_ex", self, pivot, check_errors))


def lu(A: Tensor, pivot: bool = True, get_infos: bool = False, out: Any = None) -> Any:
    """Returns (LU, pivots), with ``get_infos`` and info as well; deprecated for `linalg.lu_factor`."""
    result = _lu_with_info(A, pivot=pivot, check_errors=not get_infos)
    if out is not None:
        if len(out) != 2 + get_infos:
            raise TypeError(f"expected tuple of {2 + get_infos} elements but got {len(out)}")
        for given, value in zip(out, result, strict=False):
            METHODS["copy_"](METHODS["resize_"](given, value._a.shape), value)
        return out
    return result if get_infos else (result[0], result[1])


FUNCTIONS["lu"] = METHODS["lu"] = lu
FUNCTIONS["_lu_with_info"] = METHODS["_lu_with_info"] = _lu_with_info


# --- unpacked ---------------------------------------------------------------------------------------------------------


def _permutation(order: Tensor, like: Tensor) -> Tensor:
    """Returns the matrix ``P`` with ``A = P @ L @ U``: row ``order[i]`` of the matrix is row ``i`` of the product."""
    m = order._a.shape[-1]
    counted = FUNCTIONS["arange"](m, device=like._key.device).unsqueeze(-1)
    return (order.unsqueeze(-2) == counted).to(like._key.dtype)  # type: ignore[no-any-return]  # methods arrive from the table


@linalg(samples=_factor_samples)
def linalg_lu(A: Tensor, *, pivot: bool = True) -> Any:
    """Returns (P, L, U) with ``A = P @ L @ U``: a permutation, a unit lower and an upper triangular matrix."""
    if len(A._a.shape) < 2:
        raise RuntimeError(
            f"linalg.lu: Expected tensor with 2 or more dimensions. Got size: {list(A._a.shape)} instead"
        )
    _refuse_unpivoted(pivot)
    _check_dtype(A)
    packed, pivots, _ = _lu_factor(A)
    return LuResult((_permutation(_rows_of(pivots, A._a.shape[-2]), A), *_triangles(packed)))


def _unpack_samples(make: Maker) -> Any:
    pivots = FUNCTIONS["tensor"]([2, 3, 3], dtype=int32)
    yield Sample((make(3, 3), pivots))
    yield Sample((make(4, 3), pivots))
    yield Sample((make(3, 4), pivots, True, False))


@composite(out=True, samples=_unpack_samples)
def lu_unpack(LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True) -> Any:
    """Returns (P, L, U) of packed factors; what is not asked for is empty."""
    if unpack_pivots and LU_pivots._key.dtype is not int32:
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.\nNote: this "
            "function is intended to be used with the output produced by torch.linalg.lu_factor"
        )
    nothing = LU_data.new_empty(0)
    order: Tensor = nothing
    if unpack_pivots:
        rows = LU_data._a.shape[-2]
        if not _within(LU_pivots, rows):
            raise RuntimeError(
                "pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive.Did you properly pass the "
                "result of lu_factor?"
            )
        order = _permutation(_rows_of(LU_pivots, rows), LU_data)
    low, up = _triangles(LU_data) if unpack_data else (nothing, LU_data.new_empty(0))
    return LuUnpackResult((order, low, up))


def _within(pivots: Tensor, rows: int) -> bool:
    raw = read(pivots)
    try:
        return bool(((raw >= 1) & (raw <= rows)).all())
    except TypeError:  # a traced array
        return True


# --- solving ----------------------------------------------------------------------------------------------------------


def _lu_solve_samples(make: Maker) -> Any:
    pivots = FUNCTIONS["tensor"]([2, 3, 3], dtype=int32)
    yield Sample((square(make), pivots, make(3, 2)))
    yield Sample((square(make), pivots, make(2, 3)), {"left": False})
    yield Sample((square(make), pivots, make(2, 3, 2)), {"adjoint": True})


@linalg(samples=_lu_solve_samples)
def linalg_lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False) -> Tensor:
    """Returns ``X`` with ``A @ X = B``, ``A`` given by its packed factors; ``A^H`` where ``adjoint``."""
    if LU._key.dtype is not B._key.dtype:
        raise RuntimeError(
            f"linalg.lu_solve: Expected LU and B to have the same dtype, but found LU of type {LU._key.dtype.legacy} "
            f"and B of type {B._key.dtype.legacy} instead"
        )
    if pivots._key.dtype is not int32:
        raise RuntimeError("linalg.lu_solve: pivots should be a Tensor of scalar type torch.int32")
    check_square("linalg.lu_solve", LU)
    check_shapes("linalg.lu_solve", LU, B, left)
    if not pivots._a.shape or pivots._a.shape[-1] != LU._a.shape[-1]:
        raise RuntimeError("linalg.lu_solve: Number of pivots per batch should be same as the dimension of the matrix")
    if tuple(LU._a.shape[:-2]) != tuple(pivots._a.shape[:-1]):
        raise RuntimeError("linalg.lu_solve: Batch dimensions of LU and pivots should match")
    if not left:  # X A = B is A^H X^H = B^H
        return herm(_solve_packed(LU, pivots, herm(B), not adjoint))
    return _solve_packed(LU, pivots, B, adjoint)


def _solve_packed(packed: Tensor, pivots: Tensor, B: Tensor, adjoint: bool) -> Tensor:
    order = _rows_of(pivots, packed._a.shape[-1])
    if not adjoint:
        first = _solve_triangular(packed, _permuted(B, order), False, True)
        return _solve_triangular(packed, first, True, False)
    first = _solve_triangular(herm(packed), B, False, False)
    second = _solve_triangular(herm(packed), first, True, True)
    return _permuted(second, FUNCTIONS["argsort"](order, -1))


def _old_solve_samples(make: Maker) -> Any:
    yield Sample((make(3, 2), square(make), FUNCTIONS["tensor"]([2, 3, 3], dtype=int32)))


@composite(method=True, out=True, samples=_old_solve_samples)
def lu_solve(input: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """Returns ``X`` with ``A @ X = input``; deprecated for `linalg.lu_solve`, whose arguments stand the other way."""
    warn_once(
        "torch.lu_solve is deprecated in favor of torch.linalg.lu_solveand will be removed in a future PyTorch "
        "release.\nNote that torch.linalg.lu_solve has its arguments reversed.\nX = torch.lu_solve(B, LU, pivots)\n"
        "should be replaced with\nX = torch.linalg.lu_solve(LU, pivots, B)"
    )
    return linalg_lu_solve(LU_data, LU_pivots, input)
