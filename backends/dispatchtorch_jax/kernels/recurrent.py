"""Recurrent layers by `lax.scan`: a sequence is compiled as one step, not as many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jax.numpy as jnp
from jax import lax

from dispatchtorch.plugin.numpylike.recurrent import recur, recur_backward

__all__ = ["KERNELS"]


def _scan(step: Any, carry: Any, sequences: Any, reverse: bool) -> tuple[Any, Any]:
    return lax.scan(step, carry, sequences, reverse=reverse)


def _recurrent(x: Any, h: Any, w: Any, mode: str, reverse: bool, b: Any, r: Any, c: Any, mask: Any) -> tuple[Any, ...]:
    return recur(jnp, _scan, x, h, w, mode, reverse, b, r, c, mask)


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
    return recur_backward(jnp, _scan, grads, x, h, w, out, cells, mode, reverse, b, r, c, mask)


KERNELS: Final[dict[str, Callable[..., Any]]] = {
    "_recurrent": _recurrent,
    "_recurrent_backward": _recurrent_backward,
}
