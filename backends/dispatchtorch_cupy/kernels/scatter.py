"""Products gathered at index arrays, for which CuPy has no atomic form: one round for each time a place recurs."""

from __future__ import annotations

from typing import Any

from dispatchtorch.plugin import Kernel
from dispatchtorch.plugin.numpylike import KERNELS

__all__ = ["kernels_over"]


def _flat_places(xp: Any, shape: tuple[int, ...], dim: int, index: Any) -> Any:
    """Returns where in the row-major array of ``shape`` each element of ``index`` points along ``dim``."""
    places, step = xp.zeros(index.shape, dtype=xp.int64), 1
    for axis in range(len(shape) - 1, -1, -1):
        along = xp.arange(index.shape[axis]).reshape(tuple([-1 if d == axis else 1 for d in range(len(shape))]))
        places = places + (index if axis == dim else along) * step
        step *= shape[axis]
    return places.reshape(-1)


def _product(xp: Any, a: Any, dim: int, index: Any, src: Any, include_self: bool) -> Any:
    out = a.copy().reshape(-1)
    if not index.size:
        return out.reshape(a.shape)
    places = _flat_places(xp, a.shape or (1,), dim % max(a.ndim, 1), index.reshape(index.shape or (1,)))
    values = src[tuple([slice(0, n) for n in index.shape])].reshape(-1)
    if not include_self:
        out[places] = 1
    order = xp.argsort(places)
    ranked = places[order]
    turn = xp.arange(places.size) - xp.searchsorted(ranked, ranked)
    for i in range(int(turn.max()) + 1):
        now = order[turn == i]
        out[places[now]] = out[places[now]] * values[now]
    return out.reshape(a.shape)


def kernels_over(xp: Any) -> dict[str, Kernel]:
    """Returns the op's kernel: the shared one but for products."""

    def scatter_reduce(a: Any, dim: int, index: Any, src: Any, mode: str, include_self: bool) -> Any:
        if mode == "prod":
            return _product(xp, a, dim, index, src, include_self)
        return KERNELS["_scatter_reduce"](xp, a, dim, index, src, mode, include_self)

    return {"_scatter_reduce": scatter_reduce}
