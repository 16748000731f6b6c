"""Sparse tensors in other shapes: dims exchanged, added, taken out, tensors joined. Coordinates move, values stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispatchtorch.dispatch.sparse import refuse, sparse_op
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS
from dispatchtorch.ops.sparse import made, values_of
from dispatchtorch.ops.view import named
from dispatchtorch.tensor.sizes import wrap_dim
from dispatchtorch.tensor.sparse import SparseTensor
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["select"]


def _rows(s: SparseTensor) -> list[Tensor]:
    return list(METHODS["unbind"](s._a.indices, 0))


def _stacked(rows: Sequence[Tensor], like: SparseTensor) -> Tensor:
    if rows:
        return FUNCTIONS["stack"](list(rows))  # type: ignore[no-any-return]  # an entry of the table
    return METHODS["new_zeros"](like._a.indices, (0, like._a.count))  # type: ignore[no-any-return]  # as above


@sparse_op("_permute")
def _permute(input: SparseTensor, dims: Sequence[int]) -> SparseTensor:
    raw = input._a
    dims = [wrap_dim(d, raw.ndim) for d in dims]
    depth = raw.sparse_dim
    if dims == list(range(raw.ndim)):
        return input
    if any(d >= depth for d in dims[:depth]):
        raise RuntimeError("transpose(): sparse and dense dimensions of a sparse tensor cannot be exchanged")
    rows = _rows(input)
    values = values_of(input)
    inner = [0, *[d - depth + 1 for d in dims[depth:]]]
    if inner != sorted(inner):
        values = METHODS["permute"](values, inner)
    moved = dims[:depth] != list(range(depth))
    indices = _stacked([rows[d] for d in dims[:depth]], input) if moved else raw.indices
    shape = tuple([raw.shape[d] for d in dims])
    return made(indices, values, shape, (raw.coalesced and not moved) or raw.count < 2, "PermuteBackward0")


@sparse_op("transpose")
def _transpose(input: SparseTensor, dim0: int, dim1: int) -> Tensor:
    ndim = input._a.ndim
    a, b = wrap_dim(dim0, ndim), wrap_dim(dim1, ndim)
    dims = list(range(ndim))
    if ndim:
        dims[a], dims[b] = b, a
    return named(_permute(input, dims), "TransposeBackward0")


@sparse_op("t")
def _t(input: SparseTensor) -> Tensor:
    if input._a.ndim > 2:
        raise RuntimeError(
            f"t() expects a tensor with <= 2 sparse and 0 dense dimensions, but self is {input._a.ndim}D"
        )
    return named(_permute(input, list(range(input._a.ndim))[::-1]), "TBackward0")


@sparse_op("unsqueeze")
def _unsqueeze(input: SparseTensor, dim: int) -> SparseTensor:
    raw = input._a
    dim = wrap_dim(dim, raw.ndim + 1)
    shape = (*raw.shape[:dim], 1, *raw.shape[dim:])
    if dim > raw.sparse_dim:
        values = METHODS["unsqueeze"](values_of(input), dim - raw.sparse_dim + 1)
        return made(raw.indices, values, shape, raw.coalesced, "UnsqueezeBackward0")
    rows = _rows(input)
    rows.insert(dim, METHODS["new_zeros"](raw.indices, (raw.count,)))
    return made(_stacked(rows, input), values_of(input), shape, raw.coalesced, "UnsqueezeBackward0")


@sparse_op("_select")
def select(input: SparseTensor, dim: int, index: int) -> Tensor:
    """Returns one index of a dim: dense where it was the last sparse one."""
    raw = input._a
    dim = wrap_dim(dim, raw.ndim)
    size = raw.shape[dim]
    if not -size <= index < size:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(raw.shape)} at dimension {dim}"
        )
    index %= size
    shape = (*raw.shape[:dim], *raw.shape[dim + 1 :])
    if dim >= raw.sparse_dim:
        values = METHODS["select"](values_of(input), dim - raw.sparse_dim + 1, index)
        return made(raw.indices, values, shape, raw.coalesced, "SelectBackward0")
    rows = _rows(input)
    here = METHODS["nonzero"](rows.pop(dim) == index)[:, 0]
    values = METHODS["index_select"](values_of(input), 0, here)
    if not rows:
        return named(values.sum(0), "SelectBackward0")
    indices = METHODS["index_select"](_stacked(rows, input), 1, here)
    return made(indices, values, shape, raw.coalesced or indices._a.shape[1] < 2, "SelectBackward0")


@sparse_op("_unbind")
def _unbind(input: SparseTensor, dim: int) -> tuple[Tensor, ...]:
    dim = wrap_dim(dim, input._a.ndim)
    return tuple([select(input, dim, i) for i in range(input._a.shape[dim])])


@sparse_op("_slice")
def _slice(input: SparseTensor, dim: int, start: int | None, stop: int | None, step: int) -> SparseTensor:
    raw = input._a
    dim = wrap_dim(dim, raw.ndim)
    kept = range(raw.shape[dim])[slice(start, stop, step)]
    wanted = FUNCTIONS["arange"](kept.start, kept.stop, kept.step, device=raw.indices._key.device)
    return _index_select(input, dim, wanted.to(backend=raw.indices._key.backend.name))


@sparse_op("_index_select")
def _index_select(input: SparseTensor, dim: int, index: Tensor) -> SparseTensor:
    raw = input._a
    dim = wrap_dim(dim, raw.ndim)
    count = int(index._a.shape[0]) if index._a.shape else 1
    shape = (*raw.shape[:dim], count, *raw.shape[dim + 1 :])
    if dim >= raw.sparse_dim:
        values = METHODS["index_select"](values_of(input), dim - raw.sparse_dim + 1, index)
        return made(raw.indices, values, shape, raw.coalesced, "IndexSelectBackward0")
    row = raw.indices[dim]
    index = METHODS["where"](index.reshape(-1), index.reshape(-1) >= 0, index.reshape(-1) + raw.shape[dim])
    hits = METHODS["nonzero"](METHODS["unsqueeze"](index, 1) == METHODS["unsqueeze"](row, 0))
    new_place, element = METHODS["unbind"](hits, 1)
    rows = [METHODS["index_select"](r, 0, element) for r in _rows(input)]
    rows[dim] = new_place
    values = METHODS["index_select"](values_of(input), 0, element)
    return made(_stacked(rows, input), values, shape, False, "IndexSelectBackward0")


@sparse_op("_cat")
def _cat(tensors: Sequence[Tensor], dim: int) -> SparseTensor:
    parts: list[SparseTensor] = []
    for i, t in enumerate(tensors):
        if not isinstance(t, SparseTensor):
            raise RuntimeError(f"Concatenating sparse tensors, but a dense tensor was found at position {i}.")
        parts.append(t)
    first = parts[0]._a
    if any(p._a.sparse_dim != first.sparse_dim for p in parts):
        raise RuntimeError("All tensors must have the same number of sparse and dense dimensions to be concatenated")
    shape = list(first.shape)
    shape[dim] = sum(p._a.shape[dim] for p in parts)
    if dim >= first.sparse_dim:
        return _cat_dense(parts, dim, shape)
    rows, offset = [], 0
    for p in parts:
        places = _rows(p)
        places[dim] = places[dim] + offset
        offset += p._a.shape[dim]
        rows.append(_stacked(places, p))
    values = FUNCTIONS["cat"]([values_of(p) for p in parts])
    return made(FUNCTIONS["cat"](rows, 1), values, shape, False, "CatBackward0")


def _cat_dense(parts: Sequence[SparseTensor], dim: int, shape: list[int]) -> SparseTensor:
    depth, before, out, rows = parts[0]._a.sparse_dim, 0, [], []
    for p in parts:
        values, wide = values_of(p), list(shape[depth:])
        wide[dim - depth] = before
        front = METHODS["new_zeros"](values, (p._a.count, *wide))
        wide[dim - depth] = shape[dim] - before - p._a.shape[dim]
        back = METHODS["new_zeros"](values, (p._a.count, *wide))
        out.append(FUNCTIONS["cat"]([front, values, back], dim - depth + 1))
        rows.append(p._a.indices)
        before += p._a.shape[dim]
    return made(FUNCTIONS["cat"](rows, 1), FUNCTIONS["cat"](out), shape, False, "CatBackward0")


@sparse_op("_stack")
def _stack(tensors: Sequence[Tensor], dim: int) -> SparseTensor:
    wide: list[Any] = []
    for i, t in enumerate(tensors):
        if not isinstance(t, SparseTensor):
            raise RuntimeError(f"Concatenating sparse tensors, but a dense tensor was found at position {i}.")
        wide.append(_unsqueeze(t, dim))
    return _cat(wide, wrap_dim(dim, len(tensors[0]._a.shape) + 1))


@sparse_op(
    "_squeeze_all", "_squeeze_one", "_squeeze_some", "_expand", "_view", "_reshape", "_unsafe_view", "_as_strided"
)
def _unshaped(*args: Any) -> Tensor:
    raise refuse("as_strided")
