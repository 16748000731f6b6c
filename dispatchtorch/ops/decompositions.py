"""What linear algebra makes of factors: pseudo-inverses, powers, norms of matrices; and the list of ``torch.linalg``.

`LINALG` holds torch.linalg's functions by name; the door `dispatchtorch.linalg` opens it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from dispatchtorch.dispatch.table import FUNCTIONS, METHODS
from dispatchtorch.ops.einsum import linalg_cross, multi_dot
from dispatchtorch.ops.factors import _svd, cholesky, eigh, eigvalsh, qr, svd, svdvals
from dispatchtorch.ops.magnitude import vector_norm
from dispatchtorch.ops.matmul import conj, matmul
from dispatchtorch.ops.systems import (
    LinAlgError,
    check_matrix,
    check_square,
    det,
    herm,
    inv,
    linalg_slogdet,
    solve,
    solve_triangular,
)
from dispatchtorch.tensor.sizes import wrap_dim
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["LINALG", "LinAlgError"]

LINALG: Final[dict[str, Callable[..., Any]]] = {}  # torch.linalg's functions by name


def pinv(A: Tensor, *, rcond: float | None = None, rtol: float | None = None, hermitian: bool = False) -> Tensor:
    """Returns the pseudo-inverse: the inverse on what is not nearly zero, zero elsewhere."""
    check_matrix("linalg.pinv", A)
    u, s, vh = _svd(A, False)
    small = {4: 1.1920929e-07, 8: 2.220446049250313e-16}[A._key.dtype.to_real().itemsize]
    limit = rtol if rtol is not None else rcond if rcond is not None else max(A._a.shape[-2:]) * small
    kept = s > s.amax(-1, keepdim=True) * limit
    inverse = FUNCTIONS["where"](kept, 1 / FUNCTIONS["where"](kept, s, s.new_ones(())), s.new_zeros(()))
    return matmul(herm(vh) * inverse.unsqueeze(-2), herm(u))


def matrix_power(A: Tensor, n: int) -> Tensor:
    """Returns ``A`` multiplied ``n`` times, by repeated squaring; a negative ``n`` inverts first."""
    check_square("linalg.matrix_power", A)
    if n < 0:
        return matrix_power(inv(A), -n)
    if n == 0:
        eye = FUNCTIONS["eye"](A._a.shape[-1], dtype=A._key.dtype, device=A._key.device)
        return eye.expand(A._a.shape).clone()  # type: ignore[no-any-return]  # methods arrive from the table
    out: Tensor | None = None
    while n:
        if n & 1:
            out = A if out is None else matmul(out, A)
        n >>= 1
        if n:
            A = matmul(A, A)
    assert out is not None  # n was positive
    return out


def _two_dims(name: str, x: Tensor, dim: Any) -> tuple[int, int]:
    dims = tuple(wrap_dim(d, len(x._a.shape)) for d in dim)
    if len(dims) != 2:
        raise RuntimeError(f"{name}: dim must be a 2-tuple. Got {list(dim)}")
    if dims[0] == dims[1]:
        raise RuntimeError(f"{name}: dims must be different. Got ({dim[0]}, {dim[1]})")
    return dims


def matrix_norm(
    A: Tensor, ord: float | str = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """Returns a norm of a matrix: "fro", "nuc", inf and 1 (largest row, column), 2 (largest singular value), or -."""
    if len(A._a.shape) < 2:
        raise RuntimeError("linalg.matrix_norm: The input tensor A must have at least 2 dimensions.")
    rows, columns = _two_dims("linalg.matrix_norm", A, dim)
    if dtype is not None:
        A = A.to(dtype)
    if ord == "fro":
        return vector_norm(A, 2, (rows, columns), keepdim)
    if ord == "nuc" or ord in (2, -2):
        s = _svd(A.permute([d for d in range(len(A._a.shape)) if d not in (rows, columns)] + [rows, columns]), False)[1]
        out = s.sum(-1) if ord == "nuc" else s.amax(-1) if ord == 2 else s.amin(-1)
        for d in sorted((rows, columns)) if keepdim else ():
            out = out.unsqueeze(d)
        return out
    if ord not in (1, -1, math.inf, -math.inf):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    over, along = (rows, columns) if abs(float(ord)) == 1 else (columns, rows)
    sums = A.abs().sum(over, keepdim=True)
    best = sums.amax(along, keepdim=True) if float(ord) > 0 else sums.amin(along, keepdim=True)
    return best if keepdim else best.squeeze((rows, columns))


def norm(
    A: Tensor, ord: float | str | None = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """Returns a vector's or a matrix's norm, depending on ``dim`` and the rank."""
    ndim = len(A._a.shape)
    if dim is not None:
        pair = not isinstance(dim, int) and len(dim) == 2
        if ord is None or not pair:
            return vector_norm(A, 2 if ord is None else float(ord), dim, keepdim, dtype=dtype)
        return matrix_norm(A, ord, dim, keepdim, dtype=dtype)
    if ord is None:
        return vector_norm(A, 2, None, keepdim, dtype=dtype)
    if ndim not in (1, 2):
        raise RuntimeError(f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {ndim}D.")
    if ndim == 1:
        return vector_norm(A, float(ord), 0, keepdim, dtype=dtype)
    return matrix_norm(A, ord, (0, 1), keepdim, dtype=dtype)


def cond(A: Tensor, p: float | str | None = None) -> Tensor:
    """Returns the condition number: the norm times the norm of the inverse."""
    if p is None or p in (2, -2):
        s = svdvals(A)
        return s[..., 0] / s[..., -1] if p != -2 else s[..., -1] / s[..., 0]
    return matrix_norm(A, p) * matrix_norm(inv(A), p)


def matrix_rank(A: Tensor, *, atol: float | None = None, rtol: float | None = None, hermitian: bool = False) -> Tensor:
    """Returns how many singular values are not nearly zero."""
    s = svdvals(A)
    small = {4: 1.1920929e-07, 8: 2.220446049250313e-16}[s._key.dtype.itemsize]
    relative = (max(A._a.shape[-2:]) * small if not atol else 0.0) if rtol is None else rtol
    limit = s.amax(-1, keepdim=True) * relative
    return (s > (limit if not atol else limit.clamp(min=atol))).sum(-1)


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Returns sums of products along ``dim``, the first factor conjugated."""
    return (conj(x) * y).sum(dim)


def _nuclear_norm(input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    return matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim)


FUNCTIONS["_nuclear_norm"] = _nuclear_norm
FUNCTIONS["matrix_power"] = METHODS["matrix_power"] = matrix_power
FUNCTIONS["pinverse"] = METHODS["pinverse"] = pinv
LINALG.update(
    cholesky=cholesky, cond=cond, cross=linalg_cross, det=det, eigh=eigh, eigvalsh=eigvalsh, inv=inv, matmul=matmul,
    matrix_norm=matrix_norm, matrix_power=matrix_power, matrix_rank=matrix_rank, multi_dot=multi_dot, norm=norm,
    pinv=pinv, qr=qr, slogdet=linalg_slogdet, solve=solve, solve_triangular=solve_triangular, svd=svd, svdvals=svdvals,
    vecdot=vecdot, vector_norm=vector_norm,
)  # fmt: skip
