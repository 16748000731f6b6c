"""Norms of vectors: how large a tensor is, or the difference of two. Norms of matrices are in `decompositions`."""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch._base.dtypes import DType
from dispatchtorch.dispatch.table import FUNCTIONS, composite, primitive
from dispatchtorch.ops.reduce import Dims, cast, dims_of, unreduced
from dispatchtorch.ops.reduce import _sum as sum_over
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["dist", "norm", "vector_norm"]


def _norm_grad(
    g: Tensor, input: Tensor, out: Tensor, order: float, dims: tuple[int, ...] | None, keepdim: bool
) -> Tensor | None:
    """Returns the gradient of a vector norm, none for a count, zero where the norm has a corner at zero."""
    shape = tuple(input._a.shape)
    where = FUNCTIONS["where"]
    g, norm = (unreduced(cast(t, input._key.dtype.to_real()), shape, dims, keepdim) for t in (g, out))
    nothing = norm.new_zeros(())
    if order == 0:
        return None
    if order == 1:
        return input.sgn() * g
    if order == 2:
        return input * where(norm == 0, nothing, g / norm)  # type: ignore[no-any-return]  # methods arrive from the table
    size = input.abs()
    if math.isinf(order):
        hit = (size == norm).to(norm._key.dtype)
        return input.sgn() * (hit * (g / sum_over(hit, dims or tuple(range(len(shape))), True, hit._key.dtype)))
    scale = where(norm == 0, nothing, g * norm ** (1 - order))
    if order < 2:
        power = where(size == 0, nothing, size ** (order - 1))
        return input.sgn() * (power * scale)  # type: ignore[no-any-return]  # methods arrive from the table
    return input * (size ** (order - 2) * scale)  # type: ignore[no-any-return]  # methods arrive from the table


@primitive(grad={"input": _norm_grad}, node="LinalgVectorNormBackward0", hot=True)
def _vector_norm(input: Tensor, order: float, dims: tuple[int, ...] | None, keepdim: bool, dtype: DType) -> Tensor:
    """Returns norms over ``dims``."""
    ...


def vector_norm(
    input: Tensor, ord: float = 2, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """Returns the norm of all elements, or over ``dim``: ``ord`` is any number, inf or -inf."""
    kind = input._key.dtype
    if kind.category < 2:
        raise RuntimeError(
            f"linalg.vector_norm: Expected a floating point or complex tensor as input. Got {kind.legacy}"
        )
    dims = dims_of(dim, len(input._a.shape))
    if ord == math.inf or ord < 0:
        _refuse_empty_norm(input, ord, dims)
    if dtype is not None:
        input = cast(input, dtype)
    result = (dtype or kind).to_real()
    return _vector_norm(input, float(ord), dims, keepdim, result)


def _refuse_empty_norm(input: Tensor, order: float, dims: tuple[int, ...] | None) -> None:
    shape = tuple(input._a.shape)
    if dims is None and 0 in shape:
        raise RuntimeError(
            f"linalg.vector_norm cannot compute the {float(order):g} norm on an empty tensor because the "
            "operation does not have an identity"
        )
    for d in dims or ():
        if shape[d] == 0:
            raise RuntimeError(
                f"linalg.vector_norm cannot compute the {float(order):g} norm on the dimension {d}because this "
                "dimension is empty and the operation does not have an identity"
            )


def _norm_samples(make: Maker) -> Any:
    for p in (2, 1, 3, 0.5, math.inf, -math.inf):
        yield Sample((make(3, 4), p))
        yield Sample((make(3, 4), p, 1, True))
    yield Sample((make(3, 4),))
    yield Sample((make(3, 4), 0), grad=False)


@composite(method=True, out=True, samples=_norm_samples)
def norm(
    input: Tensor, p: float | str | None = "fro", dim: Dims = None, keepdim: bool = False, dtype: DType | None = None
) -> Tensor:
    """Returns the norm: "fro" (2), a number, inf, or "nuc" for a matrix's sum of singular values."""
    if isinstance(p, str) and p not in ("fro", "nuc"):
        raise RuntimeError(f"only valid string values are 'fro' and 'nuc', found {p}")
    if p == "nuc":
        return FUNCTIONS["_nuclear_norm"](input, dim, keepdim)  # type: ignore[no-any-return]  # an entry of the table
    return vector_norm(input, 2 if p is None or isinstance(p, str) else p, dim, keepdim, dtype=dtype)


@primitive(
    grad={
        "input": lambda g, input, other, out, p: _norm_grad(g, input - other, out, p, None, False),
        "other": lambda g, input, other, out, p: _norm_grad(g, other - input, out, p, None, False),
    },
    node="DistBackward0",
)
def _dist(input: Tensor, other: Tensor, p: float) -> Tensor:
    """Returns the norm of the difference."""
    off = input - other
    return _vector_norm(off, p, None, False, off._key.dtype.to_real())


@composite(method=True)
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """Returns the ``p``-norm of ``input - other``."""
    return _dist(input, other, float(p))
