"""Products of Householder's reflectors: geqrf, householder_product (orgqr) and ormqr.

A matrix's columns below the diagonal and ``tau`` mean ``H1 H2 ... Hk`` with ``Hi = I - tau_i v_i v_i^H``. The product
is ``I - V T V^H`` with a triangular ``T``, so everything here is products and one triangular solve, and differentiable.
"""

from __future__ import annotations

from typing import Any

from dispatchtorch.dispatch.table import FUNCTIONS, composite, primitive
from dispatchtorch.ops import return_types
from dispatchtorch.ops.matmul import matmul
from dispatchtorch.ops.matrices import herm, linalg
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.ops.systems import _solve_triangular
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["geqrf", "linalg_householder_product", "ormqr"]

GeqrfResult = return_types.make("geqrf", "a", "tau")


def _geqrf_grad(g: Any, input: Tensor) -> Tensor:
    raise NotImplementedError("the derivative for 'geqrf' is not implemented.")


@primitive(
    grad={"input": _geqrf_grad},
    samples=lambda make: iter([Sample((make(4, 3),), grad=False), Sample((make(2, 2, 3),), grad=False)]),
)
def _geqrf(input: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the triangular factor with reflectors below it, and their scales."""
    ...


@composite(method=True, out=True, samples=lambda make: iter([Sample((make(4, 3),), grad=False)]))
def geqrf(input: Tensor) -> Any:
    """Returns (a, tau): ``R`` in the upper triangle of ``a``, the reflectors of ``Q`` below it, and their scales."""
    if len(input._a.shape) < 2:
        raise RuntimeError("torch.geqrf: input must have at least 2 dimensions.")
    if input._key.dtype.category < 2 or (input._key.dtype.itemsize == 2 and input._key.dtype.category == 2):
        raise NotImplementedError(f"\"geqrf_cpu\" not implemented for '{input._key.dtype.legacy}'")
    return GeqrfResult(_geqrf(input))


def _reflectors(input: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
    """Returns ``V``, one reflector a column, and ``T``."""
    k = tau._a.shape[-1]
    m = input._a.shape[-2]
    low = FUNCTIONS["tril"](input.narrow(-1, 0, k), -1)
    v = low + FUNCTIONS["eye"](m, k, dtype=input._key.dtype, device=input._key.device)
    scale = tau.unsqueeze(-2)
    inside = FUNCTIONS["triu"](matmul(herm(v), v), 1) * scale
    eye = FUNCTIONS["eye"](k, dtype=input._key.dtype, device=input._key.device)
    return v, tau.unsqueeze(-1) * _solve_triangular(inside, eye, True, True)


def _check(name: str, input: Tensor, tau: Tensor) -> None:
    shape, scales = tuple(input._a.shape), tuple(tau._a.shape)
    if len(shape) - len(scales) != 1:
        raise RuntimeError(
            f"{name}: Expected tau to have one dimension less than input, but got tau.ndim equal to {len(scales)} and "
            f"input.ndim is equal to {len(shape)}"
        )
    if len(shape) > 2 and scales[:-1] != shape[:-2]:
        raise RuntimeError(
            f"{name}: Expected batch dimensions of tau to be equal to input.shape[:-2], but got {list(scales[:-1])}"
        )
    if tau._key.dtype is not input._key.dtype:
        raise RuntimeError(
            f"{name}: tau dtype {tau._key.dtype.legacy} does not match input dtype {input._key.dtype.legacy}"
        )


def _householder_samples(make: Maker) -> Any:
    yield Sample((make(4, 3), make(3)))
    yield Sample((make(2, 3, 3), make(2, 2)))


@linalg(names=("orgqr",), method=True, samples=_householder_samples)
def linalg_householder_product(input: Tensor, tau: Tensor) -> Tensor:
    """Returns the first columns of the product of reflectors that a matrix holds below its diagonal."""
    name = "torch.linalg.householder_product"
    shape = tuple(input._a.shape)
    if len(shape) < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    if shape[-2] < shape[-1]:
        raise RuntimeError(f"{name}: input.shape[-2] must be greater than or equal to input.shape[-1]")
    if tau._a.shape and shape[-1] < tau._a.shape[-1]:
        raise RuntimeError(f"{name}: input.shape[-1] must be greater than or equal to tau.shape[-1]")
    _check(name, input, tau)
    m, n = shape[-2:]
    v, t = _reflectors(input, tau)
    eye = FUNCTIONS["eye"](m, n, dtype=input._key.dtype, device=input._key.device)
    return eye - matmul(v, matmul(t, herm(v.narrow(-2, 0, n))))  # type: ignore[no-any-return]  # an entry of the table


def _ormqr_samples(make: Maker) -> Any:
    yield Sample((make(3, 3), make(3), make(3, 2)))
    yield Sample((make(4, 3), make(3), make(2, 4), False, True))


@composite(method=True, out=True, samples=_ormqr_samples)
def ormqr(input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False) -> Tensor:
    """Returns ``Q @ other``, or ``other @ Q`` where not ``left``, ``Q`` being a product of reflectors."""
    shape, third = tuple(input._a.shape), tuple(other._a.shape)
    if len(shape) < 2:
        raise RuntimeError("torch.ormqr: input must have at least 2 dimensions.")
    if len(third) < 2:
        raise RuntimeError("torch.ormqr: other must have at least 2 dimensions.")
    side = -2 if left else -1
    if tau._a.shape and third[side] < tau._a.shape[-1]:
        raise RuntimeError(f"torch.ormqr: other.shape[{side}] must be greater than or equal to tau.shape[-1]")
    if third[side] != shape[-2]:
        raise RuntimeError(f"torch.ormqr: other.shape[{side}] must be equal to input.shape[-2]")
    if tau._a.shape and tau._a.shape[-1] != min(third[side], shape[-1]):
        raise RuntimeError(f"torch.ormqr: tau.shape[-1] must be equal to min(other.shape[{side}], input.shape[-1])")
    _check("torch.ormqr", input, tau)
    if len(shape) != len(third):
        raise RuntimeError(
            "torch.ormqr: Expected other to have same number of dimensions as input, but got other.ndim equal to "
            f"{len(third)} and input.ndim is equal to {len(shape)}"
        )
    if third[:-2] != shape[:-2]:
        raise RuntimeError(
            f"torch.ormqr: Expected batch dimensions of other to be equal to input.shape[:-2], but got "
            f"{list(third[:-2])}"
        )
    if other._key.dtype is not input._key.dtype:
        raise RuntimeError(
            f"torch.ormqr: Expected input and other to have the same dtype, but input has dtype "
            f"{input._key.dtype.legacy} and other has dtype {other._key.dtype.legacy}"
        )
    v, t = _reflectors(input, tau)
    if transpose:
        t = herm(t)
    if left:
        return other - matmul(v, matmul(t, matmul(herm(v), other)))
    return other - matmul(matmul(matmul(other, v), t), herm(v))
