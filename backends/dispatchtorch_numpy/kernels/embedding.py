"""Rows of tables: looking them up, adding gradients to them, and sums over bags of them.

Gradients are added by rank: the first of each row, then the second; where rows are named very often, runs of them are
summed. A bag is a row of ones times its rows.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch_numpy.kernels.bare import bare
from dispatchtorch_numpy.kernels.scatter import added_by_rank

__all__ = ["KERNELS", "sum_rows"]

_OFTEN: Final = 4  # times that a row is named on average, from which runs of them are summed
_FEW: Final = 64  # names that are looked at before they are sorted
_WIDE: Final = frozenset(np.dtype(c) for c in "fdFD")


def sum_rows(count: int, index: Any, rows: Any, which: Any = None) -> Any:
    """Returns ``count`` rows to which those of ``rows``, or of ``rows[which]``, are added where ``index`` says."""
    out = np.zeros((count, rows.shape[1]), rows.dtype)
    if not index.size or not out.size:
        return out
    if index.size <= _FEW:
        last, here = np.empty(count, np.intp), np.arange(index.size)
        last[index] = here
        if (last.take(index) == here).all():  # each is named once
            out[index] = rows if which is None else rows.take(which, 0)
            return out
    if index.size <= _OFTEN * count:
        added_by_rank(out, index, rows, which, fresh=True)
        return out
    order = np.argsort(index, kind="stable")
    places = index.take(order)
    starts = np.flatnonzero(np.concatenate(([True], places[1:] != places[:-1])))
    chosen = order if which is None else which.take(order)
    out[places.take(starts)] = np.add.reduceat(rows.take(chosen, 0), starts, axis=0)
    return out


@bare
def _embedding(weight: Any, indices: Any, padding_idx: int, scale: bool, sparse: bool) -> Any:
    return weight.take(indices, axis=0)


def _embedding_backward(g: Any, indices: Any, count: int, padding_idx: int, scale: bool) -> Any:
    flat = indices.reshape(-1)
    rows = g.reshape(flat.size, g.shape[-1])
    if padding_idx >= 0:
        kept = flat != padding_idx
        flat, rows = flat[kept], rows[kept]
    if scale:
        rows = rows / np.bincount(flat, minlength=count)[flat][:, None].astype(g.dtype)
    return sum_rows(count, flat, rows)


# --- bags ------------------------------------------------------------------------------------------------------------


def _sums(rows: Any, by: Any, lengths: Any) -> Any:
    """Returns the sum of each stretch of ``rows``, of these lengths, weighted by ``by`` where that is given."""
    bags, (count, width) = lengths.size, rows.shape
    first = int(lengths[0]) if bags else 0
    if first and first * bags == count and (lengths == first).all():
        shares = np.ones((1, first), rows.dtype) if by is None else by.reshape(bags, 1, first)
        return np.matmul(shares, rows.reshape(bags, first, width)).reshape(bags, width)
    out = np.zeros((bags, width), rows.dtype)
    if not count:
        return out
    ends = lengths.cumsum()
    if count > 4 * bags:
        shares = np.ones(count, rows.dtype) if by is None else by
        start = 0
        for i, end in enumerate(ends.tolist()):
            np.dot(shares[start:end], rows[start:end], out[i])
            start = end
        return out
    full = lengths > 0
    scaled = rows if by is None else rows * by[:, None]
    out[full] = np.add.reduceat(scaled, (ends - lengths)[full], axis=0)
    return out


def _embedding_bag(
    weight: Any, indices: Any, offsets: Any, bags: int, mean: bool, padding: int, scale: bool, by: Any
) -> tuple[Any, Any, Any]:
    count = indices.size
    lengths = np.empty(len(offsets), np.int64)
    np.subtract(offsets[1:], offsets[:-1], lengths[:-1])
    if len(offsets):
        lengths[-1] = count - offsets[-1]
    ids = np.repeat(np.arange(len(offsets)), lengths)
    sizes = lengths[:bags]
    if padding >= 0:
        live = indices != padding
        sizes = np.bincount(ids[live], minlength=bags)
        rows, by = weight.take(indices[live], 0), None if by is None else by[live]
    else:
        rows = weight.take(indices, 0)
    if rows.dtype not in _WIDE:
        rows, by = rows.astype(np.float32), None if by is None else by.astype(np.float32)
    out = _sums(rows, by, sizes)
    if mean:
        out /= np.maximum(sizes, 1).astype(out.dtype)[:, None]
    return out.astype(weight.dtype, copy=False), ids, sizes


def _embedding_bag_backward(
    g: Any, indices: Any, ids: Any, sizes: Any, count: int, mean: bool, padding: int, scale: bool, by: Any
) -> Any:
    kind = g.dtype
    rows = g if kind in _WIDE else g.astype(np.float32)
    if mean:
        rows = rows / np.maximum(sizes, 1).astype(rows.dtype)[:, None]
    if padding >= 0:
        live = indices != padding
        indices, ids, by = indices[live], ids[live], None if by is None else by[live]
    if scale:
        shares = (1 / np.bincount(indices, minlength=count).clip(1)).astype(rows.dtype)[indices]
        by = shares if by is None else by * shares
    if by is not None:
        rows, ids = rows.take(ids, 0) * by[:, None].astype(rows.dtype), None
    return sum_rows(count, indices, rows, ids).astype(kind, copy=False)


_ALL: Final = (_embedding, _embedding_backward, _embedding_bag, _embedding_bag_backward)
KERNELS: Final[dict[str, Kernel]] = {kernel.__name__: kernel for kernel in _ALL}
