"""Bags of embeddings: rows of a table that indices name, added up, averaged or at their largest bag by bag."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dispatchtorch._base.dtypes import float32, int32, int64
from dispatchtorch.dispatch.table import FUNCTIONS, composite, primitive
from dispatchtorch.ops.gather import _embedding
from dispatchtorch.ops.gather import _embedding_backward as _rows_backward
from dispatchtorch.ops.norm import through
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.tensor import Tensor, read

__all__ = ["embedding_bag"]

_SUM, _MEAN, _MAX = range(3)


def _bag_ids(offsets: Tensor, count: int) -> Tensor:
    """Returns the number of the bag that each of ``count`` indices is in."""
    begins = offsets.new_zeros((count + 1,)).index_add(0, offsets, offsets.new_ones((int(offsets._a.shape[0]),)))
    return begins.narrow(0, 0, count).cumsum(0) - 1


def _places(indices: Tensor, offsets: Tensor, bags: int, padding: int) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the bag of each index, whether it counts, and how many of each bag do."""
    n = int(indices._a.shape[0])
    ids, live = _bag_ids(offsets, n), indices != padding
    if padding < 0 and bags:  # all count: a bag ends where the next one begins
        ends: Tensor = FUNCTIONS["cat"]([offsets[1:], offsets.new_full((1,), n)])
        return ids, live, (ends - offsets).narrow(0, 0, bags)
    none = offsets.new_zeros((bags,))
    return ids, live, none.index_add(0, ids, live.to(int64)) if n else none


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


def _check_values(indices: Tensor, offsets: Tensor, rows: int) -> None:
    """Raises torch's errors for rows that are not there and offsets that divide nothing, where they can be seen."""
    key, count = indices._key, int(indices._a.shape[0])
    if key.device.type != "cpu":
        return
    try:
        named, starts = (key.backend.to_host(read(t)) for t in (indices, offsets))
    except TypeError:  # traced values
        return
    if starts.size and starts[0] != 0:
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. However, "
            f"got {int(starts[0])}\n[ torch.LongTensor{{}} ]"
        )
    if starts.size and starts[-1] > count:
        raise RuntimeError(
            f"offsets[-1] can not be greater than input's length {count} but got offsets[-1] of {int(starts[-1])}"
        )
    if count and (named.min() < 0 or named.max() >= rows):
        at = int(((named < 0) | (named >= rows)).argmax())
        raise RuntimeError(
            f"Index {at} of input takes value {int(named[at])} which is not in the valid range [0, {rows})"
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
    rows_there = int(weight._a.shape[0])
    bags = int(offsets._a.shape[0]) - bool(include_last_offset)
    padding = -1
    if padding_idx is not None:
        if not -rows_there <= padding_idx < rows_there:
            raise RuntimeError(
                f"padding_idx must be within the number of embeddings, -{rows_there} through {rows_there - 1}, but got "
                f"{padding_idx}"
            )
        padding = padding_idx % rows_there
    _check_values(indices, offsets, rows_there)
    if mode == _MAX:
        ids, live, sizes = _places(indices, offsets, bags, padding)
        out, found = _largest(weight, indices, ids, live, bags)
        return out, ids, sizes, found
    given = (weight, indices, offsets, bags, mode == _MEAN, padding, scale_grad_by_freq, per_sample_weights)
    out, ids, sizes = _summed(*given, sparse=True) if sparse else _embedding_bag(*given)
    return out, ids, sizes, sizes


# --- sums and means ---------------------------------------------------------------------------------------------------


def _summed(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    bags: int,
    mean: bool,
    padding: int,
    scale_grad_by_freq: bool,
    per_sample_weights: Tensor | None,
    sparse: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    ids, live, sizes = _places(indices, offsets, bags, padding)
    rows: Any = _embedding(weight, indices, padding, scale_grad_by_freq, sparse)
    if padding >= 0:
        rows = rows.masked_fill(~live.unsqueeze(1), 0.0)
    kind = weight._key.dtype
    rows = rows.to(float32) if kind.itemsize < 4 else rows
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.to(rows.dtype).unsqueeze(1)
    total = rows.new_zeros((bags, int(weight._a.shape[1]))).index_add(0, ids, rows)
    if mean:
        total = total / sizes.clamp(min=1).to(total.dtype).unsqueeze(1)
    return total.to(kind), ids, sizes


@primitive()
def _embedding_bag_backward(
    g_out: Tensor,
    indices: Tensor,
    ids: Tensor,
    sizes: Tensor,
    count: int,
    mean: bool,
    padding: int,
    scale_grad_by_freq: bool,
    per_sample_weights: Tensor | None = None,
) -> Tensor:
    """Returns the gradient of the table: each bag's gradient added to the rows that are in it."""
    if mean:
        g_out = g_out / sizes.clamp(min=1).to(g_out.dtype).unsqueeze(1)
    rows = g_out.index_select(0, ids)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(1)
    return _rows_backward(rows, indices, count, padding, scale_grad_by_freq)


def _by_weights(g: Tensor, weight: Tensor, indices: Tensor, ids: Tensor, padding: int) -> Tensor:
    """Returns the gradient of the weights of rows."""
    found = (g.index_select(0, ids) * _embedding(weight, indices, -1, False, False)).sum(1)
    return found if padding < 0 else found.masked_fill(indices == padding, 0.0)


@primitive(
    grad={
        "weight": lambda g, out, weight_shape, indices, mean, padding, scale_grad_by_freq, per_sample_weights: through(
            _embedding_bag_backward
        )(g[0], indices, out[1], out[2], weight_shape[0], mean, padding, scale_grad_by_freq, per_sample_weights),
        "per_sample_weights": lambda g, out, weight, indices, padding: _by_weights(
            g[0], weight, indices, out[1], padding
        ),
    },
    node="EmbeddingBagBackward0",
)
def _embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    bags: int,
    mean: bool,
    padding: int,
    scale_grad_by_freq: bool,
    per_sample_weights: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns sums or means of bags, the bag of each index, and the sizes of bags; no ``padding`` is -1."""
    return _summed(weight, indices, offsets, bags, mean, padding, scale_grad_by_freq, per_sample_weights)
