"""Convolution on numpy: a few images' windows at a time in a buffer that stays in the cache, and products of matrices.

The gradient of the input is a convolution again, of the cotangent, one for each phase of the stride; the weight's is a
product with the same windows. Precisions that BLAS has not go the shared way.
"""

from __future__ import annotations

import itertools
from math import gcd, prod
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch.plugin.numpylike import KERNELS as SHARED
from dispatchtorch_numpy.kernels.windows import BUDGET, Windows, product, windows

__all__ = ["KERNELS"]

Ints = tuple[int, ...]
_FITS: Final = frozenset(np.dtype(c) for c in "fdFD")
_shared, _shared_weight = SHARED["_convolution"], SHARED["_convolution_weight"]


def _block(plan: Windows, rows: int, count: int) -> int:
    return max(1, min(count, BUDGET // max(plan.size(rows), 1)))


def _correlate(x: Any, w: Any, bias: Any, stride: Ints, padding: Ints, dilation: Ints, groups: int, out: Any) -> None:
    """Writes the correlation of images with weights into the dense array ``out``; there are two dimensions or more."""
    count, channels, *sizes = x.shape
    outs, kernel, made = out.shape[2:], w.shape[2:], w.shape[0] // groups
    flat = out.reshape(count, groups, made, -1)
    if prod(kernel) == 1 and not any(padding) and x.shape[2:] == outs:
        matrix = w.reshape(groups, made, channels // groups)
        product(matrix, x.reshape(count, groups, channels // groups, -1), flat)
        if bias is not None:
            flat += bias.reshape(groups, made, 1)
        return
    plan = windows(tuple(sizes), kernel, stride, padding, dilation, outs)
    rows, whole = w.shape[1] * prod(plan.places), channels * prod(plan.places)
    matrices = np.ascontiguousarray(np.moveaxis(w, 2, 0)).reshape(kernel[0], groups, made, rows)
    ones = bias is not None and groups == 1
    first = np.concatenate((matrices[0], bias.reshape(1, made, 1)), 2) if ones else matrices[0]
    size = _block(plan, whole + ones, count)
    buffer = plan.buffer(size, channels, x.dtype, ones=ones)
    term = np.empty((size, *flat.shape[1:]), x.dtype) if kernel[0] > 1 else None
    for start in range(0, count, size):
        images, target = x[start : start + size], flat[start : start + size]
        here = buffer[: len(images)]
        plan.fill(here, images)
        seen = here.reshape(len(images), groups, -1, *here.shape[2:])
        product(first, seen[..., plan.views[0][0], plan.views[0][1]], target)
        for matrix, (phase, part) in zip(matrices[1:], plan.views[1:], strict=True):
            target += product(matrix, seen[:, :, :rows, phase, part], term[: len(images)])  # type: ignore[index]  # more than one place
        if bias is not None and not ones:
            target += bias.reshape(groups, made, 1)


def _turned(w: Any, groups: int) -> Any:
    """Returns the weights with input and output channels exchanged within each group."""
    if groups == 1:
        return w.swapaxes(0, 1)
    parts = w.reshape(groups, -1, *w.shape[1:])
    return parts.swapaxes(1, 2).reshape(-1, parts.shape[1], *w.shape[2:])


def _phase(a: int, size: int, kernel: int, stride: int, padding: int, dilation: int) -> tuple[slice, slice, int, int]:
    """Returns what one phase of a transposed convolution is, in one dimension.

    These are the results' places, those of the kernel (which then runs backwards), the padding and the dilation.
    """
    common = gcd(stride, dilation)
    step = stride // common
    begin = next((k for k in range(min(step, kernel)) if k * dilation % stride == a), kernel)
    if begin == kernel:
        return slice((a - padding) % stride, size, stride), slice(0, 0), 0, 1
    first = -((begin * dilation - padding) // stride)
    gap = dilation // common
    reach = len(range(begin, kernel, step)) - 1
    start = begin * dilation + stride * first - padding
    return slice(start, size, stride), slice(begin, kernel, step), reach * gap - first, gap


def _spread(g: Any, w: Any, stride: Ints, padding: Ints, dilation: Ints, groups: int, out: Any) -> None:
    """Writes the transposed convolution of ``g`` into ``out``: a correlation for each phase of the stride."""
    kernel, turned, one = w.shape[2:], _turned(w, groups), (1,) * len(stride)
    backwards = (slice(None), slice(None), *(slice(None, None, -1) for _ in stride))
    for phase in itertools.product(*map(range, stride)):
        facts = [_phase(*given) for given in zip(phase, out.shape[2:], kernel, stride, padding, dilation, strict=True)]
        places, parts, pads, gaps = zip(*facts, strict=True)
        part = turned[(slice(None), slice(None), *parts)]
        where = (slice(None), slice(None), *places)
        target = out[where]
        if not part.size:
            target[...] = 0
        elif stride == one:
            _correlate(g, part[backwards], None, one, pads, gaps, groups, out)
        elif target.size:
            piece = np.empty(target.shape, out.dtype)
            _correlate(g, part[backwards], None, one, pads, gaps, groups, piece)
            target[...] = piece


def _scatter(g: Any, w: Any, stride: Ints, padding: Ints, dilation: Ints, groups: int, out: Any) -> None:
    """Writes the transposed convolution of ``g`` into ``out`` as the products of each place, added where they belong.

    For volumes this is the order in which torch adds up, so that what cancels leaves the same rest.
    """
    count, kernel, sizes = len(g), w.shape[2:], g.shape[2:]
    full = [
        max((n - 1) * s + d * (k - 1) + 1, p + size)
        for n, s, d, k, p, size in zip(sizes, stride, dilation, kernel, padding, out.shape[2:], strict=True)
    ]
    matrices = w.reshape(groups, -1, w.shape[1] * prod(kernel)).swapaxes(1, 2)
    lanes = g.reshape(count, groups, g.shape[1] // groups, -1)
    inside = (slice(None), *(slice(p, p + n) for p, n in zip(padding, out.shape[2:], strict=True)))
    for image, target in zip(lanes, out, strict=True):
        terms = np.matmul(matrices, image).reshape(out.shape[1], *kernel, *sizes)
        whole = np.zeros((out.shape[1], *full), out.dtype)
        for place in itertools.product(*map(range, kernel)):
            where = [
                slice(i * d, i * d + (n - 1) * s + 1, s)
                for i, d, n, s in zip(place, dilation, sizes, stride, strict=True)
            ]
            whole[(slice(None), *where)] += terms[(slice(None), *place)]
        target[...] = whole[inside]


def _weight(x: Any, g: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int, out: Any) -> None:
    """Writes the gradient of the weights from the images and the result's cotangent into ``out``."""
    count, channels, *sizes = x.shape
    outs, made = g.shape[2:], g.shape[1] // groups
    flat = g.reshape(count, groups, made, -1)
    if prod(kernel) == 1 and not any(padding) and x.shape[2:] == outs:
        seen = x.reshape(count, groups, channels // groups, -1).swapaxes(2, 3)
        terms = product(flat, seen, np.empty((count, groups, made, channels // groups), x.dtype))
        np.add.reduce(terms, 0, out=out.reshape(groups, made, channels // groups))
        return
    plan = windows(tuple(sizes), kernel, stride, padding, dilation, outs)
    rows, whole = channels // groups * prod(plan.places), channels * prod(plan.places)
    size = _block(plan, whole, count)
    buffer = plan.buffer(size, channels, x.dtype, ones=False)
    upright = made >= 32  # BLAS is quicker then where the cotangent, and not the windows, is turned, even with a copy
    shape = (groups, rows, made) if upright else (groups, made, rows)
    term, total = np.empty((size, *shape), x.dtype), np.zeros((kernel[0], *shape), x.dtype)
    for start in range(0, count, size):
        images, mine = x[start : start + size], flat[start : start + size]
        here = buffer[: len(images)]
        plan.fill(here, images)
        seen = here.reshape(len(images), groups, rows, *here.shape[2:])
        if upright:
            mine = np.ascontiguousarray(mine.swapaxes(2, 3))
        for k, (phase, part) in enumerate(plan.views):
            block = seen[..., phase, part]
            pair = (block, mine) if upright else (mine, block.swapaxes(2, 3))
            total[k] += product(*pair, term[: len(images)]).sum(0)
    if upright:
        total = total.swapaxes(2, 3)
    out[...] = np.moveaxis(total.reshape(kernel[0], g.shape[1], channels // groups, *kernel[1:]), 0, 2)


# --- the kernels ------------------------------------------------------------------------------------------------------


def _planes(a: Any) -> Any:
    """Returns the array with two spatial dimensions at least."""
    return a if a.ndim > 3 else a[:, :, None]


def _pairs(*values: Ints, of: tuple[int, ...]) -> list[Ints]:
    """Returns the tuples with what another dimension in front has."""
    return [value if len(value) > 1 else (more, *value) for value, more in zip(values, of, strict=True)]


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
    facts = zip(input.shape[2:], stride, padding, dilation, weight.shape[2:], output_padding, strict=True)
    if transposed:
        made = weight.shape[1] * groups
        outs = tuple([(n - 1) * s - 2 * p + d * (k - 1) + o + 1 for n, s, p, d, k, o in facts])
    else:
        made = weight.shape[0]
        outs = tuple([(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, s, p, d, k, _ in facts])
    out = np.empty((input.shape[0], made, *outs), input.dtype)
    if not out.size or not input.size:
        out[...] = 0
        if bias is not None:
            out += bias.reshape(-1, *(1 for _ in stride))
        return out
    x, w, whole = _planes(input), _planes(weight), _planes(out)
    stride, padding, dilation = _pairs(stride, padding, dilation, of=(1, 0, 1))
    if not transposed:
        _correlate(x, w, bias, stride, padding, dilation, groups, whole)
        return out
    back = _spread if len(stride) == 2 else _scatter
    back(x, w, stride, padding, dilation, groups, whole)
    if bias is not None:
        out += bias.reshape(-1, *(1 for _ in output_padding))
    return out


def _convolution_weight(
    input: Any, cotangent: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> Any:
    if input.dtype not in _FITS or cotangent.dtype != input.dtype:
        return _shared_weight(np, input, cotangent, kernel, stride, padding, dilation, groups)
    shape = (cotangent.shape[1], input.shape[1] // groups, *kernel)
    if not input.size or not cotangent.size:
        return np.zeros(shape, input.dtype)
    out = np.empty(shape, input.dtype)
    full, stride, padding, dilation = _pairs(kernel, stride, padding, dilation, of=(1, 1, 0, 1))
    _weight(_planes(input), _planes(cotangent), full, stride, padding, dilation, groups, _planes(out))
    return out


KERNELS: Final[dict[str, Kernel]] = {"_convolution": _convolution, "_convolution_weight": _convolution_weight}
