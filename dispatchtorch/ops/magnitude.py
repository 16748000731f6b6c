"""Norms of vectors: how large a tensor is, or the difference of two. Norms of matrices are in `decompositions`."""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch._base.dtypes import DType, float32, promote
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, primitive
from dispatchtorch.ops.reduce import Dims, cast, dims_of, unreduced
from dispatchtorch.ops.reduce import _sum as sum_over
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.sizes import wrap_dim
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["convertible", "dist", "norm", "renorm", "vector_norm"]


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
    corner = norm == 0
    safe = where(corner, norm.new_ones(()), norm)  # its derivatives are finite where they are not used
    if order == 2:
        return input * where(corner, nothing, g / safe)  # type: ignore[no-any-return]  # methods arrive from the table
    size = input.abs()
    if math.isinf(order):
        hit = (size == norm).to(norm._key.dtype)
        return input.sgn() * (hit * (g / sum_over(hit, dims or tuple(range(len(shape))), True, hit._key.dtype)))
    scale = where(corner, nothing, g * safe ** (1 - order))
    if order < 2:
        power = where(size == 0, nothing, size ** (order - 1))
        return input.sgn() * (power * scale)  # type: ignore[no-any-return]  # methods arrive from the table
    return input * (size ** (order - 2) * scale)  # type: ignore[no-any-return]  # methods arrive from the table


@primitive(grad={"input": _norm_grad}, node="LinalgVectorNormBackward0")
def _vector_norm(input: Tensor, order: float, dims: tuple[int, ...] | None, keepdim: bool, dtype: DType) -> Tensor:
    """Returns norms over ``dims``."""
    ...


def convertible(name: str, kind: DType, wanted: DType) -> None:
    """Raises torch's error unless a norm of ``kind`` may be computed in ``wanted``."""
    if wanted.category < 2:
        raise RuntimeError(f"{name}: dtype should be floating point or complex, but got {wanted.legacy}")
    if (kind.category == 3) != (wanted.category == 3):
        which = "complex for complex inputs" if kind.category == 3 else "real for real inputs"
        raise RuntimeError(f"{name}: dtype should be {which}, but got {wanted.legacy}")
    if promote(kind, wanted) is not wanted:
        raise RuntimeError(
            f"{name}: the dtype of the input ({kind.legacy}) should be convertible without narrowing to the specified "
            f"dtype ({wanted.legacy})"
        )


def vector_norm(
    input: Tensor, ord: float = 2, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """Returns the norm of all elements, or over ``dim``: ``ord`` is any number, inf or -inf."""
    kind = input._key.dtype
    if kind.category < 2:
        raise RuntimeError(
            f"linalg.vector_norm: Expected a floating point or complex tensor as input. Got {kind.legacy}"
        )
    if dtype is not None:
        convertible("linalg.vector_norm", kind, dtype)
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


def _renorm_(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    return METHODS["copy_"](input, renorm(input.clone(), p, dim, maxnorm))  # type: ignore[no-any-return]  # a method of the table


@composite(
    method=True,
    out=True,
    inplace=_renorm_,
    samples=lambda make: iter([Sample((make(3, 4), 2, 0, 1.0)), Sample((make(2, 3, 2), 1, -1, 0.5))]),
)
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Returns the tensor with each slice along ``dim`` whose ``p``-norm is above ``maxnorm`` scaled down to it."""
    if isinstance(p, complex):
        raise RuntimeError("renorm: p must be real-valued")
    if p <= 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if isinstance(maxnorm, complex):
        raise RuntimeError("renorm: maxnorm must be real-valued")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm:g}")
    ndim = len(input._a.shape)
    if ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {ndim} dimensions")
    dim = wrap_dim(dim, ndim)
    kind = input._key.dtype
    wide = {"float16": float32, "bfloat16": float32}.get(kind.name)
    size = vector_norm(input, p, [d for d in range(ndim) if d != dim], True, dtype=wide)
    scale = FUNCTIONS["where"](size > maxnorm, maxnorm / (size + 1e-7), 1.0)
    return (input * scale).to(kind)  # type: ignore[no-any-return]  # methods arrive from the table
