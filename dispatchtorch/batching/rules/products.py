"""Products of matrices, and what solves systems of them: the level's dimension is one more leading one."""

from __future__ import annotations

from math import prod
from typing import Any

from dispatchtorch.batching.array import Batched
from dispatchtorch.batching.rules.layout import RULES, batched, front, padded, rule
from dispatchtorch.dispatch.op import TABLE, Op
from dispatchtorch.tensor.tensor import Tensor

__all__: list[str] = []


def _product(a: Batched, b: Batched) -> Batched:
    """Returns ``a @ b``, vectors and broadcasting included."""
    matmul = TABLE["matmul"].entry
    rank = max(a.ndim, b.ndim, 2)
    one, other = _as_matrix(a, -2), _as_matrix(b, -1)
    if b.ndim == 1 and not b.batched and a.batched:
        return Batched(matmul(a.inner, b.inner), True)
    out: Tensor = matmul(padded(one, rank), padded(other, rank))
    if a.ndim == 1:
        out = out.squeeze(-2)
    if b.ndim == 1:
        out = out.squeeze(-1)
    return Batched(out, True)


def _as_matrix(a: Batched, dim: int) -> Batched:
    return Batched(a.inner.unsqueeze(dim), a.batched) if a.ndim == 1 else a


def _turned(a: Batched) -> Batched:
    return Batched(a.inner.transpose(-2, -1), a.batched)


@rule("matmul", "_bmm")
def product(op: Op, size: int, a: Batched, b: Batched) -> Batched:
    """Returns the products of the examples."""
    return _product(a, b)


@rule("_matmul_nt")
def product_nt(op: Op, size: int, a: Batched, b: Batched) -> Batched:
    """Returns the products with the second matrices transposed."""
    return _product(a, _turned(b))


@rule("_matmul_tn")
def product_tn(op: Op, size: int, a: Batched, b: Batched) -> Batched:
    """Returns the products with the first matrices transposed."""
    return _product(_turned(a), b)


@rule("_fold_tn")
def fold_tn(op: Op, size: int, a: Batched, b: Batched) -> Batched:
    """Returns the products over all dimensions but the last."""

    def flat(t: Batched) -> Batched:
        shape = (prod(t.shape[:-1]), t.shape[-1])
        return Batched(t.inner.reshape((size, *shape) if t.batched else shape), t.batched)

    return _product(_turned(flat(a)), flat(b))


@rule("_linear")
def linear(op: Op, size: int, a: Batched, weight: Batched, bias: Batched | None = None) -> Batched:
    """Returns ``a @ weight.T + bias``; one call where weight and bias are the same for every example."""
    if not weight.batched and (bias is None or not bias.batched):
        return Batched(op.entry(a.inner, weight.inner, None if bias is None else bias.inner), True)
    vector = a.ndim == 1
    out = _product(_as_matrix(a, -2), _turned(weight) if weight.ndim > 1 else weight).inner
    if vector and weight.ndim > 1:
        out = out.squeeze(-2)
    if not weight.batched and not a.batched:
        out = out.unsqueeze(0)
    if bias is None:
        return Batched(out, True)
    return Batched(out + padded(bias, out.ndim - 1), True)


@rule("_solve", "_cholesky_solve")
def solve(op: Op, size: int, a: Batched, b: Batched, *how: Any) -> Any:
    """Returns the solutions of the examples' systems."""
    rank = max(a.ndim, b.ndim)
    return batched(op.entry(_ranked(a, rank, size), _ranked(b, rank, size), *how))


@rule("_solve_triangular")
def solve_triangular(op: Op, size: int, a: Batched, b: Batched, upper: bool, unitriangular: bool) -> Batched:
    """Returns the solutions of the examples' triangular systems."""
    rank = max(a.ndim, b.ndim)
    return Batched(op.entry(_ranked(a, rank, size), _ranked(b, rank, size), upper, unitriangular), True)


@rule("_cdist")
def distances(op: Op, size: int, a: Batched, b: Batched, p: float) -> Batched:
    """Returns the distances between the examples' rows."""
    rank = max(a.ndim, b.ndim)
    return Batched(op.entry(_ranked(a, rank, size), _ranked(b, rank, size), p), True)


def _ranked(a: Batched, rank: int, size: int) -> Tensor:
    return padded(Batched(front(a, size), True), rank)


@rule("_sdpa")
def attention(
    op: Op,
    size: int,
    query: Batched,
    key: Batched,
    value: Batched,
    causal: bool,
    scale: float,
    bias: Batched | None = None,
) -> tuple[Batched, ...]:
    """Returns attention and its weights, the level's dimension made one with the first."""
    if query.ndim < 3:
        return RULES["*"](op, size, query, key, value, causal, scale, bias)  # type: ignore[no-any-return]  # a rule
    rank = query.ndim
    given = [front(t, size) for t in (query, key, value)]
    mask = None if bias is None else padded(Batched(front(bias, size), True), rank)
    out = op.entry(*given, causal, scale, mask)
    return tuple([Batched(o, True) for o in out])
