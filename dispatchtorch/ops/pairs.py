"""Distances of all pairs of points: `cdist` between two lots, `pdist` within one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from dispatchtorch._base.dtypes import FLOATING, float32, float64
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, primitive
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.sizes import broadcast_shapes
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["cdist", "pdist"]


def _direction(apart: Any, length: Any, p: float) -> Any:
    """Returns the derivative of the p-norm over the last dim, 0 where a difference or the norm is 0."""
    if p == 0:
        return FUNCTIONS["zeros_like"](apart)
    sign = apart.sign()
    if p == 1:
        return sign
    if math.isinf(p):
        return sign * METHODS["to"](apart.abs() == length, apart._key.dtype)
    where, one = FUNCTIONS["where"], apart.new_ones(())
    flat = (apart == 0) | (length == 0)
    size = where(flat, one, apart.abs())
    steep = size if p == 2 else size ** (p - 1)
    below = where(flat, one, length) if p == 2 else where(flat, one, length) ** (p - 1)
    return where(flat, apart.new_zeros(()), sign * steep / below)


def _cdist_backward(g: Any, x1: Any, x2: Any, p: float, out: Any) -> tuple[Tensor, Tensor]:
    apart = x1.unsqueeze(-2) - x2.unsqueeze(-3)
    each = g.unsqueeze(-1) * _direction(apart, out.unsqueeze(-1), p)
    return each.sum(-2), -each.sum(-3)


def _cdist_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 2), make(4, 2), 2.0))
    yield Sample((make(2, 3, 2), make(2, 2, 2), 1.0))
    yield Sample((make(3, 2), make(2, 2), 3.0))
    yield Sample((make(3, 2), make(2, 2), math.inf))
    yield Sample((make(3, 2), make(2, 2), 0.0))
    yield Sample((make(30, 2), make(2, 2), 2.0))


@primitive(grad={("x1", "x2"): _cdist_backward}, node="CdistBackward0", samples=_cdist_samples)
def _cdist(x1: Tensor, x2: Tensor, p: float) -> Tensor:
    """Returns the p-norms of all differences of rows."""
    ...


def _real(t: Tensor) -> bool:
    return t._key.dtype.category == FLOATING


def _public_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 2), make(4, 2)))
    yield Sample((make(2, 1, 3, 2), make(3, 2, 2), 1.5))


@composite(samples=_public_samples)
def cdist(
    x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = "use_mm_for_euclid_dist_if_necessary"
) -> Tensor:
    """Returns the p-norm distances of each row of ``x1`` (..., P, M) to each of ``x2`` (..., R, M): (..., P, R).

    >>> torch.cdist(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]]))
    tensor([[5.]])
    """
    modes = (
        None, "use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist",
    )  # fmt: skip
    if compute_mode not in modes:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    for name, t in (("X1", x1), ("X2", x2)):
        if len(t._a.shape) < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {len(t._a.shape)}D")
    columns = x1._a.shape[-1], x2._a.shape[-1]
    if columns[0] != columns[1]:
        raise RuntimeError(f"X1 and X2 must have the same number of columns. X1: {columns[0]} X2: {columns[1]}")
    for name, t in (("X1", x1), ("X2", x2)):
        if not _real(t):
            raise RuntimeError(f"cdist only supports floating-point dtypes, {name} got: {t._key.dtype.legacy}")
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    first, second = x1._key.dtype, x2._key.dtype
    if first is not second:
        raise RuntimeError(f"expected scalar type {first.legacy} but found {second.legacy}")
    if first not in (float32, float64):
        raise NotImplementedError(f"\"cdist\" not implemented for '{first.legacy}'")
    lead1, lead2 = tuple(x1._a.shape[:-2]), tuple(x2._a.shape[:-2])
    if lead1 != lead2:
        lead = broadcast_shapes(lead1, lead2)
        x1 = METHODS["expand"](x1, (*lead, *x1._a.shape[-2:]))
        x2 = METHODS["expand"](x2, (*lead, *x2._a.shape[-2:]))
    return _cdist(x1, x2, float(p))


@composite(samples=lambda make: iter([Sample((make(4, 3),)), Sample((make(3, 2), 1.0))]))
def pdist(input: Tensor, p: float = 2) -> Tensor:
    """Returns the p-norm distances of all pairs of different rows, as the upper triangle of `cdist` row by row.

    >>> torch.pdist(torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]))
    tensor([5.0000, 1.0000, 4.2426])
    """
    if len(input._a.shape) != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {len(input._a.shape)}D")
    dtype = input._key.dtype
    if not _real(input):
        raise RuntimeError("pdist only supports floating-point dtypes")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    if dtype not in (float32, float64):
        raise NotImplementedError(f"\"pdist\" not implemented for '{dtype.legacy}'")
    count = int(input._a.shape[0])
    if count < 2:
        return input.reshape(-1)[:0]
    rows, columns = FUNCTIONS["triu_indices"](count, count, 1, device=input._key.device)
    select = FUNCTIONS["index_select"]
    first, second = select(input, 0, rows), select(input, 0, columns)
    return _cdist(first.unsqueeze(1), second.unsqueeze(1), float(p)).reshape(-1)
