"""Reading and writing where index tensors say, whether the indices, the values or both differ between examples."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from dispatchtorch.batching.array import Batched
from dispatchtorch.batching.rules.layout import examples, fold, front, padded, rule
from dispatchtorch.dispatch.op import TABLE, Op
from dispatchtorch.tensor.sizes import broadcast_shapes
from dispatchtorch.tensor.tensor import Tensor

__all__: list[str] = []

Ints = tuple[int, ...]


def _neighbours(dims: Ints) -> bool:
    return all(b == a + 1 for a, b in pairwise(dims))


def _moved(t: Tensor, source: Ints, target: Ints) -> Tensor:
    return t if source == target else t.movedim(source, target)


@rule("_index")
def index(op: Op, size: int, a: Batched, indices: Sequence[Batched], dims: Ints) -> Batched:
    """Returns the elements of the examples at indices."""
    rank = max([i.ndim for i in indices])
    together = _neighbours(dims)
    if not any(i.batched for i in indices):
        out = op.entry(a.inner, [i.inner for i in indices], tuple([d + 1 for d in dims]))
        return Batched(out if together else out.movedim(rank, 0), True)
    if not a.batched:
        out = op.entry(a.inner, [padded(i, rank) for i in indices], dims)
        return Batched(out.movedim(dims[0], 0) if together and dims[0] else out, True)
    lines = [examples(size, a.inner, rank), *[padded(i, rank) for i in indices]]
    out = op.entry(a.inner, lines, (0, *[d + 1 for d in dims]))
    if together and dims[0]:  # the indexed dims stand where they were in an example, not in front
        mine = tuple(range(1, rank + 1))
        out = _moved(out, mine, tuple([d + dims[0] for d in mine]))
    return Batched(out, True)


@rule("_index_put")
def index_put(
    op: Op, size: int, a: Batched, indices: Sequence[Batched], values: Batched, dims: Ints, accumulate: bool
) -> Batched:
    """Returns the examples with values written, or added, at indices."""
    rank = max([i.ndim for i in indices])
    target = front(a, size)
    lines = [examples(size, target, rank), *[padded(i, rank) for i in indices]]
    picked = broadcast_shapes(*[i.shape for i in indices])
    together = _neighbours(dims)
    lead = a.shape[: dims[0]] if together else ()
    rest = tuple([n for d, n in enumerate(a.shape) if d not in dims])[len(lead) :]
    shape = (*lead, *picked, *rest)
    given = padded(Batched(front(values, size), True), len(shape))
    if lead:
        given = given.expand((size, *shape))
        mine = tuple(range(1, rank + 1))
        given = _moved(given, tuple([d + len(lead) for d in mine]), mine)
    return Batched(op.entry(target, lines, given, (0, *[d + 1 for d in dims]), accumulate), True)


@rule("_index_backward")
def index_backward(op: Op, size: int, g: Batched, indices: Sequence[Batched], shape: Ints, dims: Ints) -> Batched:
    """Returns zeros to which the examples were added at indices."""
    zeros = Batched(g.inner.new_zeros(shape), False)
    put: Batched = index_put(TABLE["_index_put"], size, zeros, indices, g, dims, True)
    return put


# --- along one dimension ----------------------------------------------------------------------------------------------


@rule("_masked_fill_tensor")
def masked_fill(op: Op, size: int, a: Batched, mask: Batched, value: Batched) -> Batched:
    """Returns the examples with a number of their own wherever their mask is set."""
    rank = max(a.ndim, mask.ndim)
    given = [padded(t, rank) for t in (mask, value, a)]
    return Batched(TABLE["_where"].entry(*given), True)


@rule("_gather")
def gather(op: Op, size: int, a: Batched, dim: int, index: Batched) -> Batched:
    """Returns the examples' elements along a dimension."""
    return Batched(op.entry(front(a, size), dim + 1 if dim >= 0 else dim, front(index, size)), True)


@rule("_scatter", "_scatter_add", "_scatter_value", "_scatter_reduce")
def scatter(op: Op, size: int, a: Batched, dim: int, index: Batched, src: Any, *rest: Any) -> Batched:
    """Returns the examples with elements written, or combined, along a dimension."""
    given = front(src, size) if isinstance(src, Batched) else src
    where = dim + 1 if dim >= 0 else dim
    return Batched(op.entry(front(a, size), where, front(index, size), given, *rest), True)


def _spread_index(index: Batched, shape: Ints, dim: int) -> Batched:
    """Returns a vector of indices as one index for every element of ``shape``, which is what `gather` takes."""
    dim %= len(shape)
    sizes = [1] * len(shape)
    sizes[dim] = index.shape[0]
    wide = tuple([index.shape[0] if d == dim else n for d, n in enumerate(shape)])
    if index.batched:
        size = int(index.inner._a.shape[0])
        return Batched(index.inner.reshape((size, *sizes)).expand((size, *wide)), True)
    return Batched(index.inner.reshape(tuple(sizes)).expand(wide), False)


@rule("_index_select")
def index_select(op: Op, size: int, a: Batched, dim: int, index: Batched) -> Batched:
    """Returns the examples' slices along a dimension."""
    dim %= max(a.ndim, 1)
    if not index.batched:
        return Batched(op.entry(a.inner, dim + 1, index.inner), True)
    if not a.batched:
        out = op.entry(a.inner, dim, index.inner.reshape((-1,)))
        shape = tuple(a.shape)
        out = out.reshape((*shape[:dim], size, index.shape[0], *shape[dim + 1 :]))
        return Batched(out.movedim(dim, 0), True)
    got: Batched = gather(TABLE["_gather"], size, a, dim, _spread_index(index, a.shape, dim))
    return got


@rule("_index_add", "_index_copy")
def index_write(op: Op, size: int, a: Batched, dim: int, index: Batched, source: Batched) -> Batched:
    """Returns the examples with slices added or written."""
    dim %= a.ndim
    if not index.batched:
        return Batched(op.entry(front(a, size), dim + 1, index.inner, front(source, size)), True)
    other = TABLE["_scatter_add" if op.name == "_index_add" else "_scatter"]
    put: Batched = scatter(other, size, a, dim, _spread_index(index, a.shape, dim), source)
    return put


@rule("_index_fill")
def index_fill(op: Op, size: int, a: Batched, dim: int, index: Batched, value: Any) -> Batched:
    """Returns the examples with slices filled with a number."""
    dim %= a.ndim
    if not index.batched:
        return Batched(op.entry(front(a, size), dim + 1, index.inner, value), True)
    spread = _spread_index(index, a.shape, dim)
    put: Batched = scatter(TABLE["_scatter_value"], size, a, dim, spread, value, "set")
    return put


@rule("_take")
def take(op: Op, size: int, a: Batched, index: Batched) -> Batched:
    """Returns the elements of each example, seen as one row, at indices."""
    if not a.batched:
        return Batched(op.entry(a.inner, index.inner), True)
    flat = Batched(a.inner.reshape((size, a.size)), True)
    row = Batched(index.inner.reshape((size, index.size) if index.batched else (index.size,)), index.batched)
    out: Batched = gather(TABLE["_gather"], size, flat, 0, row)
    return Batched(out.inner.reshape((size, *index.shape)), True)


@rule("_embedding")
def embedding(op: Op, size: int, weight: Batched, indices: Batched, padding_idx: int, *flags: Any) -> Batched:
    """Returns rows of a table, or of a table an example."""
    if not weight.batched:
        return Batched(op.entry(weight.inner, indices.inner, padding_idx, *flags), True)
    rows, width = weight.shape
    places = front(indices, size) + examples(size, weight.inner, indices.ndim) * rows
    table = TABLE["_index_select"].entry(fold(weight.inner, 0), 0, places.reshape((-1,)))
    table = table.reshape((size, *indices.shape, width))
    if padding_idx >= 0:  # the row that is padding has no gradient
        is_padding = (front(indices, size) == padding_idx).unsqueeze(-1)
        table = TABLE["_where"].entry(is_padding, table.detach(), table)
    return Batched(table, True)


@rule("_embedding_backward")
def embedding_backward(
    op: Op, size: int, g: Batched, indices: Batched, count: int, padding_idx: int, scale: bool
) -> Batched:
    """Returns the gradients of the examples' tables: those of one table of all their rows."""
    places = front(indices, size)
    rows = front(g, size)
    if padding_idx >= 0:
        kept = (places != padding_idx).unsqueeze(-1)
        rows = rows * kept.to(rows._key.dtype)
    places = places + examples(size, rows, indices.ndim) * count
    out = op.entry(rows, places, count * size, -1, scale)
    return Batched(out.reshape((size, count, *tuple(out._a.shape)[1:])), True)
