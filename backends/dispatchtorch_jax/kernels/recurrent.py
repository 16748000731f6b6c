"""Recurrent layers by `lax.scan`: a sequence is compiled as one step, not as many.

A plain LSTM has a form of its own for XLA's CPU: gates are activated where all of them lie in one piece, which is
vectorised where slices of them are not; what a step backwards can know beforehand is computed for all times at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jax.numpy as jnp
from jax import lax

from dispatchtorch.plugin.numpylike.conv import wide
from dispatchtorch.plugin.numpylike.recurrent import recur, recur_backward
from dispatchtorch_jax.kernels.products import transposed

__all__ = ["KERNELS"]

_apart: Final[Any] = lax.optimization_barrier  # untyped in JAX


def _scan(step: Any, carry: Any, sequences: Any, reverse: bool) -> tuple[Any, Any]:
    return lax.scan(step, carry, sequences, reverse=reverse)


def _activated(z: Any) -> tuple[Any, Any, Any, Any]:
    """Returns the gates of an LSTM, from (..., 4 * width)."""
    n = z.shape[-1] // 4
    z = _apart(z)
    soft = _apart(1 / (1 + jnp.exp(-z)))
    return soft[..., :n], soft[..., n : 2 * n], jnp.tanh(z[..., 2 * n : 3 * n]), soft[..., 3 * n :]


def _lstm(x: Any, h: Any, w: Any, *, reverse: bool, b: Any, c: Any) -> tuple[Any, ...]:
    w_t = transposed(w)

    def step(carry: Any, now: Any) -> Any:
        state, cell = carry
        share = state @ w_t
        i, f, g, o = _activated(now + (share if b is None else share + b))
        cell = f * cell + i * g
        state = o * jnp.tanh(cell)
        return (state, cell), (state, cell)

    (state, cell), (states, cells) = lax.scan(step, (h, c), x, reverse=reverse)
    return states, state, cell, cells


def _before(first: Any, states: Any, reverse: bool) -> Any:
    """Returns the state that each time began with."""
    return jnp.concat([states[1:], first[None]]) if reverse else jnp.concat([first[None], states[:-1]])


def _lstm_backward(
    grads: Any, x: Any, h: Any, w: Any, out: Any, *, reverse: bool, b: Any, c: Any, cells: Any
) -> tuple[Any, ...]:
    width = h.shape[-1]
    states, olds = _before(h, out, reverse), _before(c, cells, reverse)
    share = (states.reshape(-1, width) @ transposed(w)).reshape(x.shape)
    i, f, g, o = _activated(x + (share if b is None else share + b))
    t = jnp.tanh(cells)
    slopes = _apart(jnp.concat([g * i * (1 - i), olds * f * (1 - f), i * (1 - g * g), t * o * (1 - o)], axis=-1))
    through = _apart(o * (1 - t * t))

    def step(carry: Any, row: Any) -> Any:
        g_state, g_cell = carry
        g_now, g_cell_now, slope, passed, forget = row
        total = g_now + g_state
        inner = g_cell + g_cell_now + total * passed
        total, inner = _apart((total, inner))
        dz = jnp.concat([inner, inner, inner, total], axis=-1) * slope
        return (dz @ w, inner * forget), dz

    (g_h, g_c), dz = lax.scan(step, (grads[1], grads[2]), (grads[0], grads[3], slopes, through, f), reverse=not reverse)
    flat = dz.reshape(-1, dz.shape[-1])
    none = jnp.zeros((0,), x.dtype)
    g_w = transposed(flat) @ states.reshape(-1, width)
    return dz, g_h, g_w, none if b is None else jnp.sum(flat, axis=0), none, g_c


def _is_plain(x: Any, mode: str, r: Any, mask: Any) -> bool:
    return mode == "lstm" and r is None and mask is None and bool(jnp.issubdtype(x.dtype, jnp.floating)) and x.size > 0


def _recurrent(x: Any, h: Any, w: Any, mode: str, reverse: bool, b: Any, r: Any, c: Any, mask: Any) -> tuple[Any, ...]:
    if not _is_plain(x, mode, r, mask):
        return recur(jnp, _scan, x, h, w, mode, reverse, b, r, c, mask)
    b = None if b is None else wide(jnp, b)
    found = _lstm(wide(jnp, x), wide(jnp, h), wide(jnp, w), reverse=reverse, b=b, c=wide(jnp, c))
    return tuple([a.astype(x.dtype) for a in found])


def _recurrent_backward(
    grads: Any,
    x: Any,
    h: Any,
    w: Any,
    out: Any,
    mode: str,
    reverse: bool,
    b: Any,
    r: Any,
    c: Any,
    mask: Any,
    cells: Any,
) -> tuple[Any, ...]:
    if not _is_plain(x, mode, r, mask):
        return recur_backward(jnp, _scan, grads, x, h, w, out, cells, mode, reverse, b, r, c, mask)
    grads = [wide(jnp, g) for g in grads]
    b = None if b is None else wide(jnp, b)
    inputs = (wide(jnp, x), wide(jnp, h), wide(jnp, w), wide(jnp, out))
    found = _lstm_backward(grads, *inputs, reverse=reverse, b=b, c=wide(jnp, c), cells=wide(jnp, cells))
    return tuple([a.astype(x.dtype) for a in found])


KERNELS: Final[dict[str, Callable[..., Any]]] = {
    "_recurrent": _recurrent,
    "_recurrent_backward": _recurrent_backward,
}
