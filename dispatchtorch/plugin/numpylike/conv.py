"""Convolution over any numpy-like namespace: windows as slices, stacked, into one product a group.

The transposed form is the plain one over an input spread with zeros. Half precision is computed in float32.
"""

from __future__ import annotations

import itertools
from typing import Any

from dispatchtorch.plugin.numpylike import kernel
from dispatchtorch.plugin.numpylike.pad import fit

__all__ = ["adjoint_weight", "columns", "spread", "wide"]

Ints = tuple[int, ...]


def wide(xp: Any, a: Any) -> Any:
    """Returns the array in a precision that products can be summed in."""
    return a.astype(xp.float32) if a.dtype.itemsize < 4 and a.dtype.kind not in "iu" else a


def columns(xp: Any, padded: Any, kernel: Ints, stride: Ints, dilation: Ints, outs: Ints) -> Any:
    """Returns the windows: (N, C, kernel places, outputs)."""
    parts = []
    for place in itertools.product(*map(range, kernel)):
        where = tuple(
            [slice(i * d, i * d + (n - 1) * s + 1, s) for i, d, n, s in zip(place, dilation, outs, stride, strict=True)]
        )
        parts.append(xp.reshape(padded[(slice(None), slice(None), *where)], (*padded.shape[:2], _product(outs))))
    return xp.stack(parts, axis=2)


def _product(sizes: Ints) -> int:
    count = 1
    for n in sizes:
        count *= n
    return count


def _around(x: Any, pads: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    return (*(((0, 0),) * (x.ndim - len(pads))), *pads)


def spread(xp: Any, x: Any, stride: Ints) -> Any:
    """Returns the array with ``stride - 1`` zeros between neighbours."""
    for axis, s in enumerate(stride, x.ndim - len(stride)):
        if s > 1:
            size, shape = x.shape[axis], x.shape
            x = xp.expand_dims(x, axis + 1)
            x = xp.pad(x, [(0, s - 1) if i == axis + 1 else (0, 0) for i in range(x.ndim)], mode="constant")
            x = xp.reshape(x, (*shape[:axis], size * s, *shape[axis + 1 :]))
            x = x[(*(slice(None),) * axis, slice(0, (size - 1) * s + 1))]
    return x


def adjoint_weight(xp: Any, weight: Any, groups: int) -> Any:
    """Returns the weight with which a transposed convolution is a plain one."""
    inputs, outs, *kernel = weight.shape
    w = xp.reshape(weight, (groups, inputs // groups, outs, *kernel))
    w = xp.reshape(xp.swapaxes(w, 1, 2), (groups * outs, inputs // groups, *kernel))
    return xp.flip(w, axis=tuple(range(2, w.ndim)))


def _plain(
    xp: Any, x: Any, w: Any, stride: Ints, pads: tuple[tuple[int, int], ...], dilation: Ints, groups: int
) -> Any:
    x = fit(xp, x, _around(x, pads))
    count, kernel = x.shape[0], w.shape[2:]
    outs = tuple(
        [(n - d * (k - 1) - 1) // s + 1 for n, d, k, s in zip(x.shape[2:], dilation, kernel, stride, strict=True)]
    )
    depth = w.shape[1] * _product(kernel)
    cols = xp.reshape(columns(xp, x, kernel, stride, dilation, outs), (count, groups, depth, _product(outs)))
    out = xp.matmul(xp.reshape(w, (groups, w.shape[0] // groups, depth)), cols)
    return xp.reshape(out, (count, w.shape[0], *outs))


@kernel
def _convolution(
    xp: Any,
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
    x, w = wide(xp, input), wide(xp, weight)
    if transposed:
        pads = tuple(
            [
                (d * (k - 1) - p, d * (k - 1) - p + o)
                for d, k, p, o in zip(dilation, w.shape[2:], padding, output_padding, strict=True)
            ]
        )
        ones = (1,) * len(stride)
        out = _plain(xp, spread(xp, x, stride), adjoint_weight(xp, w, groups), ones, pads, dilation, groups)
    else:
        out = _plain(xp, x, w, stride, tuple([(p, p) for p in padding]), dilation, groups)
    if bias is not None:
        out = out + xp.reshape(wide(xp, bias), (-1, *(1 for _ in stride)))
    return out.astype(input.dtype)


@kernel
def _convolution_weight(
    xp: Any, input: Any, cotangent: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> Any:
    x, g = wide(xp, input), wide(xp, cotangent)
    count, inputs, outs = x.shape[0], x.shape[1], g.shape[1]
    x = fit(xp, x, _around(x, tuple([(p, p) for p in padding])))
    spots, depth = _product(g.shape[2:]), inputs // groups * _product(kernel)
    cols = xp.reshape(columns(xp, x, kernel, stride, dilation, g.shape[2:]), (count, groups, depth, spots))
    cols = xp.reshape(xp.transpose(cols, (1, 0, 3, 2)), (groups, count * spots, depth))
    g = xp.transpose(xp.reshape(g, (count, groups, outs // groups, spots)), (1, 2, 0, 3))
    out = xp.matmul(xp.reshape(g, (groups, outs // groups, count * spots)), cols)
    return xp.reshape(out, (outs, inputs // groups, *kernel)).astype(input.dtype)
