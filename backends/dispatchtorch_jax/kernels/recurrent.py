"""Recurrent layers by `lax.scan`: a sequence is compiled as one step, not as many.

A plain LSTM has a form of its own for XLA's CPU: gates are activated where all of them lie in one piece, which is
vectorised where slices of them are not, and kept for the way back; what a step backwards can know beforehand is
computed for all times at once.
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


def _lstm(x: Any, h: Any, w: Any, *, reverse: bool, b: Any, c: Any) -> tuple[Any, ...]:
    w_t, n = transposed(w), h.shape[-1]

    def step(carry: Any, now: Any) -> Any:
        state, cell = carry
        share = state @ w_t
        z = _apart(now + (share if b is None else share + b))
        soft, g = _apart((1 / (1 + jnp.exp(-z)), jnp.tanh(z[..., 2 * n : 3 * n])))
        cell = soft[..., n : 2 * n] * cell + soft[..., :n] * g
        state = soft[..., 3 * n :] * jnp.tanh(cell)
        return (state, cell), (state, cell, soft, g)

    (state, cell), (states, cells, soft, g) = lax.scan(step, (h, c), x, reverse=reverse)
    return states, state, cell, cells, soft, g


def _before(first: Any, states: Any, reverse: bool) -> Any:
    """Returns the state that each time began with."""
    return jnp.concat([states[1:], first[None]]) if reverse else jnp.concat([first[None], states[:-1]])


def _lstm_backward(
    grads: Any, h: Any, w: Any, out: Any, *, reverse: bool, with_bias: bool, c: Any, cells: Any, kept: Any
) -> tuple[Any, ...]:
    soft, g = kept
    n = g.shape[-1]
    i, f, o = soft[..., :n], soft[..., n : 2 * n], soft[..., 3 * n :]
    olds, t = _before(c, cells, reverse), jnp.tanh(cells)
    slopes = (g * i * (1 - i), olds * f * (1 - f), i * (1 - g * g), t * o * (1 - o))
    rows = _apart((*slopes, o * (1 - t * t), f))
    by_cells = grads[3] if len(grads) > 3 else None

    def step(carry: Any, row: Any) -> Any:
        g_state, g_cell = carry
        g_now, g_cell_now, by_i, by_f, by_g, by_o, passed, forget = row
        total = g_now + g_state
        inner = (g_cell if g_cell_now is None else g_cell + g_cell_now) + total * passed
        dz = _apart(jnp.concat([inner * by_i, inner * by_f, inner * by_g, total * by_o], axis=-1))
        return (dz @ w, inner * forget), dz

    (g_h, g_c), dz = lax.scan(step, (grads[1], grads[2]), (grads[0], by_cells, *rows), reverse=not reverse)
    flat, width = dz.reshape(-1, dz.shape[-1]), h.shape[-1]
    none = jnp.zeros((0,), dz.dtype)
    g_w = transposed(flat) @ _before(h, out, reverse).reshape(-1, width)
    return dz, g_h, g_w, jnp.sum(flat, axis=0) if with_bias else none, none, g_c


def _is_plain(x: Any, mode: str, r: Any, mask: Any) -> bool:
    return mode == "lstm" and r is None and mask is None and bool(jnp.issubdtype(x.dtype, jnp.floating)) and x.size > 0


def _recurrent(x: Any, h: Any, w: Any, mode: str, reverse: bool, b: Any, r: Any, c: Any, mask: Any) -> tuple[Any, ...]:
    if not _is_plain(x, mode, r, mask):
        return recur(jnp, _scan, x, h, w, mode, reverse, b, r, c, mask)
    b = None if b is None else wide(jnp, b)
    found = _lstm(wide(jnp, x), wide(jnp, h), wide(jnp, w), reverse=reverse, b=b, c=wide(jnp, c))
    if found[0].dtype == x.dtype:
        return found
    return tuple([a.astype(x.dtype) for a in found[:4]])  # gates are not kept rounded


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
    kept: Any,
) -> tuple[Any, ...]:
    if not kept:
        return recur_backward(jnp, _scan, grads, x, h, w, out, cells, mode, reverse, b, r, c, mask)
    return _lstm_backward(grads, h, w, out, reverse=reverse, with_bias=b is not None, c=c, cells=cells, kept=kept)


KERNELS: Final[dict[str, Callable[..., Any]]] = {
    "_recurrent": _recurrent,
    "_recurrent_backward": _recurrent_backward,
}
