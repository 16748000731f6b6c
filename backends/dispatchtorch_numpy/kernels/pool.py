"""Pooling on numpy: windows as shifted slices, the maximum and its places in buffers that are written over.

What is not finite goes the shared way, which keeps torch's order among NaN and minus infinity.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch.plugin.numpylike import KERNELS as SHARED
from dispatchtorch.plugin.numpylike.pool import counts, reaches, window_count

__all__ = ["KERNELS"]

Ints = tuple[int, ...]
_FITS: Final = frozenset(np.dtype(c) for c in "fd")
_shared_max, _shared_mean_backward = SHARED["_max_pool"], SHARED["_avg_pool_backward"]


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
    if input.dtype not in _FITS:
        return _shared_max(np, input, kernel, stride, padding, dilation, ceil_mode)
    reach = [(o - 1) * s + d * (k - 1) + 1 for o, s, d, k in zip(outs, stride, dilation, kernel, strict=True)]
    padded: Any = input
    if any(padding) or any(r > size for r, size in zip(reach, sizes, strict=True)):
        full = [max(r, size + p) for r, size, p in zip(reach, sizes, padding, strict=True)]
        padded = np.full((*input.shape[:-n], *full), -np.inf, input.dtype)
        padded[(..., *(slice(p, p + size) for p, size in zip(padding, sizes, strict=True)))] = input
    shifts = list(_shifts(kernel, stride, dilation, outs))
    best = padded[shifts[0][1]].copy()
    for _, where in shifts[1:]:
        np.maximum(best, padded[where], out=best)
    if not np.isfinite(best).all():
        return _shared_max(np, input, kernel, stride, padding, dilation, ceil_mode)
    return best, _places(padded, best, shifts, sizes, stride, padding, dilation)


def _places(padded: Any, best: Any, shifts: list[Any], sizes: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Any:
    """Returns the flat place of the first element of each window that is the largest."""
    n, outs = len(sizes), best.shape[-len(sizes) :]
    order = np.empty(best.shape, np.intp)
    same = np.empty(best.shape, np.bool_)
    for i in range(len(shifts) - 1, -1, -1):  # backwards, so that the first of equals is written last
        place, where = shifts[i]
        flat: Any = 0
        for axis in range(n):
            line = np.arange(outs[axis]) * stride[axis] - padding[axis] + place[axis] * dilation[axis]
            flat = flat * sizes[axis] + line.reshape(-1, *(1 for _ in range(n - axis - 1)))
        if i == len(shifts) - 1:
            order[...] = flat
            continue
        np.equal(padded[where], best, same)
        np.copyto(order, flat, where=same)
    return order


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


KERNELS: Final[dict[str, Kernel]] = {"_max_pool": _max_pool, "_avg_pool_backward": _avg_pool_backward}
