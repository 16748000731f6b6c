"""The largest of windows by strided slices, channels last inside; backwards by comparing places, without a scatter.

Each place of a window is one slice of the padded input. XLA makes one loop of all of them, which it would not of the
look-ups by index arrays that the shared kernel has.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any, Final

import jax.numpy as jnp
import numpy as np
from jax import lax

from dispatchtorch.plugin.numpylike.pool import window_count
from dispatchtorch_jax.kernels.apart import apart

__all__ = ["KERNELS"]

Ints = tuple[int, ...]
_MOST: Final = 64  # places of a window; beyond, a program of as many slices is not worth its compilation


def _along(values: Any, axis: int, ndim: int) -> Any:
    """Returns the row of int32 numbers along one of ``ndim`` dimensions."""
    return jnp.asarray(values, jnp.int32).reshape([-1 if d == axis else 1 for d in range(ndim)])


def _flat_places(sizes: Ints, rows: list[Any]) -> Any:
    flat: Any = None
    for size, row in zip(sizes, rows, strict=True):
        flat = row if flat is None else flat * size + row
    return flat


def _starts(outs: Ints, stride: Ints, padding: Ints) -> list[list[int]]:
    return [[o * s - p for o in range(count)] for count, s, p in zip(outs, stride, padding, strict=True)]


def _max_pool(
    input: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool
) -> tuple[Any, Any]:
    n, sizes = len(kernel), input.shape[-len(kernel) :]
    facts = tuple(zip(sizes, kernel, stride, padding, dilation, strict=True))
    outs = tuple([window_count(*fact, ceil_mode) for fact in facts])
    best, at = apart(partial(_largest, facts=facts, outs=outs), jnp.moveaxis(input, -n - 1, -1))
    return jnp.moveaxis(best, -1, -n - 1), jnp.moveaxis(at, -1, -n - 1).astype(jnp.int64)


def _largest(x: Any, *, facts: Any, outs: Ints) -> tuple[Any, Any]:
    """Returns the largest of windows and their flat places, channels last."""
    sizes, kernel, stride, padding, dilation = zip(*facts, strict=True)
    first = x.ndim - len(sizes) - 1
    reach = [(o - 1) * s + d * (k - 1) + 1 for o, (_, k, s, _, d) in zip(outs, facts, strict=True)]
    lowest = jnp.asarray(np.iinfo(x.dtype).min if x.dtype.kind in "iu" else -jnp.inf, x.dtype)
    edges = [(p, r - size - p, 0) for size, r, p in zip(sizes, reach, padding, strict=True)]
    x = lax.pad(x, lowest, [(0, 0, 0)] * first + edges + [(0, 0, 0)])
    starts = _starts(outs, stride, padding)
    best: Any = None
    at: Any = None
    for spot in itertools.product(*map(range, kernel)):
        limits = [
            slice(i * d, i * d + (o - 1) * s + 1, s) for i, o, s, d in zip(spot, outs, stride, dilation, strict=True)
        ]
        part = x[(*(slice(None),) * first, *limits)]
        rows = []
        for axis, (size, _, _, _, d) in enumerate(facts):
            # a place outside is never the largest, unless the whole window is -inf: then the first one inside counts
            inside = [b % d if b < 0 else b for b in starts[axis]]
            places = [b + spot[axis] * d for b in starts[axis]]
            kept = [p if 0 <= p < size else low for p, low in zip(places, inside, strict=True)]
            rows.append(_along(kept, first + axis, x.ndim))
        flat = _flat_places(sizes, rows)
        if best is None:
            best, at = part, jnp.broadcast_to(flat, part.shape)
            continue
        better = part > best
        if jnp.issubdtype(x.dtype, jnp.inexact):
            better = better | (part != part)
        best, at = jnp.where(better, part, best), jnp.where(better, flat, at)
    return best, at


def _max_pool_backward(
    g: Any, indices: Any, sizes: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> Any:
    n = len(sizes)
    if not kernel or prod(kernel) > _MOST:
        return _scattered(g, indices, sizes)
    g, at = jnp.moveaxis(g, -n - 1, -1), jnp.moveaxis(indices, -n - 1, -1).astype(jnp.int32)
    first = g.ndim - n - 1
    outs = g.shape[first : first + n]
    if kernel == stride and not any(padding) and set(dilation) == {1}:
        out = apart(partial(_tiles, sizes=sizes, kernel=kernel, first=first), g, at)
    else:
        facts = tuple(zip(sizes, stride, padding, dilation, outs, strict=True))
        out = apart(partial(_overlapping, kernel=kernel, facts=facts, first=first), g, at)
    return jnp.moveaxis(out, -1, -n - 1)


def _tiles(g: Any, at: Any, *, sizes: Ints, kernel: Ints, first: int) -> Any:
    """Returns the gradient where each place is in one window: what arrives at its window, or zero."""
    outs = g.shape[first : first + len(kernel)]
    between = tuple([first + 2 * i + 1 for i in range(len(kernel))])
    ndim = g.ndim + len(kernel)
    rows = [
        _along(range(o * k), 0, 1).reshape([o if d == a - 1 else k if d == a else 1 for d in range(ndim)])
        for o, k, a in zip(outs, kernel, between, strict=True)
    ]
    hit = jnp.expand_dims(at, between) == _flat_places(sizes, rows)
    out = jnp.where(hit, jnp.expand_dims(g, between), jnp.zeros((), g.dtype))
    tiled = [o * k for o, k in zip(outs, kernel, strict=True)]
    out = out.reshape(*g.shape[:first], *tiled, g.shape[-1])
    rest = [(0, size - t, 0) for size, t in zip(sizes, tiled, strict=True)]
    return lax.pad(out, jnp.zeros((), g.dtype), [(0, 0, 0)] * first + rest + [(0, 0, 0)])


def _overlapping(g: Any, at: Any, *, kernel: Ints, facts: Any, first: int) -> Any:
    """Returns the gradient as a sum over the places of a window."""
    sizes, stride, padding, _, outs = zip(*facts, strict=True)
    starts, zero = _starts(outs, stride, padding), jnp.zeros((), g.dtype)
    total: Any = None
    for spot in itertools.product(*map(range, kernel)):
        rows, edges = [], []
        for axis, (size, s, p, d, o) in enumerate(facts):
            rows.append(_along([b + spot[axis] * d for b in starts[axis]], first + axis, g.ndim))
            low = spot[axis] * d - p
            edges.append((low, size - low - ((o - 1) * s + 1), s - 1))
        # a place outside may have another one's number, so it is left out before it is laid where it belongs
        inside = True
        for size, row in zip(sizes, rows, strict=True):
            inside = inside & (row >= 0) & (row < size)
        part = jnp.where((at == _flat_places(sizes, rows)) & inside, g, zero)
        part = lax.pad(part, zero, [(0, 0, 0)] * first + edges + [(0, 0, 0)])
        total = part if total is None else total + part
    return total


def _scattered(g: Any, indices: Any, sizes: Ints) -> Any:
    lead = indices.shape[: -len(sizes)]
    count = prod(lead)
    where = (jnp.arange(count)[:, None], indices.reshape(count, -1))
    flat = jnp.zeros((count, prod(sizes)), g.dtype).at[where].add(g.reshape(count, -1))
    return flat.reshape(*lead, *sizes)


KERNELS: Final[dict[str, Callable[..., Any]]] = {"_max_pool": _max_pool, "_max_pool_backward": _max_pool_backward}
