"""LSTM layers over a whole sequence: gates are computed in memory that is kept for the way back, step by step.

Each gate has a piece of its own at each time, so that what is done to it runs over neighbours, and the products are so
small that BLAS needs not pack them. The gradient of the weights is one product over all times. Masks, projections and
other modes take the shared way.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch.plugin.numpylike import KERNELS as SHARED
from dispatchtorch_numpy.kernels.bare import rowwise
from dispatchtorch_numpy.kernels.blocks import aligned, numbers
from dispatchtorch_numpy.kernels.ones import ones

__all__ = ["KERNELS"]

_WIDE: Final = frozenset(np.dtype(c) for c in "fd")
_UNPACKED: Final = 10**6  # multiplications in a product that OpenBLAS does without packing
_shared, _shared_backward = SHARED["_recurrent"], SHARED["_recurrent_backward"]


def _fits(x: Any, w: Any, mode: str, r: Any, mask: Any) -> bool:
    return mode == "lstm" and r is None and mask is None and x.dtype in _WIDE and w.dtype is x.dtype and x.size > 0


def _cut(a: Any, parts: int) -> Any:
    """Returns a view of the columns in so many parts, (..., parts, rows, columns / parts): of gates 4, i, f, g, o."""
    return a.reshape(*a.shape[:-1], parts, a.shape[-1] // parts).swapaxes(-3, -2)


def _parts(rows: int, inner: int, columns: int) -> int:
    """Returns into how many parts the columns of a product are to be cut."""
    for parts in (1, 2, 4, 8):
        if columns % (16 * parts) == 0 and rows * inner * columns <= parts * _UNPACKED:
            return parts
    return 1


def _turned(w: Any, dtype: Any) -> Any:
    """Returns minus the weights, turned to stand at the right of a product, (4, n, n), in the gates' order."""
    n = w.shape[1]
    out, apart = aligned((4, n, n), dtype), w.reshape(4, n, n).swapaxes(1, 2)
    np.negative(apart[3], out[0])
    np.negative(apart[:3], out[1:])
    return out


@rowwise
def _recurrent(x: Any, h: Any, w: Any, mode: str, reverse: bool, b: Any, r: Any, c: Any, mask: Any) -> tuple[Any, ...]:
    if not _fits(x, w, mode, r, mask):
        return tuple(_shared(np, x, h, w, mode, reverse, b, r, c, mask))
    count, batch, wide = x.shape
    n, dtype = wide // 4, x.dtype
    gates = aligned((count, 4, batch, n), dtype)  # o, i, f, -g
    states, cells = np.empty((count, batch, n), dtype), aligned((count, batch, n), dtype)
    spare, (one,) = aligned((batch, n), dtype), numbers(dtype, 1)
    parts = _parts(batch, n, n)
    turned, products, shares = _cut(_turned(w, dtype), parts), _cut(gates, parts), _cut(x, 4)
    bias = None if b is None else b.reshape(4, 1, n)
    state, cell = np.ascontiguousarray(h), c
    walk = slice(None, None, -1 if reverse else 1)
    softs, rests = gates[:, :3], gates[:, 1:]
    for z, product, soft, rest, share_o, share_rest, now, following in zip(
        *[a[walk] for a in (gates, products, softs, rests, shares[:, 3], shares[:, :3], cells, states)], strict=True
    ):
        o, i, f, g = z
        np.matmul(state, turned, product)  # everything is negative until the gates are opened
        np.subtract(o, share_o, o)
        np.subtract(rest, share_rest, rest)
        if bias is not None:
            np.subtract(o, bias[3], o)
            np.subtract(rest, bias[:3], rest)
        np.exp(soft, soft)
        np.add(soft, one, soft)
        np.divide(one, soft, soft)
        np.tanh(g, g)  # stays negative
        np.multiply(f, cell, now)
        np.multiply(i, g, spare)
        np.subtract(now, spare, now)
        np.tanh(now, following)
        np.multiply(following, o, following)
        state, cell = following, now
    return states, state.copy(), cell.copy(), cells, gates


@rowwise
def _recurrent_backward(
    grads: Any, x: Any, h: Any, w: Any, out: Any, mode: str, reverse: bool, b: Any, r: Any, c: Any, mask: Any,
    cells: Any, kept: Any,
) -> tuple[Any, ...]:  # fmt: skip
    if not kept:
        return tuple(_shared_backward(np, grads, x, h, w, out, mode, reverse, b, r, c, mask, cells, kept))
    by_states, by_last, by_last_cell = grads[:3]
    by_cells: Any = grads[3] if len(grads) > 3 else (None,) * len(x)
    count, batch, wide = x.shape
    n, dtype = wide // 4, x.dtype
    dz, (one,) = np.empty(x.shape, dtype), numbers(dtype, 1)
    dh, dc = by_last.copy(order="C"), by_last_cell.copy(order="C")
    slopes = aligned((4, batch, n), dtype)  # what the state's gradient, first, and the cell's are multiplied by
    tanhs, spare = aligned((batch, n), dtype), aligned((batch, n), dtype)
    parts = _parts(batch, wide, n)
    weights, product, rows = _cut(w, parts), _cut(dh, parts), _cut(dz, 4)
    by_o, by_i, by_f, by_g = slopes
    by_o_f, by_rest = slopes[0:3:2], slopes[1:]
    walk, first = (slice(None, None, 1 if reverse else -1), count - 1 if reverse else 0)
    olds = [c, *cells[:-1]] if not reverse else [*cells[1:], c]
    (gates,) = kept
    found, made = (gates, gates[:, 0:3:2], cells, olds, out), (dz, rows[:, 3], rows[:, :3])
    for z, o_f, cell, old, state, g_state, g_cell, now, row_o, row_rest in zip(
        *[a[walk] for a in (*found, by_states, by_cells, *made)], strict=True
    ):
        o, i, f, g = z  # g is negative
        np.tanh(cell, tanhs)
        np.subtract(one, o_f, by_o_f)
        np.subtract(i, one, by_i)
        np.multiply(by_o, state, by_o)
        np.multiply(i, g, spare)
        np.multiply(by_i, spare, by_i)
        np.multiply(spare, g, spare)
        np.subtract(i, spare, by_g)
        np.multiply(f, old, spare)
        np.multiply(by_f, spare, by_f)
        np.multiply(state, tanhs, spare)
        np.subtract(o, spare, spare)
        np.add(dh, g_state, dh)
        if g_cell is not None:
            np.add(dc, g_cell, dc)
        np.multiply(spare, dh, spare)  # reaches the cell
        np.add(dc, spare, dc)
        np.multiply(by_rest, dc, row_rest)
        np.multiply(by_o, dh, row_o)
        np.multiply(dc, f, dc)
        np.matmul(now, weights, product)
    rest, before_rest = (slice(0, -1), slice(1, None)) if reverse else (slice(1, None), slice(0, -1))
    by_w = dz[first].T.dot(h)
    if count > 1:
        by_w += dz[rest].reshape(-1, wide).T.dot(out[before_rest].reshape(-1, n))
    none = np.zeros(0, dtype)
    flat = dz.reshape(-1, wide)
    by_b = none if b is None else ones(len(flat), dtype).dot(flat)
    return dz, dh, by_w, by_b, none, dc


KERNELS: Final[dict[str, Kernel]] = {"_recurrent": _recurrent, "_recurrent_backward": _recurrent_backward}
