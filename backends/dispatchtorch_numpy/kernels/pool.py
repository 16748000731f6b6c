"""Pooling on numpy: windows as shifted slices, the maximum and its places in buffers that are written over.

What is not finite goes the shared way, which keeps torch's order among NaN and minus infinity.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import lru_cache
from math import prod
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch.plugin.numpylike import KERNELS as SHARED
from dispatchtorch.plugin.numpylike.pool import counts, reaches, window_count
from dispatchtorch_numpy.kernels.reduce import total

__all__ = ["KERNELS"]

Ints = tuple[int, ...]
_FITS: Final = frozenset(np.dtype(c) for c in "fd")
_shared_max, _shared_mean_backward = SHARED["_max_pool"], SHARED["_avg_pool_backward"]
_shared_adaptive, _shared_adaptive_backward = SHARED["_adaptive_avg_pool"], SHARED["_adaptive_avg_pool_backward"]


def _shifts(kernel: Ints, stride: Ints, dilation: Ints, outs: Ints) -> Iterator[tuple[Ints, tuple[Any, ...]]]:
    """Yields each place of a window with the slices, after an ellipsis, that it meets."""
    for place in itertools.product(*map(range, kernel)):
        slices = [
            slice(i * d, i * d + (n - 1) * s + 1, s) for i, d, n, s in zip(place, dilation, outs, stride, strict=True)
        ]
        yield place, (..., *slices)


def _max_pool(input: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool) -> Any:
    n = len(kernel)
    sizes = input.shape[-n:]
    outs = tuple(
        [
            window_count(size, k, s, p, d, ceil_mode)
            for size, k, s, p, d in zip(sizes, kernel, stride, padding, dilation, strict=True)
        ]
    )
    code = np.uint8 if prod(kernel) < 256 else np.uint16  # numbers of places, and one that is larger than all
    if input.dtype not in _FITS or prod(kernel) >= 1 << 16:
        return _shared_max(np, input, kernel, stride, padding, dilation, ceil_mode)
    reach = [(o - 1) * s + d * (k - 1) + 1 for o, s, d, k in zip(outs, stride, dilation, kernel, strict=True)]
    best: Any = input
    if any(padding) or any(r > size for r, size in zip(reach, sizes, strict=True)):
        full = [max(r, size + p) for r, size, p in zip(reach, sizes, padding, strict=True)]
        best = np.full((*input.shape[:-n], *full), -np.inf, input.dtype)
        best[(..., *(slice(p, p + size) for p, size in zip(padding, sizes, strict=True)))] = input
    places: Any = None
    for axis, facts in enumerate(zip(kernel, stride, dilation, outs, strict=True), input.ndim - n):
        best, places = _largest_along(best, places, axis, *facts, code)
    if not np.isfinite(best).all():
        return _shared_max(np, input, kernel, stride, padding, dilation, ceil_mode)
    begin, step = _offsets(sizes, outs, kernel, stride, padding, dilation)
    order = step.take(places)
    order += begin
    return best, order


def _largest_along(
    x: Any, places: Any, axis: int, kernel: int, stride: int, dilation: int, count: int, code: Any
) -> tuple[Any, Any]:
    """Returns the largest of windows along an axis, and the number of the first place in the window that has it.

    ``places`` are the numbers within the axes before; None for the first axis.
    """
    lead = (slice(None),) * axis
    parts = [(*lead, slice(k * dilation, k * dilation + (count - 1) * stride + 1, stride)) for k in range(kernel)]
    best = x[parts[0]].copy()
    found = np.zeros(best.shape, code)
    if places is None:
        for k in range(1, kernel):
            better = np.greater(x[parts[k]], best)
            np.maximum(best, x[parts[k]], out=best)
            np.maximum(found, better.view(np.uint8) * code(k), out=found)
        return best, found
    for part in parts[1:]:
        np.maximum(best, x[part], out=best)
    found -= code(1)  # the largest number
    for k, part in enumerate(parts):
        other = np.not_equal(x[part], best).view(np.uint8).astype(code, copy=False)
        mine = np.negative(other, out=other)
        mine |= places[part] * code(kernel) + code(k)
        np.minimum(found, mine, out=found)
    return best, found


@lru_cache(maxsize=128)
def _offsets(sizes: Ints, outs: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> tuple[Any, Any]:
    """Returns the flat place at which each window begins, and for each place in a window how far it is from there."""
    begin: Any = np.zeros((), np.int64)
    step: Any = np.zeros((), np.int64)
    for size, out, k, s, p, d in zip(sizes, outs, kernel, stride, padding, dilation, strict=True):
        begin = begin[..., None] * size + np.arange(out) * s - p
        step = step[..., None] * size + np.arange(k) * d
    return begin, step.reshape(-1)


def _max_pool_backward(
    g: Any, indices: Any, sizes: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> Any:
    lead, size = g.shape[: -len(sizes)], prod(sizes)
    out = np.zeros((*lead, *sizes), g.dtype if g.dtype.itemsize > 2 else np.float32)
    if not g.size:
        return out.astype(g.dtype)
    first = np.arange(0, out.size, size).reshape(-1, 1)
    where = indices.reshape(len(first), -1) + first
    if kernel and all(s >= d * (k - 1) + 1 for s, d, k in zip(stride, dilation, kernel, strict=True)):
        out.reshape(-1)[where] = g.reshape(where.shape)  # no two windows meet
    else:
        np.add.at(out.reshape(-1), where.reshape(-1), g.reshape(-1).astype(out.dtype, copy=False))
    return out.astype(g.dtype, copy=False)


def _avg_pool_backward(
    g: Any,
    sizes: Ints,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    ceil_mode: bool,
    include_pad: bool,
    divisor: Any,
) -> Any:
    outs, pads = reaches(sizes, kernel, stride, padding, ceil_mode)
    by = counts(sizes, kernel, stride, padding, outs, include_pad, divisor)
    if g.dtype not in _FITS or not isinstance(by, float):
        return _shared_mean_backward(np, g, sizes, kernel, stride, padding, ceil_mode, include_pad, divisor)
    share = g / by
    full = [size + low + max(high, 0) for size, (low, high) in zip(sizes, pads, strict=True)]
    out: Any = np.zeros((*g.shape[: -len(kernel)], *full), g.dtype)
    for _, where in _shifts(kernel, stride, (1,) * len(kernel), outs):
        out[where] += share
    if tuple(full) == tuple(sizes):
        return out
    inside = tuple([slice(low, low + size) for size, (low, _) in zip(sizes, pads, strict=True)])
    return np.ascontiguousarray(out[(..., *inside)])


def _adaptive_avg_pool(input: Any, sizes: Ints) -> Any:
    if set(sizes) != {1} or input.dtype not in _FITS or not input.size:
        return _shared_adaptive(np, input, sizes)
    lead = input.shape[: -len(sizes)]
    flat = np.ascontiguousarray(input).reshape(*lead, -1)
    return (total(flat, (flat.ndim - 1,), False) / input.dtype.type(flat.shape[-1])).reshape(*lead, *sizes)


def _adaptive_avg_pool_backward(g: Any, sizes: Ints) -> Any:
    n = len(sizes)
    if set(g.shape[-n:]) != {1} or g.dtype not in _FITS:
        return _shared_adaptive_backward(np, g, sizes)
    out = np.empty((*g.shape[:-n], *sizes), g.dtype)
    np.copyto(out, g / g.dtype.type(prod(sizes)))
    return out


KERNELS: Final[dict[str, Kernel]] = {
    "_adaptive_avg_pool": _adaptive_avg_pool,
    "_adaptive_avg_pool_backward": _adaptive_avg_pool_backward,
    "_max_pool": _max_pool,
    "_max_pool_backward": _max_pool_backward,
    "_avg_pool_backward": _avg_pool_backward,
}
