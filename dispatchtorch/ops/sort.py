"""Sorting and what needs an order: sort, topk, kthvalue, median, mode, quantile, unique, searchsorted.

Values are differentiable: a gradient goes to the place that the value came from.
"""

from __future__ import annotations

from typing import Any

from dispatchtorch._base.dtypes import DType, int32, int64
from dispatchtorch.dispatch.table import FUNCTIONS, composite, primitive
from dispatchtorch.ops import return_types
from dispatchtorch.ops.extremum import refuse_empty, select_back
from dispatchtorch.ops.index import within
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.sizes import wrap_dim
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["argsort", "bucketize", "kthvalue", "msort", "searchsorted", "sort", "topk", "unique", "unique_consecutive"]

SortResult = return_types.make("sort", "values", "indices")
TopkResult = return_types.make("topk", "values", "indices")
KthvalueResult = return_types.make("kthvalue", "values", "indices")


def _scatter_grad(g: Any, out: Any, input_shape: tuple[int, ...], dim: int) -> Tensor:
    """Returns the gradient of an op that picked elements along ``dim``, each at most once."""
    if not input_shape:
        return g[0]  # type: ignore[no-any-return]  # one of several gradients
    zeros = g[0].new_zeros(input_shape)
    return FUNCTIONS["scatter"](zeros, dim, out[1], g[0])  # type: ignore[no-any-return]  # an entry of the table


# --- sort -------------------------------------------------------------------------------------------------------------


@primitive(grad={"input": _scatter_grad}, node="SortBackward0")
def _sort(input: Tensor, dim: int, descending: bool) -> Tensor:
    """Returns sorted values and where they were; equal ones keep their order."""
    ...


def _sort_samples(make: Maker) -> Any:
    yield Sample((make(3, 4),))
    yield Sample((make(3, 4), 0, True))
    yield Sample((make(),))
    yield Sample((make(0, 3), 0))


@composite(method=True, out=True, samples=_sort_samples)
def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool | None = None) -> Any:
    """Returns (values, indices) in order along ``dim``; equal elements keep their order, stable or not.

    >>> torch.sort(torch.tensor([3.0, 1.0, 2.0]))
    torch.return_types.sort(
    values=tensor([1., 2., 3.]),
    indices=tensor([1, 2, 0]))
    """
    if input._key.dtype.category == 3:
        raise RuntimeError(" Sort does not support complex dtypes on CPU")
    return SortResult(_sort(input, wrap_dim(dim, len(input._a.shape)), descending))


@composite(method=True, samples=_sort_samples)
def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """Returns the indices that put ``input`` in order along ``dim``."""
    return FUNCTIONS["sort"](input, dim, descending, stable)[1]  # type: ignore[no-any-return]  # an entry of the table


@composite(method=True, out=True)
def msort(input: Tensor) -> Tensor:
    """Returns the values in order along the first dimension."""
    return FUNCTIONS["sort"](input, 0)[0]  # type: ignore[no-any-return]  # an entry of the table


@primitive(grad={"input": _scatter_grad}, node="TopkBackward0")
def _topk(input: Tensor, k: int, dim: int, largest: bool) -> Tensor:
    """Returns the ``k`` first in order and where they were."""
    ...


def _topk_samples(make: Maker) -> Any:
    yield Sample((make(3, 4), 2))
    yield Sample((make(3, 4), 2, 0, False))
    yield Sample((make(), 1))


@composite(method=True, out=True, samples=_topk_samples)
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """Returns the ``k`` largest (or smallest) values along ``dim``, in order, and where they were."""
    dtype = input._key.dtype
    front = wrap_dim(dim, len(input._a.shape))
    if not 0 <= k <= (input._a.shape[front] if input._a.shape else 1):
        raise RuntimeError("selected index k out of range")
    if dtype.category == 3:
        raise RuntimeError(" topk does not support complex dtypes on CPU")
    if dtype.category == 0:
        raise RuntimeError("topk does not support bool dtypes on CPU")
    return TopkResult(_topk(input, k, front, largest))


@primitive(
    grad={"input": lambda g, out, input_shape, dim, keepdim: select_back(g[0], out[1], input_shape, dim, keepdim)},
    node="KthvalueBackward0",
)
def _kthvalue(input: Tensor, k: int, dim: int, keepdim: bool) -> Tensor:
    """Returns the ``k``-th smallest and where they were."""
    ...


def _kth_samples(make: Maker) -> Any:
    yield Sample((make(3, 4), 2))
    yield Sample((make(3, 4), 2, 0, True))


@composite(method=True, out=True, samples=_kth_samples)
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """Returns the ``k``-th smallest values along ``dim``, counted from 1, and where they were."""
    front = wrap_dim(dim, len(input._a.shape))
    refuse_empty("kthvalue", input, front)
    if not 1 <= k <= (input._a.shape[front] if input._a.shape else 1):
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {dim if dim >= 0 else front}")
    return KthvalueResult(_kthvalue(input, k, front, keepdim))


# --- where a value belongs --------------------------------------------------------------------------------------------


@primitive()
def _searchsorted(boundaries: Tensor, values: Tensor, right: bool, dtype: DType) -> Tensor:
    """Returns insertion places."""
    ...


def _search(boundaries: Tensor, values: Any, right: bool, out_int32: bool) -> Tensor:
    if not isinstance(values, Tensor):
        values = boundaries.new_full((), values)
    if boundaries._key.dtype is not values._key.dtype:
        raise RuntimeError(
            "torch.searchsorted(): boundary tensor and input value tensor should have same dtype, but got "
            "boundary tensor "
            f"dtype {boundaries._key.dtype.legacy} and input value tensor dtype {values._key.dtype.legacy}"
        )
    rows, shape = tuple(boundaries._a.shape), tuple(values._a.shape)
    if not rows:
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should have positive dimension, but got 0 dimension"
        )
    if len(rows) != 1 and (not shape or rows[:-1] != shape[:-1]):
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries "
            f"tensor and input value tensor must match, but we got boundaries tensor {list(rows)} and input value "
            f"tensor {list(shape)}"
        )
    if values._key.dtype.category in (0, 3):
        raise NotImplementedError(f"\"searchsorted_out_cpu\" not implemented for '{values._key.dtype.legacy}'")
    return _searchsorted(boundaries, values, right, int32 if out_int32 else int64)


def _check_sorter(boundaries: Tensor, sorter: Tensor) -> None:
    if sorter._key.dtype is not int64:
        raise RuntimeError(
            f"torch.searchsorted(): sorter must be a tensor of long dtype but got dtype {sorter._key.dtype.legacy}"
        )
    rows, given = list(boundaries._a.shape), list(sorter._a.shape)
    if rows != given:
        raise RuntimeError(
            "torch.searchsorted(): boundary and sorter must have the same size, but got boundary tensor "
            f"{rows}and got sorter tensor {given}"
        )
    within(sorter, rows[-1], "torch.searchsorted(): sorter index out of range", RuntimeError)


@composite(out=True)
def searchsorted(
    sorted_sequence: Tensor,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Returns where each value goes to keep its row of ``sorted_sequence`` in order."""
    if side is not None and side not in ("left", "right"):
        raise RuntimeError(f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        raise RuntimeError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left while right was True"
        )
    if sorter is not None:
        _check_sorter(sorted_sequence, sorter)
        sorted_sequence = FUNCTIONS["gather"](sorted_sequence, -1, sorter)
    return _search(sorted_sequence, input, right or side == "right", out_int32)


@composite(out=True)
def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """Returns the bucket each value is in, between ``boundaries`` in increasing order."""
    if len(boundaries._a.shape) != 1:
        raise RuntimeError(f"boundaries tensor must be 1 dimension, but got dim({len(boundaries._a.shape)})")
    return _search(boundaries, input, right, out_int32)


# --- distinct ---------------------------------------------------------------------------------------------------------


@primitive()
def _unique(input: Tensor, dim: int | None) -> Tensor:
    """Returns sorted distinct elements, which one each is, and counts."""
    ...


@primitive()
def _unique_consecutive(input: Tensor, dim: int | None) -> Tensor:
    """Returns the first of each run, the run each is in, and counts."""
    ...


def _distinct(op: Any, input: Tensor, inverse: bool, counts: bool, dim: int | None) -> Any:
    if input._key.dtype.category == 3:
        word = "unique" if dim is None or op is _unique_consecutive else "unique_dim"
        raise NotImplementedError(f"\"{word}\" not implemented for '{input._key.dtype.legacy}'")
    dim = None if dim is None else wrap_dim(dim, len(input._a.shape))
    values, places, counted = op(input, dim)
    chosen = (values, *((places,) if inverse else ()), *((counted,) if counts else ()))
    return chosen if len(chosen) > 1 else values


@composite(method=True)
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Returns the distinct elements in order (or slices along ``dim``), then on request places and counts."""
    return _distinct(_unique, input, return_inverse, return_counts, dim)


@composite(method=True)
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """Returns one element (or slice along ``dim``) of each run of equal ones, then on request places and counts."""
    return _distinct(_unique_consecutive, input, return_inverse, return_counts, dim)
