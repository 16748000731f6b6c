"""Padding over any numpy-like namespace: constants by ``pad``, edges by taking places known beforehand."""

from __future__ import annotations

from typing import Any

from dispatchtorch.plugin.numpylike import kernel

__all__ = ["fit", "sources"]

Pairs = tuple[tuple[int, int], ...]


def fit(xp: Any, a: Any, pads: Pairs, value: Any = 0) -> Any:
    """Returns the array with ``value`` around it; where counts are negative it is cut."""
    if any(low < 0 or high < 0 for low, high in pads):
        a = a[tuple([slice(max(-low, 0), n - max(-high, 0)) for n, (low, high) in zip(a.shape, pads, strict=True)])]
        pads = tuple([(max(low, 0), max(high, 0)) for low, high in pads])
    if not any(low or high for low, high in pads):
        return a
    return xp.pad(a, pads, mode="constant", constant_values=value)


def sources(size: int, low: int, high: int, mode: str) -> list[int]:
    """Returns the place that each element of a padded dimension is taken from."""
    places = range(-low, size + high)
    if mode == "replicate":
        return [min(max(i, 0), size - 1) for i in places]
    if mode == "circular":  # what is cut away is not wrapped around either
        kept = range(max(-low, 0), size - max(-high, 0))
        return [kept[i % len(kept)] for i in range(-max(low, 0), len(kept) + max(high, 0))] if kept else []
    return [size - 1 - abs(size - 1 - abs(i)) for i in places]


@kernel
def _pad_constant(xp: Any, input: Any, pads: Pairs, value: float) -> Any:
    out = fit(xp, input, pads, value)
    return xp.copy(out) if out is input or any(min(p) < 0 for p in pads) else out


@kernel
def _pad_edges(xp: Any, input: Any, pads: Pairs, mode: str) -> Any:
    out = input
    for axis, (low, high) in enumerate(pads, input.ndim - len(pads)):
        if low or high:
            out = xp.take(out, xp.asarray(sources(input.shape[axis], low, high, mode)), axis=axis)
    return xp.copy(out) if out is input else out
