"""Convolution on numpy: the windows of a few images at a time in one buffer that stays in the cache, then one product.

One output channel from one input channel (depthwise) is a sum of shifted products instead. Precisions that BLAS has not
go the shared way.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from math import prod
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch.plugin.numpylike import KERNELS as SHARED

__all__ = ["KERNELS"]

Ints = tuple[int, ...]
COLUMNS: Final = 512  # outputs a product: small images are taken together until there are so many
_FITS: Final = frozenset(np.dtype(c) for c in "fdFD")
_shared, _shared_weight = SHARED["_convolution"], SHARED["_convolution_weight"]


def _pad(x: Any, padding: Ints) -> Any:
    """Returns the array in C order with zeros around its spatial dimensions."""
    if not any(padding):
        return np.ascontiguousarray(x)
    shape = (*x.shape[:2], *(n + 2 * p for n, p in zip(x.shape[2:], padding, strict=True)))
    out = np.zeros(shape, x.dtype)
    out[_inside(x.shape[2:], padding)] = x
    return out


def _inside(sizes: Ints, padding: Ints) -> tuple[slice, ...]:
    return (slice(None), slice(None), *(slice(p, p + n) for n, p in zip(sizes, padding, strict=True)))


def _shifts(kernel: Ints, stride: Ints, dilation: Ints, outs: Ints) -> Iterator[tuple[Ints, tuple[slice, ...]]]:
    """Yields each place of the kernel with the part of a padded array that it meets."""
    for place in itertools.product(*map(range, kernel)):
        yield (
            place,
            tuple(
                [
                    slice(i * d, i * d + (n - 1) * s + 1, s)
                    for i, d, n, s in zip(place, dilation, outs, stride, strict=True)
                ]
            ),
        )


def _outs(padded: Ints, kernel: Ints, stride: Ints, dilation: Ints) -> Ints:
    return tuple([(n - d * (k - 1) - 1) // s + 1 for n, d, k, s in zip(padded, dilation, kernel, stride, strict=True)])


def _columns(padded: Any, kernel: Ints, stride: Ints, dilation: Ints, outs: Ints) -> Callable[[int, int], Any]:
    """Returns a function from two image numbers to the windows between: (channels * places, images * outputs).

    All blocks share one buffer; a kernel of one place on contiguous images needs none.
    """
    count, channels = padded.shape[:2]
    depth, spots = channels * prod(kernel), prod(outs)
    size = _block(count, spots)
    if size == 1 and prod(kernel) == 1 and padded.shape[2:] == outs:
        flat = padded.reshape(count, channels, spots)
        return lambda start, stop: flat[start]
    n, c, *steps = padded.strides
    windows = np.ndarray(
        (channels, *kernel, count, *outs),
        padded.dtype,
        padded,
        0,
        (
            c,
            *(d * s for d, s in zip(dilation, steps, strict=True)),
            n,
            *(d * s for d, s in zip(stride, steps, strict=True)),
        ),
    )
    buffer = np.empty(depth * size * spots, padded.dtype)
    lead = (slice(None),) * (1 + len(kernel))

    def fill(start: int, stop: int) -> Any:
        here = buffer[: depth * (stop - start) * spots]
        np.copyto(here.reshape(channels, *kernel, stop - start, *outs), windows[(*lead, slice(start, stop))])
        return here.reshape(depth, (stop - start) * spots)

    return fill


def _block(count: int, spots: int) -> int:
    return max(1, min(count, COLUMNS // max(spots, 1)))


def _parts(count: int, spots: int) -> Iterator[tuple[int, int]]:
    size = _block(count, spots)
    for start in range(0, count, size):
        yield start, min(start + size, count)


def _rows(g: Any, start: int, stop: int) -> Any:
    """Returns images of (N, channels, outputs) as one matrix (channels, images * outputs)."""
    if stop - start == 1:
        return g[start]
    return g[start:stop].swapaxes(0, 1).reshape(g.shape[1], -1)


# --- one group --------------------------------------------------------------------------------------------------------


def _plain(x: Any, w: Any, out: Any, stride: Ints, dilation: Ints) -> None:
    """Writes the convolution of padded images into ``out``."""
    count, channels, *outs = out.shape
    spots = prod(outs)
    fill = _columns(x, w.shape[2:], stride, dilation, tuple(outs))
    flat, matrix = out.reshape(count, channels, spots), np.ascontiguousarray(w.reshape(channels, -1))
    for start, stop in _parts(count, spots):
        cols = fill(start, stop)
        if stop - start == 1:
            np.dot(matrix, cols, flat[start])
        else:
            flat[start:stop] = matrix.dot(cols).reshape(channels, stop - start, spots).swapaxes(0, 1)


def _adjoint(g: Any, w: Any, out: Any, stride: Ints, dilation: Ints) -> None:
    """Adds the transposed convolution of ``g`` to padded images ``out``."""
    count, channels, *sizes = g.shape
    spots, kernel = prod(sizes), w.shape[2:]
    flat, matrix = np.ascontiguousarray(g).reshape(count, channels, spots), w.reshape(channels, -1).T
    shifts = list(_shifts(kernel, stride, dilation, tuple(sizes)))
    for start, stop in _parts(count, spots):
        cols = matrix.dot(_rows(flat, start, stop)).reshape(w.shape[1], *kernel, stop - start, *sizes)
        target = out[start:stop].swapaxes(0, 1)
        for place, where in shifts:
            target[(slice(None), slice(None), *where)] += cols[(slice(None), *place)]


def _by_weight(x: Any, g: Any, kernel: Ints, stride: Ints, dilation: Ints) -> Any:
    """Returns the weight's gradient from padded images and the cotangent."""
    count, channels, *sizes = g.shape
    spots = prod(sizes)
    fill = _columns(x, kernel, stride, dilation, tuple(sizes))
    flat = np.ascontiguousarray(g).reshape(count, channels, spots)
    total = np.zeros((channels, x.shape[1] * prod(kernel)), x.dtype)
    for start, stop in _parts(count, spots):
        total += _rows(flat, start, stop).dot(fill(start, stop).T)
    return total.reshape(channels, x.shape[1], *kernel)


# --- depthwise --------------------------------------------------------------------------------------------------------


def _deep_plain(x: Any, w: Any, out: Any, stride: Ints, dilation: Ints) -> None:
    shifts = list(_shifts(w.shape[2:], stride, dilation, out.shape[2:]))
    factors = [w[(slice(None), 0, *place, *(None,) * (w.ndim - 2))] for place, _ in shifts]
    term = np.empty(out.shape[1:], out.dtype)
    for image, target in zip(x, out, strict=True):
        for i, (_, where) in enumerate(shifts):
            np.multiply(image[(slice(None), *where)], factors[i], target if i == 0 else term)
            if i:
                target += term


def _deep_adjoint(g: Any, w: Any, out: Any, stride: Ints, dilation: Ints) -> None:
    shifts = list(_shifts(w.shape[2:], stride, dilation, g.shape[2:]))
    factors = [w[(slice(None), 0, *place, *(None,) * (w.ndim - 2))] for place, _ in shifts]
    term = np.empty(g.shape[1:], out.dtype)
    for image, target in zip(g, out, strict=True):
        for i, (_, where) in enumerate(shifts):
            target[(slice(None), *where)] += np.multiply(image, factors[i], term)


def _deep_by_weight(x: Any, g: Any, kernel: Ints, stride: Ints, dilation: Ints) -> Any:
    out: Any = np.zeros((g.shape[1], 1, *kernel), x.dtype)
    axes = "uvw"[: len(kernel)]
    for place, where in _shifts(kernel, stride, dilation, g.shape[2:]):
        part = x[(slice(None), slice(None), *where)]
        out[(slice(None), 0, *place)] = np.einsum(f"nc{axes},nc{axes}->c", part, g)
    return out


# --- the kernels ------------------------------------------------------------------------------------------------------


def _convolution(
    input: Any,
    weight: Any,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    transposed: bool,
    output_padding: Ints,
    groups: int,
    bias: Any,
) -> Any:
    if input.dtype not in _FITS or weight.dtype != input.dtype:
        return _shared(np, input, weight, stride, padding, dilation, transposed, output_padding, groups, bias)
    if transposed:
        out = _transposed(input, weight, stride, padding, dilation, output_padding, groups)
    else:
        x, kernel = _pad(input, padding), weight.shape[2:]
        outs = _outs(x.shape[2:], kernel, stride, dilation)
        out = np.empty((x.shape[0], weight.shape[0], *outs), x.dtype)
        deep = groups > 1 and weight.shape[1] == 1 and weight.shape[0] == groups
        if deep:
            _deep_plain(x, weight, out, stride, dilation)
        elif groups == 1:
            _plain(x, weight, out, stride, dilation)
        else:
            for i in range(groups):
                one, other = _share(x.shape[1], i, groups), _share(out.shape[1], i, groups)
                mine = np.empty((x.shape[0], other.stop - other.start, *outs), x.dtype)
                _plain(np.ascontiguousarray(x[:, one]), weight[other], mine, stride, dilation)
                out[:, other] = mine
    if bias is not None:
        out += bias.reshape(-1, *(1 for _ in stride))
    return out


def _share(channels: int, i: int, groups: int) -> slice:
    size = channels // groups
    return slice(i * size, (i + 1) * size)


def _transposed(
    g: Any, weight: Any, stride: Ints, padding: Ints, dilation: Ints, output_padding: Ints, groups: int
) -> Any:
    full = [
        (n - 1) * s + d * (k - 1) + 1 + max(o, 0)
        for n, s, d, k, o in zip(g.shape[2:], stride, dilation, weight.shape[2:], output_padding, strict=True)
    ]
    padded = np.zeros((g.shape[0], weight.shape[1] * groups, *full), g.dtype)
    if groups > 1 and weight.shape[1] == 1 and weight.shape[0] == groups:
        _deep_adjoint(g, weight, padded, stride, dilation)
    else:
        for i in range(groups):
            one, other = _share(g.shape[1], i, groups), _share(padded.shape[1], i, groups)
            _adjoint(g[:, one], weight[one], padded[:, other], stride, dilation)
    sizes = tuple(
        [
            (n - 1) * s - 2 * p + d * (k - 1) + o + 1
            for n, s, p, d, k, o in zip(
                g.shape[2:], stride, padding, dilation, weight.shape[2:], output_padding, strict=True
            )
        ]
    )
    if tuple(full) == sizes:
        return padded
    return np.ascontiguousarray(padded[_inside(sizes, padding)])


def _convolution_weight(
    input: Any, cotangent: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> Any:
    if input.dtype not in _FITS or cotangent.dtype != input.dtype:
        return _shared_weight(np, input, cotangent, kernel, stride, padding, dilation, groups)
    x, g = _pad(input, padding), cotangent
    if groups == 1:
        return _by_weight(x, g, kernel, stride, dilation)
    if x.shape[1] == groups == g.shape[1]:
        return _deep_by_weight(x, g, kernel, stride, dilation)
    parts = [
        _by_weight(
            np.ascontiguousarray(x[:, _share(x.shape[1], i, groups)]),
            g[:, _share(g.shape[1], i, groups)],
            kernel,
            stride,
            dilation,
        )
        for i in range(groups)
    ]
    return np.concatenate(parts)


KERNELS: Final[dict[str, Kernel]] = {"_convolution": _convolution, "_convolution_weight": _convolution_weight}
