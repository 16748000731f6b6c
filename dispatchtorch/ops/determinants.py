"""Determinants and their logarithms."""

from __future__ import annotations

from typing import Any

from dispatchtorch.dispatch.table import FUNCTIONS, composite, primitive
from dispatchtorch.ops import return_types
from dispatchtorch.ops.matmul import conj, matmul
from dispatchtorch.ops.matrices import check_square, culprit, herm, linalg, squares
from dispatchtorch.ops.spectra import _svd
from dispatchtorch.ops.systems import _inv
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["det", "linalg_det", "linalg_slogdet", "logdet", "slogdet"]

SlogdetResult = return_types.make("slogdet", "sign", "logabsdet")
LinalgSlogdetResult = return_types.make("linalg_slogdet", "sign", "logabsdet")


def _det_grad(g: Tensor, input: Tensor, out: Tensor) -> Tensor:
    """Returns the gradient: the adjugate, from the inverse where there is one, else from singular vectors."""
    inverse, info = _inv(input)
    if not culprit(info)[1]:
        return (g * conj(out)).unsqueeze(-1).unsqueeze(-1) * herm(inverse)  # type: ignore[no-any-return]  # methods arrive from the table
    u, s, vh = _svd(input, False)
    n = s._a.shape[-1]
    others = [FUNCTIONS["cat"]([s[..., :i], s[..., i + 1 :]], -1).prod(-1) for i in range(n)]
    scale = FUNCTIONS["stack"](others, -1) * (g * conj(_det(u) * _det(vh))).unsqueeze(-1)
    return matmul(u * scale.unsqueeze(-2), vh)


@primitive(grad={"input": _det_grad}, node="LinalgDetBackward0", samples=squares)
def _det(input: Tensor) -> Tensor:
    """Returns determinants."""
    ...


@linalg(samples=squares)
def linalg_det(A: Tensor) -> Tensor:
    """Returns the determinant of a square matrix, or of each in a batch."""
    check_square("linalg.det", A, kernel="lu_cpu")
    return _det(A)


@composite(method=True)
def det(input: Tensor) -> Tensor:
    """Returns the determinant of a square matrix, or of each in a batch."""
    return linalg_det(input)


def _slogdet_grad(g: Any, input: Tensor, out: Any) -> Tensor:
    sign, through = out[0], herm(_inv(input)[0])
    scale = g[1]
    if input._key.dtype.category == 3:
        turn = (sign.conj() * g[0]).imag
        scale = FUNCTIONS["complex"](g[1], turn)
    return scale.unsqueeze(-1).unsqueeze(-1) * through  # type: ignore[no-any-return]  # methods arrive from the table


@primitive(grad={"input": _slogdet_grad}, node="LinalgSlogdetBackward0", samples=squares)
def _slogdet(input: Tensor) -> tuple[Tensor, Tensor]:
    """Returns signs and logarithms of absolute determinants."""
    ...


@composite(method=True, out=True)
def slogdet(input: Tensor) -> Any:
    """Returns (sign, logabsdet) of the determinant."""
    check_square("linalg.slogdet", input, kernel="lu_cpu")
    return SlogdetResult(_slogdet(input))


@linalg(samples=squares)
def linalg_slogdet(A: Tensor) -> Any:
    """Returns (sign, logabsdet) of the determinant."""
    check_square("linalg.slogdet", A, kernel="lu_cpu")
    return LinalgSlogdetResult(_slogdet(A))


@composite(method=True)
def logdet(input: Tensor) -> Tensor:
    """Returns the logarithm of the determinant, nan where that is negative."""
    check_square("logdet", input, kernel="lu_cpu")
    sign, size = _slogdet(input)
    return size + sign.log()
