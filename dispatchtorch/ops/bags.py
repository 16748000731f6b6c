"""Bags of embeddings: rows of a table that indices name, added up, averaged or at their largest bag by bag."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dispatchtorch._base.dtypes import float32, int32, int64
from dispatchtorch.dispatch.table import FUNCTIONS, composite
from dispatchtorch.ops.gather import _embedding
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["embedding_bag"]

_SUM, _MEAN, _MAX = range(3)


def _bag_ids(offsets: Tensor, count: int) -> Tensor:
    """Returns the number of the bag that each of ``count`` indices is in."""
    begins = offsets.new_zeros((count + 1,)).index_add(0, offsets, offsets.new_ones((int(offsets._a.shape[0]),)))
    return begins.narrow(0, 0, count).cumsum(0) - 1


def _largest(weight: Tensor, indices: Tensor, ids: Tensor, live: Tensor, bags: int) -> tuple[Tensor, Tensor]:
    """Returns the largest of each bag and column, and the row of the table that it is in: of equals the first."""
    n, width = int(indices._a.shape[0]), int(weight._a.shape[1])
    rows = weight.detach()[indices].masked_fill(~live.unsqueeze(1), float("-inf"))
    where = ids.unsqueeze(1).expand(n, width)
    low = rows.new_full((bags, width), float("-inf"))
    top = low.scatter_reduce(0, where, rows, "amax")
    places: Tensor = FUNCTIONS["arange"](n, device=indices.device).unsqueeze(1).expand(n, width)
    hits = (rows == top.gather(0, where)) & live.unsqueeze(1)
    first = places.masked_fill(~hits, n)
    at = first.new_full((bags, width), n).scatter_reduce(0, where, first, "amin")
    empty = at == n
    padded = FUNCTIONS["cat"]([indices, indices.new_zeros((1,))])
    found = padded[at]
    return weight.gather(0, found).masked_fill(empty, 0.0), found


def _check(weight: Tensor, indices: Tensor, offsets: Tensor, mode: int, per_sample_weights: Tensor | None) -> None:
    if weight._key.dtype.name not in ("float16", "bfloat16", "float32", "float64"):
        legacy = weight._key.dtype.legacy
        got = "CPUBoolType" if legacy == "Bool" else f"torch.{legacy}Tensor"
        raise RuntimeError(
            "Expected tensor for argument #1 'weight' to have one of the following scalar types: Half, BFloat16, "
            f"Float, Double; but got {got} instead (while checking arguments for embedding_bag)"
        )
    for place, name, t in ((1, "indices", indices), (1, "offsets", offsets)):
        if t._key.dtype not in (int32, int64):
            raise RuntimeError(
                f"Expected tensor for argument #{place} '{name}' to have one of the following scalar types: Long, Int; "
                f"but got torch.{t._key.dtype.legacy}Tensor instead (while checking arguments for embedding_bag)"
            )
    if per_sample_weights is not None:
        if mode != _SUM:
            raise RuntimeError("embedding_bag: per_sample_weights only supported with mode='sum'")
        if per_sample_weights._key.dtype is not weight._key.dtype:
            raise RuntimeError(
                f"Expected tensor for argument #1 'weight' to have the same type as tensor for argument #1 "
                f"'per_sample_weights'; but type torch.{weight._key.dtype.legacy}Tensor does not equal "
                f"torch.{per_sample_weights._key.dtype.legacy}Tensor (while checking arguments for embedding_bag)"
            )


def _samples(make: Maker) -> Iterator[Sample]:
    tensor = FUNCTIONS["tensor"]
    for mode in (0, 1, 2):
        yield Sample((make(5, 3), tensor([1, 2, 4, 4, 3]), tensor([0, 2, 2]), False, mode))
    yield Sample((make(5, 3), tensor([1, 2, 4, 4]), tensor([0, 1, 4]), False, 0, False, make(4), True, 2))


@composite(samples=_samples)
def embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns bags of rows, then the bag of each index, the sizes of bags, and the rows of the largest.

    ``offsets`` says where each bag begins. ``mode``: 0 sums, 1 means, 2 the largest. Rows named ``padding_idx`` do not
    count.
    """
    _check(weight, indices, offsets, mode, per_sample_weights)
    indices, offsets = indices.to(int64), offsets.to(int64)
    n, rows_there = int(indices._a.shape[0]), int(weight._a.shape[0])
    bags = int(offsets._a.shape[0]) - bool(include_last_offset)
    padding = -1
    if padding_idx is not None:
        if not -rows_there <= padding_idx < rows_there:
            raise RuntimeError(
                f"padding_idx must be within the number of embeddings, -{rows_there} through {rows_there - 1}, but got "
                f"{padding_idx}"
            )
        padding = padding_idx % rows_there
    ids = _bag_ids(offsets, n)
    live = indices != padding
    sizes = offsets.new_zeros((bags,)).index_add(0, ids, live.to(int64)) if n else offsets.new_zeros((bags,))
    if mode == _MAX:
        out, found = _largest(weight, indices, ids, live, bags)
        return out, ids, sizes, found
    rows: Any = _embedding(weight, indices, padding, scale_grad_by_freq, sparse)
    if padding >= 0:
        rows = rows.masked_fill(~live.unsqueeze(1), 0.0)
    kind = weight._key.dtype
    rows = rows.to(float32) if kind.itemsize < 4 else rows
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.to(rows.dtype).unsqueeze(1)
    total = rows.new_zeros((bags, int(weight._a.shape[1]))).index_add(0, ids, rows)
    if mode == _MEAN:
        total = total / sizes.clamp(min=1).to(total.dtype).unsqueeze(1)
    return total.to(kind), ids, sizes, sizes
