"""Windows as columns and back, over any numpy-like namespace: one slice for each place in the window."""

from __future__ import annotations

import itertools
from typing import Any

from dispatchtorch.plugin.numpylike import kernel
from dispatchtorch.plugin.numpylike.conv import columns, spread, wide
from dispatchtorch.plugin.numpylike.pad import fit

Ints = tuple[int, ...]


def _counts(sizes: Ints, kernel: Ints, dilation: Ints, padding: Ints, stride: Ints) -> Ints:
    return tuple(
        [
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, d, p, s in zip(sizes, kernel, dilation, padding, stride, strict=True)
        ]
    )


@kernel
def _im2col(xp: Any, a: Any, kernel: Ints, dilation: Ints, padding: Ints, stride: Ints) -> Any:
    outs = _counts(a.shape[2:], kernel, dilation, padding, stride)
    padded = fit(xp, a, ((0, 0), (0, 0), *[(p, p) for p in padding]))
    found = columns(xp, padded, kernel, stride, dilation, outs)
    return xp.reshape(found, (a.shape[0], a.shape[1] * kernel[0] * kernel[1], outs[0] * outs[1]))


@kernel
def _col2im(xp: Any, a: Any, sizes: Ints, kernel: Ints, dilation: Ints, padding: Ints, stride: Ints) -> Any:
    outs = _counts(sizes, kernel, dilation, padding, stride)
    n, c = a.shape[0], a.shape[1] // (kernel[0] * kernel[1])
    parts = xp.reshape(wide(xp, a), (n, c, *kernel, *outs))
    total: Any = None
    for place in itertools.product(*map(range, kernel)):
        part = spread(xp, parts[(slice(None), slice(None), *place)], stride)
        before = [i * d - p for i, d, p in zip(place, dilation, padding, strict=True)]
        pads = [(b, size - b - have) for b, size, have in zip(before, sizes, part.shape[2:], strict=True)]
        term = fit(xp, part, ((0, 0), (0, 0), *pads))
        total = term if total is None else total + term
    return total.astype(a.dtype)
