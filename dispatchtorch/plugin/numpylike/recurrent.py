"""A recurrent layer over a whole sequence, forwards and backwards in time, over any numpy-like namespace.

The walk along time is a parameter, ``scan(step, carry, sequences, reverse)``, so that a library with one of its own
need not unroll it. Where ``mask`` is false a sequence is over (or has not begun): its state passes unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dispatchtorch.plugin.numpylike import kernel
from dispatchtorch.plugin.numpylike.conv import wide

__all__ = ["loop", "recur", "recur_backward"]

Scan = Callable[[Any, Any, Any, bool], tuple[Any, Any]]


def loop(xp: Any) -> Scan:
    """Returns the walk as a plain loop."""

    def scan(step: Any, carry: Any, sequences: Any, reverse: bool) -> tuple[Any, Any]:
        count = next(s.shape[0] for s in sequences if s is not None)
        rows: list[Any] = []
        for t in reversed(range(count)) if reverse else range(count):
            carry, row = step(carry, tuple([None if s is None else s[t] for s in sequences]))
            rows.append(row)
        if reverse:
            rows.reverse()
        return carry, tuple([xp.stack(parts) for parts in zip(*rows, strict=True)])

    return scan


def _sigmoid(xp: Any, x: Any) -> Any:
    return 1 / (1 + xp.exp(-x))


def _parts(x: Any, count: int) -> list[Any]:
    width = x.shape[-1] // count
    return [x[..., i * width : (i + 1) * width] for i in range(count)]


def _activated(xp: Any, mode: str, x: Any, hidden: Any) -> tuple[Any, ...]:
    """Returns the gates after their nonlinearities, from the input's share and the state's."""
    if mode == "lstm":
        i, f, g, o = _parts(x + hidden, 4)
        return _sigmoid(xp, i), _sigmoid(xp, f), xp.tanh(g), _sigmoid(xp, o)
    if mode == "gru":
        (xr, xz, xn), (hr, hz, hn) = _parts(x, 3), _parts(hidden, 3)
        r, z = _sigmoid(xp, xr + hr), _sigmoid(xp, xz + hz)
        return r, z, xp.tanh(xn + r * hn), hn
    z = x + hidden
    return (xp.tanh(z) if mode == "tanh" else xp.maximum(z, 0),)


def _product(h: Any, w: Any, b: Any) -> Any:
    out = h @ w.T
    return out if b is None else out + b


def recur(
    xp: Any, scan: Scan, x: Any, h: Any, w: Any, mode: str, reverse: bool, b: Any, r: Any, c: Any, mask: Any
) -> tuple[Any, ...]:
    """Returns the states at all times and the last one; of an LSTM the last cells and the cells at all times too."""
    kind = x.dtype
    x, h, w, b, r, c = [None if a is None else wide(xp, a) for a in (x, h, w, b, r, c)]

    def step(carry: Any, row: Any) -> Any:
        state, cell = carry
        now, on = row
        gates = _activated(xp, mode, now, _product(state, w, b))
        if mode == "lstm":
            i, f, g, o = gates
            next_cell = f * cell + i * g
            following = o * xp.tanh(next_cell)
            following = following if r is None else following @ r.T
            next_cell = next_cell if on is None else xp.where(on, next_cell, cell)
        elif mode == "gru":
            _, z, n, _ = gates
            following, next_cell = n + z * (state - n), None
        else:
            following, next_cell = gates[0], None
        following = following if on is None else xp.where(on, following, state)
        carry = (following, next_cell)
        return carry, (following,) if next_cell is None else (following, next_cell)

    (state, cell), rows = scan(step, (h, c), (x, mask), reverse)
    found = (rows[0], xp.copy(state)) if cell is None else (rows[0], xp.copy(state), xp.copy(cell), rows[1])
    return tuple([a.astype(kind) for a in found])


def _before(xp: Any, first: Any, states: Any, reverse: bool) -> Any:
    """Returns the state that each time began with."""
    return xp.concat([states[1:], first[None]]) if reverse else xp.concat([first[None], states[:-1]])


def recur_backward(
    xp: Any,
    scan: Scan,
    grads: Any,
    x: Any,
    h: Any,
    w: Any,
    out: Any,
    cells: Any,
    mode: str,
    reverse: bool,
    b: Any,
    r: Any,
    c: Any,
    mask: Any,
) -> tuple[Any, ...]:
    """Returns the gradients of x, h, w, b, r and c; those of what is not there are empty."""
    kind = x.dtype
    grads = [wide(xp, g) for g in grads]
    x, h, w, b, r, c, out, cells = [None if a is None else wide(xp, a) for a in (x, h, w, b, r, c, out, cells)]
    states = _before(xp, h, out, reverse)
    gates = _activated(xp, mode, x, _product(states, w, b))
    last_cell = grads[2] if mode == "lstm" else None
    if mode == "lstm":
        g_cells: Any = grads[3] if len(grads) > 3 else None
        tanhs, olds = (
            xp.tanh(_unmasked(cells, gates, _before(xp, c, cells, reverse), mask)),
            _before(xp, c, cells, reverse),
        )
    else:
        g_cells, tanhs, olds = None, None, None

    def step(carry: Any, row: Any) -> Any:
        g_state, g_cell = carry
        g_now, g_cell_now, state, old, tanh, on, parts = row
        total = g_now + g_state
        kept = None if on is None else xp.where(on, xp.zeros_like(total), total)
        total = total if on is None else xp.where(on, total, xp.zeros_like(total))
        back = None
        if mode == "lstm":
            i, f, g, o = parts
            whole = total if r is None else total @ r
            arrived = g_cell if g_cell_now is None else g_cell + g_cell_now
            live = arrived if on is None else xp.where(on, arrived, xp.zeros_like(arrived))
            inner = live + whole * o * (1 - tanh * tanh)
            dz = xp.concat(
                [
                    inner * g * i * (1 - i),
                    inner * old * f * (1 - f),
                    inner * i * (1 - g * g),
                    whole * tanh * o * (1 - o),
                ],
                axis=-1,
            )
            back = inner * f if on is None else inner * f + (arrived - live)
            dhid = dz
            before = dz @ w
        elif mode == "gru":
            rr, z, n, hn = parts
            dn = total * (1 - z) * (1 - n * n)
            dr, dz_gate = dn * hn * rr * (1 - rr), total * (state - n) * z * (1 - z)
            dz = xp.concat([dr, dz_gate, dn], axis=-1)
            dhid = xp.concat([dr, dz_gate, dn * rr], axis=-1)
            before = dhid @ w + total * z
        else:
            (a,) = parts
            dz = total * (1 - a * a) if mode == "tanh" else xp.where(a > 0, total, xp.zeros_like(total))
            dhid = dz
            before = dz @ w
        before = before if kept is None else before + kept
        return (before, back), (dz, dhid, total)

    rows = (grads[0], g_cells, states, olds, tanhs, mask)
    (g_h, g_c), (dz, dhid, totals) = _walk(xp, scan, step, (grads[1], last_cell), rows, gates, not reverse)
    flat = xp.reshape(dhid, (-1, dhid.shape[-1]))
    g_w = flat.T @ xp.reshape(states, (-1, states.shape[-1]))
    none = xp.zeros((0,), dtype=x.dtype)
    g_b = none if b is None else xp.sum(flat, axis=0)
    g_r = none
    if r is not None:
        full = gates[3] * tanhs
        g_r = xp.reshape(totals, (-1, totals.shape[-1])).T @ xp.reshape(full, (-1, full.shape[-1]))
    return tuple([a.astype(kind) for a in (dz, xp.copy(g_h), g_w, g_b, g_r, none if g_c is None else xp.copy(g_c))])


def _unmasked(cells: Any, gates: Any, olds: Any, mask: Any) -> Any:
    """Returns the cells as each step made them, also where the mask then kept the old ones."""
    if mask is None:
        return cells
    i, f, g, _ = gates
    return f * olds + i * g


def _walk(xp: Any, scan: Scan, step: Any, carry: Any, rows: Any, gates: Any, reverse: bool) -> Any:
    """Returns the scan over rows and gates, which travel as further sequences."""
    count = len(rows)

    def flat_step(state: Any, row: Any) -> Any:
        return step(state, (*row[:count], row[count:]))

    return scan(flat_step, carry, (*rows, *gates), reverse)


@kernel
def _recurrent(
    xp: Any, x: Any, h: Any, w: Any, mode: str, reverse: bool, b: Any, r: Any, c: Any, mask: Any
) -> tuple[Any, ...]:
    return recur(xp, loop(xp), x, h, w, mode, reverse, b, r, c, mask)


@kernel
def _recurrent_backward(
    xp: Any,
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
    return recur_backward(xp, loop(xp), grads, x, h, w, out, cells, mode, reverse, b, r, c, mask)
