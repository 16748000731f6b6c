"""Running maxima, minima and log-sums, for which CuPy's functions have no `accumulate`: by doubling strides."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from dispatchtorch.plugin import Kernel
from dispatchtorch.plugin.numpylike.pointwise import complex_logaddexp

__all__ = ["kernels_over"]


def _scan(xp: Any, join: Callable[[Any, Any], Any], parts: Any, dim: int) -> Any:
    """Returns the running ``join`` along ``dim``; ``parts`` are arrays that are joined together."""
    size, reach = parts[0].shape[dim], 1
    while reach < size:
        tail = (slice(None),) * dim + (slice(reach, None),)
        head = (slice(None),) * dim + (slice(0, size - reach),)
        first = (slice(None),) * dim + (slice(0, reach),)
        joined = join([part[head] for part in parts], [part[tail] for part in parts])
        parts = [
            xp.concatenate([part[first], late.astype(part.dtype)], axis=dim)
            for part, late in zip(parts, joined, strict=True)
        ]
        reach *= 2
    return parts


def _best(xp: Any, keeps: Callable[[Any, Any], Any]) -> Kernel:
    """Returns the kernel of a running extremum and where it was last seen; ``keeps``: whether the later one counts."""

    def join(before: Any, after: Any) -> Any:
        later = keeps(after[0], before[0]) | (after[0] != after[0])
        later = later & ~((before[0] != before[0]) & (after[0] == after[0]))
        return [xp.where(later, a, b) for a, b in zip(after, before, strict=True)]

    def kernel(a: Any, dim: int) -> Any:
        if not a.ndim:
            return a.copy(), xp.zeros((), dtype=xp.int64)
        places = xp.arange(a.shape[dim]).reshape(tuple([-1 if d == dim else 1 for d in range(a.ndim)]))
        values, index = _scan(xp, join, [a.copy(), xp.broadcast_to(places, a.shape).astype(xp.int64)], dim)
        return values, index

    return kernel


def _logcumsumexp(xp: Any) -> Kernel:
    def kernel(a: Any, dim: int) -> Any:
        if not a.ndim:
            return a.copy()
        wide = a.astype(xp.float32) if a.dtype.itemsize == 2 else a.copy()
        add = partial(complex_logaddexp, xp) if a.dtype.kind == "c" else xp.logaddexp
        (out,) = _scan(xp, lambda before, after: [add(before[0], after[0])], [wide], dim)
        return out.astype(a.dtype)

    return kernel


def kernels_over(xp: Any) -> dict[str, Kernel]:
    """Returns the running operations as kernels over the namespace."""
    return {
        "_cummax": _best(xp, lambda after, before: after >= before),
        "_cummin": _best(xp, lambda after, before: after <= before),
        "_logcumsumexp": _logcumsumexp(xp),
    }
