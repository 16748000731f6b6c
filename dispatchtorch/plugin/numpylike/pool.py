"""Pooling over any numpy-like namespace: each place of a window is one array, taken at places known beforehand.

Where windows hang over the edge, or are shorter than the longest, a place is taken twice, which changes no maximum.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from dispatchtorch.plugin.numpylike import kernel
from dispatchtorch.plugin.numpylike.conv import spread, wide
from dispatchtorch.plugin.numpylike.pad import fit

__all__ = ["bins", "counts", "reaches", "window_count"]

Ints = tuple[int, ...]
Places = list[list[int]]  # for each place in the window, for each window: a place of the input


def _windows(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> Places:
    """Returns where windows of one size look, kept inside the input; at 0 where there is nothing of it in a window."""
    found: Places = [[] for _ in range(kernel)]
    for o in range(window_count(size, kernel, stride, padding, dilation, ceil_mode)):
        places = [o * stride - padding + i * dilation for i in range(kernel)]
        inside = [p for p in places if 0 <= p < size] or [0]
        for i, p in enumerate(places):
            found[i].append(inside[0] if p < 0 else inside[-1] if p >= size else p)
    return found


def window_count(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """Returns the number of windows; with ``ceil_mode`` the last may hang over, but begins inside."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    count = (room + (stride - 1 if ceil_mode else 0)) // stride + 1
    return count - 1 if ceil_mode and (count - 1) * stride >= size + padding else count


def bins(size: int, count: int) -> list[tuple[int, int]]:
    """Returns begin and end of ``count`` windows that cover ``size`` places evenly."""
    return [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def _even_windows(size: int, count: int) -> Places:
    parts = bins(size, count)
    longest = max([end - begin for begin, end in parts], default=1)
    return [[min(begin + i, end - 1) for begin, end in parts] for i in range(longest)]


def _largest(xp: Any, x: Any, where: list[Places]) -> tuple[Any, Any]:
    """Returns the largest of each window and its flat place; of equals the first, of NaN the last, as in torch."""
    n, sizes = len(where), x.shape[-len(where) :]
    best: Any = None
    for spot in itertools.product(*[range(len(places)) for places in where]):
        part, flat = x, None
        for axis, (places, i) in enumerate(zip(where, spot, strict=True)):
            index = xp.asarray(places[i], dtype=xp.int64)
            part = xp.take(part, index, axis=x.ndim - n + axis)
            index = xp.reshape(index, (-1, *(1 for _ in range(n - axis - 1))))
            flat = index if flat is None else flat * sizes[axis] + index
        if best is None:
            best, at = part, xp.broadcast_to(flat, part.shape)
            continue
        better = part > best
        if x.dtype.kind not in "iu":
            better = better | (part != part)
        best, at = xp.where(better, part, best), xp.where(better, flat, at)
    return xp.copy(best), xp.copy(at)


@kernel
def _max_pool(
    xp: Any, input: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool
) -> tuple[Any, Any]:
    sizes = input.shape[-len(kernel) :]
    axes = list(zip(sizes, kernel, stride, padding, dilation, strict=True))
    best, at = _largest(xp, input, [_windows(*axis, ceil_mode) for axis in axes])
    if all(d <= size for size, d in zip(sizes, dilation, strict=True)):
        return best, at
    return _none_inside(xp, best, at, axes)


def _none_inside(xp: Any, best: Any, at: Any, axes: Sequence[tuple[int, ...]]) -> tuple[Any, Any]:
    """Returns the result with the windows that step over the whole input: the lowest number there is, and torch's
    place for it, which is none of the input's."""
    empty: Any = xp.zeros((), dtype=bool)
    flat: Any = xp.zeros((), dtype=xp.int64)
    for (size, k, s, p, d), count in zip(axes, best.shape[-len(axes) :], strict=True):
        starts = [next((x for x in range(o * s - p, o * s - p + k * d, d) if x >= 0), 0) for o in range(count)]
        empty = empty[..., None] | xp.asarray([start >= size for start in starts])
        flat = flat[..., None] * size + xp.asarray(starts, dtype=xp.int64)
    lowest = -xp.inf if best.dtype.kind not in "iu" else xp.iinfo(best.dtype).min
    return xp.where(empty, xp.asarray(lowest, dtype=best.dtype), best), xp.where(empty, flat, at)


@kernel
def _adaptive_max_pool(xp: Any, input: Any, sizes: Ints) -> tuple[Any, Any]:
    have = input.shape[-len(sizes) :]
    return _largest(xp, input, [_even_windows(size, count) for size, count in zip(have, sizes, strict=True)])


# --- the mean ---------------------------------------------------------------------------------------------------------


def reaches(sizes: Ints, kernel: Ints, stride: Ints, padding: Ints, ceil_mode: bool) -> tuple[Ints, Any]:
    """Returns the numbers of windows and the padding, before and behind, that windows of the mean reach over."""
    outs = tuple(
        [window_count(n, k, s, p, 1, ceil_mode) for n, k, s, p in zip(sizes, kernel, stride, padding, strict=True)]
    )
    pads = [(p, (o - 1) * s + k - n - p) for n, k, s, p, o in zip(sizes, kernel, stride, padding, outs, strict=True)]
    return outs, pads


def counts(
    sizes: Ints, kernel: Ints, stride: Ints, padding: Ints, outs: Ints, include_pad: bool, divisor: int | None
) -> Any:
    """Returns what windows' sums are divided by: a number, or a list of numbers a dimension that multiply."""
    if divisor is not None:
        return float(divisor)
    found = []
    for n, k, s, p, o in zip(sizes, kernel, stride, padding, outs, strict=True):
        starts = [i * s - p for i in range(o)]
        if include_pad:
            found.append([min(b + k, n + p) - b for b in starts])
        else:
            found.append([min(b + k, n) - max(b, 0) for b in starts])
    if all(len(set(row)) <= 1 for row in found):
        total = 1.0
        for row in found:
            total *= row[0] if row else 1
        return total
    return found


def _divided(xp: Any, total: Any, by: Any) -> Any:
    if isinstance(by, float):
        return total / by if total.dtype.kind not in "iu" else xp.trunc(total / by)
    for axis, row in enumerate(by):
        divisor = xp.reshape(xp.asarray(row, dtype=total.dtype), (-1, *(1 for _ in range(len(by) - axis - 1))))
        total = total / divisor if total.dtype.kind not in "iu" else xp.trunc(total / divisor)
    return total


def _sums(xp: Any, padded: Any, kernel: Ints, stride: Ints, outs: Ints) -> Any:
    """Returns the sums of windows, a dimension at a time."""
    for axis, (k, s, o) in enumerate(zip(kernel, stride, outs, strict=True), padded.ndim - len(kernel)):
        lead = (slice(None),) * axis
        total: Any = None
        for i in range(k):
            part = padded[(*lead, slice(i, i + (o - 1) * s + 1, s))]
            total = part if total is None else total + part
        padded = total
    return padded


@kernel
def _avg_pool(
    xp: Any, input: Any, kernel: Ints, stride: Ints, padding: Ints, ceil_mode: bool, include_pad: bool, divisor: Any
) -> Any:
    n = len(kernel)
    sizes = input.shape[-n:]
    outs, pads = reaches(sizes, kernel, stride, padding, ceil_mode)
    padded = fit(xp, wide(xp, input), ((0, 0),) * (input.ndim - n) + tuple(pads))
    total = _sums(xp, padded, kernel, stride, outs)
    return _divided(xp, total, counts(sizes, kernel, stride, padding, outs, include_pad, divisor)).astype(input.dtype)


@kernel
def _avg_pool_backward(
    xp: Any,
    g: Any,
    sizes: Ints,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    ceil_mode: bool,
    include_pad: bool,
    divisor: Any,
) -> Any:
    n, outs = len(kernel), g.shape[-len(kernel) :]
    share = _divided(xp, wide(xp, g), counts(sizes, kernel, stride, padding, outs, include_pad, divisor))
    share = spread(xp, share, stride)
    pads = [
        (k - 1 - p, size + p - 1 - (o - 1) * s)
        for size, k, s, p, o in zip(sizes, kernel, stride, padding, outs, strict=True)
    ]
    padded = fit(xp, share, ((0, 0),) * (g.ndim - n) + tuple(pads))
    return _sums(xp, padded, kernel, (1,) * n, sizes).astype(g.dtype)


def _shares(xp: Any, size: int, count: int, dtype: Any) -> Any:
    """Returns the matrix (count, size) whose product with a dimension is the mean of each window."""
    rows = [[1 / (end - begin) if begin <= i < end else 0.0 for i in range(size)] for begin, end in bins(size, count)]
    return xp.reshape(xp.asarray(rows, dtype=dtype), (count, size))


def _along(xp: Any, a: Any, matrix: Any, axis: int) -> Any:
    """Returns the product of a matrix with one dimension."""
    return xp.moveaxis(xp.matmul(xp.moveaxis(a, axis, -1), matrix.T), -1, axis)


@kernel
def _adaptive_avg_pool(xp: Any, input: Any, sizes: Ints) -> Any:
    out = wide(xp, input)
    if set(sizes) == {1}:
        return xp.mean(out, axis=tuple(range(input.ndim - len(sizes), input.ndim)), keepdims=True).astype(input.dtype)
    for axis, count in enumerate(sizes, input.ndim - len(sizes)):
        if out.shape[axis] != count:
            out = _along(xp, out, _shares(xp, out.shape[axis], count, out.dtype), axis)
    return out.astype(input.dtype) if out is not input else xp.copy(out)


@kernel
def _adaptive_avg_pool_backward(xp: Any, g: Any, sizes: Ints) -> Any:
    out = wide(xp, g)
    if set(g.shape[g.ndim - len(sizes) :]) == {1}:
        share = out / math.prod(sizes)
        return xp.copy(xp.broadcast_to(share, (*g.shape[: g.ndim - len(sizes)], *sizes))).astype(g.dtype)
    for axis, size in enumerate(sizes, g.ndim - len(sizes)):
        if out.shape[axis] != size:
            out = _along(xp, out, _shares(xp, size, out.shape[axis], out.dtype).T, axis)
    return out.astype(g.dtype) if out is not g else xp.copy(out)
