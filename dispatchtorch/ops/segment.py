"""Slices and stretches combined: `index_reduce` by an index of slices, `segment_reduce` by lengths of stretches."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator
from typing import Any

from dispatchtorch._base.dtypes import BOOL, COMPLEX, FLOATING, int64
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite
from dispatchtorch.ops.index import within
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.ops.scatter import _scatter_reduce
from dispatchtorch.tensor.sizes import wrap_dim
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["index_reduce", "index_reduce_", "segment_reduce"]


# --- index_reduce -----------------------------------------------------------------------------------------------------


def _index_samples(make: Maker) -> Iterator[Sample]:
    index = FUNCTIONS["tensor"]([0, 2, 0])
    for mode in ("prod", "mean", "amax", "amin"):
        yield Sample((make(3, 2, low=0.5), 0, index, make(3, 2, low=0.5), mode))
    yield Sample((make(2, 4, low=0.5), 1, index, make(2, 3, low=0.5), "prod"), {"include_self": False})


def _slices(input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str) -> tuple[int, Tensor]:
    """Returns the wrapped dim and an index of elements; raises where the arguments do not fit."""
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}.")
    warnings.warn("index_reduce() is in beta and the API may change at any time.", UserWarning, stacklevel=4)
    shape, given = tuple(input._a.shape), tuple(source._a.shape)
    dim = wrap_dim(dim, len(shape))
    at = tuple(index._a.shape)
    if len(at) > 1:
        kind = index._key.dtype.legacy
        raise IndexError(
            f"index_reduce_(): Index is supposed to be a vector, but got dim: {len(at)} with type: {kind} and size: "
            f"{list(at)}"
        )
    if index._key.dtype.name not in ("int32", "int64"):
        raise RuntimeError(f"index_reduce_(): Expected dtype int32/int64 for index but got: {index._key.dtype.legacy}")
    if source._key.dtype is not input._key.dtype:
        raise RuntimeError(
            f"index_reduce_(): self ({input._key.dtype.legacy}) and source ({source._key.dtype.legacy}) must have the "
            "same scalar type"
        )
    if shape and not given:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    count = int(index._a.size)
    along = given[dim] if given else 1
    if count != along:
        raise RuntimeError(
            f"index_reduce_(): Number of indices ({count}) should be equal to source.size(dim): ({along}), for dim: "
            f"{dim}"
        )
    if given[:dim] + given[dim + 1 :] != shape[:dim] + shape[dim + 1 :] or len(given) != len(shape):
        raise RuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape = "
            f"{list(shape)} source.shape = {list(given)}"
        )
    if len(shape) < 2 and input._key.dtype.category in (BOOL, COMPLEX):
        raise NotImplementedError(f"\"index_func_\" not implemented for '{input._key.dtype.legacy}'")
    flat: Any = METHODS["to"](index, int64).reshape(-1)
    size = shape[dim] if shape else 1
    within(flat, size, "index out of range in self")
    if not shape:
        return 0, flat
    lone = [1] * len(shape)
    lone[dim] = count
    return dim, flat.reshape(lone).expand(given)


def index_reduce_(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """Combines slices of ``source`` into the slices that ``index`` names, and returns the tensor."""
    dim, places = _slices(input, dim, index, source, reduce)
    if not places._a.size:
        return input
    flat = input if input._a.shape else METHODS["view"](input, 1)
    given = source if source._a.shape else source.reshape(1)
    _scatter_reduce.inplace(flat, dim, places, given, reduce, include_self)  # type: ignore[attr-defined]  # by the decorator
    return input


@composite(method=True, out=True, inplace=index_reduce_, samples=_index_samples)
def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """Returns ``input`` with slices of ``source`` combined by prod, mean, amax or amin where ``index`` says.

    Without ``include_self``, slices that are written forget what was there. Warns, as torch does, that this may change.
    """
    dim, places = _slices(input, dim, index, source, reduce)
    if not places._a.size:
        return METHODS["clone"](input)  # type: ignore[no-any-return]  # an entry of the table
    shape = tuple(input._a.shape)
    flat, given = (input, source) if shape else (input.reshape(1), source.reshape(1))
    return _scatter_reduce(flat, dim, places, given, reduce, include_self).reshape(shape)


# --- segment_reduce ---------------------------------------------------------------------------------------------------


def _segment_samples(make: Maker) -> Iterator[Sample]:
    lengths = FUNCTIONS["tensor"]([2, 0, 3])
    for mode in ("sum", "mean", "max", "min", "prod"):
        yield Sample((make(5, 2, low=0.5), mode), {"lengths": lengths, "initial": 1.0 if mode != "max" else -9.0})
    yield Sample((make(2, 3), "sum"), {"offsets": FUNCTIONS["tensor"]([[0, 1, 3], [0, 2, 3]]), "axis": 1})


def _rows(nested: Any, depth: int) -> list[list[int]]:
    """Returns the innermost lists of a list nested ``depth`` deep."""
    return [nested] if depth == 1 else [row for part in nested for row in _rows(part, depth - 1)]


def _lengths(data: Tensor, lengths: Tensor | None, offsets: Tensor | None, axis: int, unsafe: bool) -> list[list[int]]:
    """Returns the lengths of the stretches, one list for each row of what comes before the axis."""
    given = offsets if lengths is None else lengths
    assert given is not None  # asked by the caller
    kind = "offsets" if lengths is None else "lengths"
    ndim = len(given._a.shape)
    if len(data._a.shape) < ndim:
        raise RuntimeError(
            f"Expected data.dim() >= {kind}_value.dim() to be true, but got false.  (Could this error message be "
            "improved?  If so, please report an enhancement request to PyTorch.)"
        )
    if axis != ndim - 1:
        raise RuntimeError(f"segment_reduce(): Expected axis to be the last dimension of {kind} but got {axis}.")
    if given._key.dtype.name not in ("int32", "int64"):
        raise NotImplementedError(
            f"\"_segment_reduce_{kind}_cpu_kernel1\" not implemented for '{given._key.dtype.legacy}'"
        )
    rows = _rows(METHODS["tolist"](given), ndim)
    if lengths is None:
        return [[b - a for a, b in itertools.pairwise(row)] for row in rows]
    if not unsafe:
        if any(n < 0 for row in rows for n in row):
            raise RuntimeError("lengths contains negative value!")
        if any(sum(row) != data._a.shape[axis] for row in rows):
            raise RuntimeError(
                "segment_reduce(): Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when "
                "!unsafe."
            )
    return rows


def _starts(data: Tensor, offsets: Tensor | None, rows: list[list[int]], ndim: int) -> list[list[int]]:
    """Returns where each stretch begins."""
    if offsets is not None:
        return [row[:-1] for row in _rows(METHODS["tolist"](offsets), ndim)]
    return [[sum(row[:i]) for i in range(len(row))] for row in rows]


_START = {"sum": 0.0, "mean": 0.0, "max": -math.inf, "min": math.inf, "prod": 1.0}
_REDUCE = {"sum": "sum", "mean": "sum", "max": "amax", "min": "amin", "prod": "prod", "amax": "amax", "amin": "amin"}


@composite(samples=_segment_samples)
def segment_reduce(
    data: Tensor,
    reduce: str,
    *,
    lengths: Tensor | None = None,
    indices: Tensor | None = None,
    offsets: Tensor | None = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: float | None = None,
) -> Tensor:
    """Returns sum, mean, max, min or prod of the stretches along ``axis`` that ``lengths`` or ``offsets`` mark.

    An empty stretch gives ``initial``; where that is not given, what leaves the others alone, or nan for a mean.

    >>> torch.segment_reduce(torch.tensor([1.0, 2.0, 3.0]), "sum", lengths=torch.tensor([2, 1]))
    tensor([3., 3.])
    """
    if reduce not in _REDUCE:
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    axis = wrap_dim(axis, len(data._a.shape))
    if indices is not None:
        raise RuntimeError("segment_reduce(): indices based reduction is not supported yet.")
    if lengths is None and offsets is None:
        raise RuntimeError("segment_reduce(): Either lengths or offsets must be defined.")
    if lengths is not None:
        offsets = None
    if data._key.dtype.category != FLOATING:
        raise NotImplementedError(f"\"_segment_reduce_cpu\" not implemented for '{data._key.dtype.legacy}'")
    rows = _lengths(data, lengths, offsets, axis, unsafe)
    begins = _starts(data, offsets, rows, axis + 1)
    size, inner = data._a.shape[axis], tuple(data._a.shape[axis + 1 :])
    count = len(rows[0]) if rows else 0
    sources, targets = [], []
    for i, (row, starts) in enumerate(zip(rows, begins, strict=True)):
        for j, (n, start) in enumerate(zip(row, starts, strict=True)):
            sources += [i * size + start + k for k in range(n)]
            targets += [i * count + j] * n
    key = data._key

    def integers(values: Any) -> Any:
        return FUNCTIONS["tensor"](values, dtype=int64, device=key.device, backend=key.backend)

    shape = (*data._a.shape[:axis], count, *inner)
    mode = {"amax": "max", "amin": "min"}.get(reduce, reduce)
    begin = _START[mode] if initial is None else float(initial)
    out: Any = data.new_full((len(rows) * count, *inner), begin)
    if sources:
        flat = data.reshape(len(rows) * size, *inner)
        chosen = flat if sources == list(range(len(rows) * size)) else flat.index_select(0, integers(sources))
        places = integers(targets).reshape(-1, *(1,) * len(inner)).expand(chosen._a.shape)
        out = _scatter_reduce(out, 0, places, chosen, _REDUCE[reduce], True)
    if mode == "mean":
        flat_lengths = [n for row in rows for n in row]
        empty = 1.0 if initial is not None else math.nan
        parts = FUNCTIONS["tensor"](
            [float(n) if n else empty for n in flat_lengths], dtype=key.dtype, device=key.device
        )
        out = out / parts.reshape(-1, *(1,) * len(inner))
    return out.reshape(shape)  # type: ignore[no-any-return]  # methods arrive from the table
