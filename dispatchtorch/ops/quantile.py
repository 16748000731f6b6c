"""Middle values: median, nanmedian, mode, quantile, nanquantile."""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch._base.dtypes import float32, float64
from dispatchtorch.dispatch.table import FUNCTIONS, composite, primitive
from dispatchtorch.ops import return_types
from dispatchtorch.ops.extremum import refuse_empty, select_back, shared
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.sizes import wrap_dim
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["median", "mode", "nanmedian", "nanquantile", "quantile"]

MedianResult = return_types.make("median", "values", "indices")
NanmedianResult = return_types.make("nanmedian", "values", "indices")
ModeResult = return_types.make("mode", "values", "indices")


def _pick_grad(g: Any, out: Any, input_shape: Any, dim: int, keepdim: bool) -> Tensor:
    return select_back(g[0], out[1], input_shape, dim, keepdim)


@primitive(
    grad={"input": _pick_grad},
    node=lambda node: "NanmedianBackward1" if len(node.saved) > 3 and node.saved[3] else "MedianBackward1",
)
def _median(input: Tensor, dim: int, keepdim: bool, ignore_nan: bool) -> Tensor:
    """Returns lower medians along ``dim`` and their places."""
    ...


@primitive(
    grad={"input": lambda g, input, out: shared(g, input, out, None, False)},
    node=lambda node: "MedianBackward0",
)
def _median_all(input: Tensor, ignore_nan: bool) -> Tensor:
    """Returns the lower median of all elements."""
    return _median(input.reshape(-1), 0, False, ignore_nan)[0]


def _middle(name: str, input: Tensor, dim: int | None, keepdim: bool) -> Any:
    if input._key.dtype.category in (0, 3):
        kernel = "median_cpu" if dim is None else "median_out"
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{input._key.dtype.legacy}'")
    ignore = name == "nanmedian"
    if dim is None:
        if 0 in input._a.shape:
            return input.new_full((), math.nan)
        return _median_all(input, ignore)
    front = wrap_dim(dim, len(input._a.shape))
    refuse_empty("median", input, front)
    return (NanmedianResult if ignore else MedianResult)(_median(input, front, keepdim, ignore))


def _samples(make: Maker) -> Any:
    yield Sample((make(3, 4),))
    yield Sample((make(3, 4), 1))
    yield Sample((make(3, 4), 0, True))


@composite(method=True, samples=_samples)
def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """Returns the median, of two middle values the lower one; with ``dim`` (values, indices) along it."""
    return _middle("median", input, dim, keepdim)


@composite(method=True, samples=_samples)
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """Returns the median of what is not nan; with ``dim`` (values, indices) along it."""
    return _middle("nanmedian", input, dim, keepdim)


@primitive(grad={"input": _pick_grad}, node="ModeBackward0")
def _mode(input: Tensor, dim: int, keepdim: bool) -> Tensor:
    """Returns the most frequent values along ``dim`` and their places."""
    ...


@composite(method=True, out=True)
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """Returns the most frequent values along ``dim``, of several the smallest, and where each was last."""
    if input._key.dtype.category == 3:
        raise NotImplementedError(f"\"mode_cpu\" not implemented for '{input._key.dtype.legacy}'")
    front = wrap_dim(dim, len(input._a.shape))
    refuse_empty("mode", input, front)
    return ModeResult(_mode(input, front, keepdim))


def _quantile(input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str, ignore_nan: bool) -> Tensor:
    if input._key.dtype not in (float32, float64):
        raise RuntimeError("quantile() input tensor must be either float or double dtype")
    if 0 in input._a.shape:
        raise RuntimeError("quantile() input tensor must be non-empty")
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise RuntimeError(
            "quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, but got "
            f"{interpolation}"
        )
    if not isinstance(q, Tensor):
        if not 0 <= q <= 1:
            raise RuntimeError(f"quantile() q must be in the range [0, 1] but got {q:g}")
        q = input.new_full((), q)
    elif len(q._a.shape) > 1:
        raise RuntimeError("quantile() q must be a scalar or 1D tensor")
    elif q._key.dtype is not input._key.dtype:
        raise RuntimeError("quantile() q tensor must be same dtype as the input tensor")
    shape = tuple(input._a.shape)
    if dim is None:
        rows = input.reshape(-1)
        kept = (1,) * len(shape) if keepdim else ()
    else:
        front = wrap_dim(dim, len(shape))
        rows = input.movedim(front, -1) if shape else input.reshape(-1)
        kept = (*shape[:front], *((1,) if keepdim else ()), *shape[front + 1 :]) if shape else ()
    out = _ranked(FUNCTIONS["sort"](rows)[0], q.reshape(-1), interpolation, ignore_nan)
    lead = tuple(q._a.shape)
    return out.reshape(*lead, *kept)


def _ranked(rows: Tensor, q: Tensor, interpolation: str, ignore_nan: bool) -> Tensor:
    """Returns the values at fractions ``q`` of sorted rows, one leading place for each fraction."""
    nans = (rows != rows).sum(-1, keepdim=True)
    n = rows._a.shape[-1]
    last = (n - 1 - nans).clamp(min=0).to(rows._key.dtype) if ignore_nan else (nans * 0 + (n - 1)).to(rows._key.dtype)
    rank = q * last
    if not ignore_nan:
        rank = FUNCTIONS["where"](nans > 0, last, rank)
    if interpolation == "nearest":
        rank = rank.round()
    elif interpolation in ("lower", "higher"):
        rank = rank.floor() if interpolation == "lower" else rank.ceil()
    below = rank.floor()
    low = FUNCTIONS["gather"](rows, -1, below.long())
    if interpolation in ("linear", "midpoint"):
        high = FUNCTIONS["gather"](rows, -1, rank.ceil().long())
        weight = rank - below if interpolation == "linear" else (rank > below).to(rows._key.dtype) * 0.5
        low = FUNCTIONS["lerp"](low, high, weight)
    return low.movedim(-1, 0)  # type: ignore[no-any-return]  # methods arrive from the table


@composite(method=True, out=True)
def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """Returns the values below which fractions ``q`` of the elements lie; several ``q`` make a first dimension."""
    return _quantile(input, q, dim, keepdim, interpolation, False)


@composite(method=True, out=True)
def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """Returns `quantile` of the elements that are not nan."""
    return _quantile(input, q, dim, keepdim, interpolation, True)
