"""Counting how often values fall between edges: histc, histogram, histogramdd.

Everything is composed of ops: a bin for each value, then one weighted count. Values outside and nan go into a last bin
that is dropped, so that no shape depends on values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from dispatchtorch._base.dtypes import BOOL, FLOATING, float32, float64, int64
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite
from dispatchtorch.ops import return_types
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["histc", "histogram", "histogramdd"]

HistogramResult = return_types.make("histogram", "hist", "bin_edges")
HistogramddResult = return_types.make("histogramdd", "hist", "bin_edges")


def _item(t: Tensor) -> float:
    return float(METHODS["item"](t))


def _number(value: float) -> str:
    return f"{value:g}"


def _check_bins(bins: int, dim: int) -> None:
    if bins <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension {dim}")


def _linear(x: Any, low: float, high: float, bins: int) -> Tensor:
    """Returns the bin of each value between two ends; ``bins`` for values outside."""
    inside = (x >= low) & (x <= high)
    if high == low:
        low, high = low - 1, high + 1
    at = FUNCTIONS["where"](inside, (x - low) * bins / (high - low), x.new_zeros(()))
    places = METHODS["to"](at, int64).clamp(max=bins - 1)
    return FUNCTIONS["where"](inside, places, METHODS["new_full"](places, (), bins))  # type: ignore[no-any-return]  # an entry


def _counted(places: Tensor, bins: int, weights: Tensor) -> Tensor:
    """Returns the sum of the weights in each bin."""
    counts = weights.new_zeros((bins + 1,)).index_add(0, places.reshape(-1), weights.reshape(-1))
    return counts[:bins]


# --- histc ------------------------------------------------------------------------------------------------------------


def _histc_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4), 5), grad=False)
    yield Sample((make(20),), {"bins": 4, "min": -1, "max": 1}, grad=False)


@composite(method=True, out=True, samples=_histc_samples)
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """Returns how many values lie in each of ``bins`` equal parts of [min, max], or of their own range if both are 0.

    >>> torch.histc(torch.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
    tensor([0., 2., 1., 0.])
    """
    dtype = input._key.dtype
    if dtype.category != FLOATING:
        word = (
            "linspace"
            if dtype.category == BOOL
            else "aminmax"
            if dtype.category > FLOATING and min == max
            else "histogram"
        )
        raise NotImplementedError(f"\"{word}_cpu\" not implemented for '{dtype.legacy}'")
    _check_bins(bins, 0)
    x = METHODS["detach"](input).reshape(-1)
    low, high = float(min), float(max)
    if low == high and x._a.size:
        low, high = _item(x.min()), _item(x.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(f"torch.histc: range of [{_number(low)}, {_number(high)}] is not finite")
    if low > high:
        raise RuntimeError("torch.histc: max must be larger than min")
    if low == high:
        low, high = low - 1, high + 1
    return _counted(_linear(x, low, high, bins), bins, FUNCTIONS["ones_like"](x))


# --- edges ------------------------------------------------------------------------------------------------------------


_NAME = "torch.histogramdd"


_WORDS = {"float32": "float", "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16"}


def _check_input(x: Tensor, weight: Tensor | None, searches: bool) -> None:
    dtype = x._key.dtype
    if dtype not in (float32, float64) and (searches or dtype.category != FLOATING):  # half finds no ends of its own
        word = "histogramdd" if searches else "histogram_cpu"
        raise NotImplementedError(f"\"{word}\" not implemented for '{dtype.legacy}'")
    if weight is None:
        return
    if weight._key.dtype is not dtype:
        theirs = _WORDS.get(weight._key.dtype.name, weight._key.dtype.name)
        raise RuntimeError(
            f"{_NAME}: if weight tensor is provided, input tensor and weight tensor should have the same dtype, but "
            f"got input({_WORDS[dtype.name]}), and weight({theirs})"
        )
    if tuple(weight._a.shape) != tuple(x._a.shape[:-1]):
        raise RuntimeError(
            f"{_NAME}: if weight tensor is provided it should have the same shape as the input tensor excluding its "
            f"innermost dimension, but got input with shape {list(x._a.shape)} and weight with shape "
            f"{list(weight._a.shape)}"
        )


def _given_edges(x: Tensor, bins: Sequence[Tensor]) -> list[Tensor]:
    """Returns edges that the caller gave; RuntimeError where they do not fit the values."""
    dims = x._a.shape[-1]
    if len(bins) != dims:
        raise RuntimeError(
            f"{_NAME}: expected {dims} sequences of bin edges for a {dims}-dimensional histogram but got {len(bins)}"
        )
    for i, edges in enumerate(bins):
        if edges._key.dtype is not x._key.dtype:
            ours, theirs = (_WORDS.get(t._key.dtype.name, t._key.dtype.name) for t in (x, edges))
            raise RuntimeError(
                f"{_NAME}: input tensor and bins tensors should have the same dtype, but got input with dtype {ours} "
                f"and bins for dimension {i} with dtype {theirs}"
            )
        if len(edges._a.shape) != 1:
            raise RuntimeError(
                f"{_NAME}: bins tensor should have one dimension, but got {len(edges._a.shape)} dimensions in the bins "
                f"tensor for dimension {i}"
            )
        if not edges._a.size:
            raise RuntimeError(
                f"{_NAME}: bins tensor should have at least 1 element, but got 0 elements in the bins tensor for "
                f"dimension {i}"
            )
        _check_bins(int(edges._a.size) - 1, i)
    return list(bins)


def _ends(x: Tensor, bins: Sequence[int], range: Sequence[float] | None) -> list[tuple[float, float]]:
    """Returns the outer edges of each dimension: those given, or the values' own."""
    dims = x._a.shape[-1]
    for i, n in enumerate(bins):
        _check_bins(n, i)
    if range is not None:
        if len(range) != 2 * dims:
            raise RuntimeError(
                f"{_NAME}: for a {dims}-dimensional histogram range should have {2 * dims} elements, but got "
                f"{len(range)}"
            )
        ends = [(float(range[2 * i]), float(range[2 * i + 1])) for i in builtin_range(dims)]
    elif x._a.size:
        ends = [(_item(x[:, i].min()), _item(x[:, i].max())) for i in builtin_range(dims)]
    else:
        ends = [(0.0, 1.0)] * dims
    for i, (low, high) in enumerate(ends):
        if not (math.isfinite(low) and math.isfinite(high)):
            raise RuntimeError(f"{_NAME}: dimension {i}'s range [{_number(low)}, {_number(high)}] is not finite")
        if low > high:
            raise RuntimeError(
                f"{_NAME}: min should not exceed max, but got min {_number(low)} max {_number(high)} for dimension {i}"
            )
    return [(low - 0.5, high + 0.5) if low == high else (low, high) for low, high in ends]


builtin_range = range  # histogram's own argument has this name


def _between(x: Any, edges: Any) -> Tensor:
    """Returns the bin of each value between sorted edges, the last of which belongs to the last bin."""
    bins = int(edges._a.size) - 1
    places = FUNCTIONS["searchsorted"](edges, x.contiguous(), right=True) - 1
    places = places.clamp(max=bins - 1)
    inside = (x >= edges[0]) & (x <= edges[bins])
    return FUNCTIONS["where"](inside, places, METHODS["new_full"](places, (), bins))  # type: ignore[no-any-return]  # entry


def _histogram(
    x: Tensor, bins: Any, range: Sequence[float] | None, weight: Tensor | None, density: bool
) -> tuple[Tensor, list[Tensor]]:
    """Returns counts and edges for points in the rows of ``x``."""
    _check_input(x, weight, range is None and not isinstance(bins[0], Tensor))
    x = METHODS["detach"](x)
    rows: Any = x.reshape(-1, x._a.shape[-1])
    if isinstance(bins[0], Tensor):
        edges = _given_edges(x, bins)
    else:
        options = {"dtype": x._key.dtype, "device": x._key.device}
        ends = _ends(rows, bins, range)
        edges = [FUNCTIONS["linspace"](a, b, n + 1, **options) for (a, b), n in zip(ends, bins, strict=True)]
    counts = [int(e._a.size) - 1 for e in edges]
    total = math.prod(counts)
    place: Any = 0
    outside: Any = None
    for i, (edge, n) in enumerate(zip(edges, counts, strict=True)):
        own: Any = _between(rows[:, i], edge)
        left = own == n
        outside = left if outside is None else outside | left
        place = place * n + own
    place = FUNCTIONS["where"](outside, METHODS["new_full"](place, (), total), place)
    weights = FUNCTIONS["ones_like"](rows[:, 0]) if weight is None else METHODS["detach"](weight)
    hist: Any = _counted(place, total, weights).reshape(counts)
    if density:
        hist = hist / hist.sum()
        for i, edge in enumerate(edges):
            widths = FUNCTIONS["diff"](edge)
            hist = hist / widths.reshape(-1, *(1,) * (len(counts) - 1 - i))
    return hist, edges


# --- histogram, histogramdd -------------------------------------------------------------------------------------------


def _histogram_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4), 5), grad=False)
    yield Sample((make(12), 3), {"range": (-1.0, 1.0), "density": True, "weight": make(12, low=0.5)}, grad=False)


@composite(method=True, out=True, samples=_histogram_samples)
def histogram(
    input: Tensor,
    bins: int | Tensor,
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Any:
    """Returns (hist, bin_edges): counts, or sums of weights, between ``bins`` + 1 even edges or between given ones.

    >>> torch.histogram(torch.tensor([1.0, 2.0, 1.0]), bins=4, range=(0.0, 3.0)).hist
    tensor([0., 2., 1., 0.])
    """
    x = input.reshape(-1, 1)
    flat = None if weight is None else weight.reshape(-1)
    hist, edges = _histogram(x, [bins], range, flat, density)
    return HistogramResult((hist, edges[0]))


def _histogramdd_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(12, 2), [2, 3]), grad=False)


@composite(samples=_histogramdd_samples)
def histogramdd(
    input: Tensor,
    bins: int | Sequence[int] | Sequence[Tensor],
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Any:
    """Returns (hist, bin_edges) of points given as rows, with one dimension of ``hist`` for each coordinate.

    >>> torch.histogramdd(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), [2, 2]).hist
    tensor([[0., 1.],
            [1., 0.]])
    """
    shape = input._a.shape
    if not shape:
        raise IndexError("Dimension specified as -1 but tensor has no dimensions")
    if len(shape) < 2:
        raise RuntimeError(f"{_NAME}: input tensor should have at least 2 dimensions")
    each = [bins] * shape[-1] if isinstance(bins, int) else list(bins)
    if not (each and isinstance(each[0], Tensor)) and len(each) != shape[-1]:
        raise RuntimeError("histogramdd: The size of bins must be equal to the innermost dimension of the input.")
    hist, edges = _histogram(input, each, range, weight, density)
    return HistogramddResult((hist, tuple(edges)))
