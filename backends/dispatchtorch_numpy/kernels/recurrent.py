"""LSTM layers over a whole sequence: gates are computed in memory that is kept for the way back, step by step.

The cells at all times lie behind the gates in one block; on the way back, which is given the cells, the gates are found
there and not computed again. Local slopes are made in the array that becomes the gradient, and the gradient of the
weights is one product over all times. Masks, projections and other modes take the shared way.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch.plugin.numpylike import KERNELS as SHARED

__all__ = ["KERNELS"]

_WIDE: Final = frozenset(np.dtype(c) for c in "fd")
_shared, _shared_backward = SHARED["_recurrent"], SHARED["_recurrent_backward"]


def _fits(x: Any, w: Any, mode: str, r: Any, mask: Any) -> bool:
    return mode == "lstm" and r is None and mask is None and x.dtype in _WIDE and w.dtype is x.dtype and x.size > 0


def _block(shape: tuple[int, ...], dtype: Any) -> tuple[Any, Any]:
    """Returns new memory for gates of this shape and for the cells behind them."""
    count, batch, wide = shape
    size = count * batch * wide
    memory = np.empty(size + size // 4, dtype)
    return memory[:size].reshape(shape), memory[size:].reshape(count, batch, wide // 4)


def _gates_before(cells: Any) -> Any:
    """Returns the gates that lie before these cells; None for cells that `_block` did not make."""
    memory, size = cells.base, 4 * cells.size
    if memory is None or memory.ndim != 1 or memory.size != size + cells.size or memory.dtype != cells.dtype:
        return None
    if cells.ctypes.data != memory.ctypes.data + size * cells.itemsize or not cells.flags.c_contiguous:
        return None
    return memory[:size].reshape(*cells.shape[:-1], 4 * cells.shape[-1])


def _order(count: int, reverse: bool) -> range:
    return range(count - 1, -1, -1) if reverse else range(count)


def _gates(z: Any, width: int, tanhs: Any) -> None:
    """Puts the gates in the place of what they are of: sigmoids, and the hyperbolic tangent of the third part."""
    third = z[:, 2 * width : 3 * width]
    np.tanh(third, tanhs)
    np.negative(z, z)
    np.exp(z, z)
    np.add(z, z.dtype.type(1), z)
    np.reciprocal(z, z)
    third[...] = tanhs


def _recurrent(x: Any, h: Any, w: Any, mode: str, reverse: bool, b: Any, r: Any, c: Any, mask: Any) -> tuple[Any, ...]:
    if not _fits(x, w, mode, r, mask):
        return tuple(_shared(np, x, h, w, mode, reverse, b, r, c, mask))
    count, batch, wide = x.shape
    n = wide // 4
    gates, cells = _block(x.shape, x.dtype)
    states = np.empty((count, batch, n), x.dtype)
    product, spare = np.empty((batch, wide), x.dtype), np.empty((batch, n), x.dtype)
    turned, state, cell = w.T, np.ascontiguousarray(h), c
    for t in _order(count, reverse):
        z, now = gates[t], cells[t]
        np.dot(state, turned, product)
        np.add(x[t], product, z)
        if b is not None:
            np.add(z, b, z)
        _gates(z, n, spare)
        np.multiply(z[:, n : 2 * n], cell, now)
        np.multiply(z[:, :n], z[:, 2 * n : 3 * n], spare)
        np.add(now, spare, now)
        state, cell = states[t], now
        np.tanh(now, state)
        np.multiply(state, z[:, 3 * n :], state)
    return states, state.copy(), cell.copy(), cells


def _slopes(z: Any, tanhs: Any, before: Any, out: Any, spare: Any) -> Any:
    """Writes what the cell's gradient and, last, the state's are multiplied by to give the gates'.

    Returns what the state's gradient is multiplied by to reach the cell.
    """
    i, _, g, o = z
    si, sf, sg, so = out
    one = i.dtype.type(1)
    np.subtract(one, z, out)
    np.multiply(out, z, out)  # the sigmoids' slopes
    np.multiply(si, g, si)
    np.multiply(sf, before, sf)
    np.multiply(so, tanhs, so)
    np.multiply(g, g, sg)
    np.subtract(one, sg, sg)
    np.multiply(sg, i, sg)
    np.multiply(tanhs, tanhs, spare)
    np.subtract(one, spare, spare)
    return np.multiply(spare, o, spare)


def _recurrent_backward(
    grads: Any, x: Any, h: Any, w: Any, out: Any, mode: str, reverse: bool, b: Any, r: Any, c: Any, mask: Any,
    cells: Any,
) -> tuple[Any, ...]:  # fmt: skip
    gates = _gates_before(cells) if _fits(x, w, mode, r, mask) else None
    if gates is None:
        return tuple(_shared_backward(np, grads, x, h, w, out, mode, reverse, b, r, c, mask, cells))
    by_states, by_last, by_last_cell, by_cells = grads
    count, batch, wide = x.shape
    n, dtype = wide // 4, x.dtype
    dz = np.empty(x.shape, dtype)
    dh, dc = by_last.copy(order="C"), by_last_cell.copy(order="C")
    tanhs, spare = np.empty((batch, n), dtype), np.empty((batch, n), dtype)
    for t in _order(count, not reverse):
        last = t == (count - 1 if reverse else 0)
        before = c if last else cells[t + 1 if reverse else t - 1]
        now = dz[t].reshape(batch, 4, n)
        z = gates[t].reshape(batch, 4, n).swapaxes(0, 1)
        np.tanh(cells[t], tanhs)
        reach = _slopes(z, tanhs, before, now.swapaxes(0, 1), spare)
        np.add(dh, by_states[t], dh)
        np.add(dc, by_cells[t], dc)
        np.multiply(reach, dh, reach)
        np.add(dc, reach, dc)
        np.multiply(now[:, :3], dc[:, None], now[:, :3])
        np.multiply(now[:, 3], dh, now[:, 3])
        np.multiply(dc, z[1], dc)
        np.dot(dz[t], w, dh)
    first, rest = (count - 1, slice(0, count - 1)) if reverse else (0, slice(1, count))
    before_rest = slice(1, count) if reverse else slice(0, count - 1)
    by_w = dz[first].T.dot(h)
    if count > 1:
        by_w += dz[rest].reshape(-1, wide).T.dot(out[before_rest].reshape(-1, n))
    none = np.zeros(0, dtype)
    flat = dz.reshape(-1, wide)
    by_b = none if b is None else np.ones(len(flat), dtype).dot(flat)
    return dz, dh, by_w, by_b, none, dc


KERNELS: Final[dict[str, Kernel]] = {"_recurrent": _recurrent, "_recurrent_backward": _recurrent_backward}
