"""The windows of images as matrices for BLAS, copied as little as can be.

A row of the buffer is a channel at one place of the kernel's later dimensions, moved so that it lies where its output
does. A move along the first dimension is then a move along the row: a view, which BLAS takes. So a 3x3 kernel costs
three copies and three products instead of nine copies. Strides are dealt out to phases, which makes every view dense.
Must not know: what is multiplied.
"""

from __future__ import annotations

import itertools
from functools import lru_cache
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np

__all__ = ["BUDGET", "Windows", "product", "windows"]

Ints = tuple[int, ...]
BUDGET: Final = 1 << 18  # elements of a buffer: it stays in the cache
_SMALL: Final = 10**6  # up to so many multiplications OpenBLAS does not repack its operands
_NARROW: Final = 32  # fewer columns than this are no good to BLAS

Move = tuple[tuple[Any, ...], tuple[Any, ...]]


class Windows(NamedTuple):
    """How images of one geometry go into a buffer (images, rows, phases, length), and where the windows are in it."""

    outs: Ints
    places: Ints  # of the kernel's later dimensions
    phases: int
    lines: int  # of outs[1:] in a phase
    moves: tuple[Move, ...]  # from the image to the buffer (images, channels, *places, phases, lines, *outs[1:])
    runs: tuple[tuple[Ints, slice, slice, Any], ...]  # the same for dense images, as flat runs and what to clear then
    views: tuple[tuple[int, slice], ...]  # for each place of the first dimension its phase and its part

    def size(self, rows: int) -> int:
        """Returns the elements that an image takes."""
        return rows * self.phases * self.lines * prod(self.outs[1:])

    def buffer(self, count: int, channels: int, dtype: Any, *, ones: bool) -> Any:
        """Returns a buffer for so many images, zero where no move writes, with a last row of ones for a bias."""
        rows = channels * prod(self.places)
        whole = np.zeros((count, rows + ones, self.phases, self.lines * prod(self.outs[1:])), dtype)
        if ones:
            whole[:, rows] = 1
        return whole

    def fill(self, buffer: Any, x: Any) -> None:
        """Writes the windows of images into a buffer that had images of this geometry or none."""
        count, channels = x.shape[:2]
        rows = channels * prod(self.places)
        if self.runs and _dense(x):
            flat = x.reshape(count, channels, -1)
            into = buffer[:count, :rows].reshape(count, channels, *self.places, -1)
            grid = into.reshape(*into.shape[:-1], self.lines, self.outs[1])
            for place, here, there, clear in self.runs:
                into[(slice(None), slice(None), *place, here)] = flat[..., there]
                if clear is not None:
                    grid[(slice(None), slice(None), *place, slice(None), clear)] = 0
            return
        into = buffer[:count, :rows].reshape(count, channels, *self.places, self.phases, self.lines, *self.outs[1:])
        for target, source in self.moves:
            into[target] = x[source]


def _dense(x: Any) -> bool:
    size = x.itemsize
    for n, s in zip(x.shape[:1:-1], x.strides[:1:-1], strict=True):
        if s != size:
            return False
        size *= n
    return True


def _along(size: int, k: int, stride: int, padding: int, dilation: int, out: int) -> tuple[slice, slice] | None:
    """Returns which outputs meet the image at one place of the kernel, and where; None where none does."""
    shift = k * dilation - padding
    low = max(0, -(shift // stride))
    high = min(out, (size - 1 - shift) // stride + 1)
    if high <= low:
        return None
    first = low * stride + shift
    return slice(low, high), slice(first, first + (high - low - 1) * stride + 1, stride)


@lru_cache(maxsize=512)
def windows(sizes: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, outs: Ints) -> Windows:
    """Returns the plan for two or more dimensions. What lies outside of the image is zero; padding may be negative."""
    s, d, p = stride[0], dilation[0], padding[0]
    phases = sorted({k * d % s for k in range(kernel[0])})
    lines, cross = outs[0] + (kernel[0] - 1) * d // s, prod(outs[1:])
    begin = max(0, -p)
    upright = []
    for i, phase in enumerate(phases):
        first = begin + (phase - p - begin) % s
        line = (first + p) // s
        count = min(lines - line, -(-(sizes[0] - first) // s))
        if count > 0:
            upright.append((i, slice(line, line + count), slice(first, first + (count - 1) * s + 1, s)))
    moves = []
    for place in itertools.product(*map(range, kernel[1:])):
        met = [
            _along(*facts)
            for facts in zip(sizes[1:], place, stride[1:], padding[1:], dilation[1:], outs[1:], strict=True)
        ]
        if None in met:
            continue
        pairs = [pair for pair in met if pair is not None]
        for i, here, there in upright:
            moves.append(
                (
                    (slice(None), slice(None), *place, i, here, *[pair[0] for pair in pairs]),
                    (slice(None), slice(None), there, *[pair[1] for pair in pairs]),
                )
            )
    views = tuple(
        [(phases.index(k * d % s), slice(k * d // s * cross, (k * d // s + outs[0]) * cross)) for k in range(kernel[0])]
    )
    runs = _runs(sizes, kernel, stride, padding, dilation, outs, lines)
    return Windows(outs, kernel[1:], len(phases), lines, tuple(moves), runs, views)


def _runs(
    sizes: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, outs: Ints, lines: int
) -> tuple[tuple[Ints, slice, slice, Any], ...]:
    """Returns the moves as flat runs; none unless there are two dimensions, no strides, and outputs as wide as images.

    A run takes the ends of lines along to where zeros belong, so these are cleared.
    """
    width, (upper, side) = sizes[-1], (padding[0], padding[-1])
    if len(kernel) != 2 or stride != (1, 1) or outs[1] != width or upper < 0:
        return ()
    found = []
    count = min(lines - upper, sizes[0])
    for k in range(kernel[1]):
        shift = k * dilation[1] - side
        if abs(shift) >= width or count <= 0:
            return ()
        start, length = upper * width, count * width
        found.append(
            (
                (k,),
                slice(start + max(0, -shift), start + length - max(0, shift)),
                slice(max(0, shift), length - max(0, -shift)),
                None if shift == 0 else slice(0, -shift) if shift < 0 else slice(width - shift, width),
            )
        )
    return tuple(found)


def _divided(length: int, most: int) -> int:
    """Returns the largest divisor of ``length`` up to ``most``, or the length where there is no wide one."""
    for parts in range(-(-length // most), length // _NARROW + 1):
        if length % parts == 0:
            return length // parts
    return length


def product(a: Any, b: Any, out: Any) -> Any:
    """Writes the products of matrices (..., M, K) and (..., K, N) into ``out``, in pieces where BLAS is quicker so."""
    k, n = b.shape[-2:]
    m = a.shape[-2]
    if m * k * n > _SMALL:
        wide = _divided(n, max(_SMALL // (m * k), 1))
        if wide < n:
            pieces = b.swapaxes(-1, -2).reshape(*b.shape[:-2], n // wide, wide, k).swapaxes(-1, -2)
            into = out.reshape(*out.shape[:-1], n // wide, wide).swapaxes(-2, -3)
            np.matmul(a[..., None, :, :], pieces, into)
            return out
    return np.matmul(a, b, out)
