"""Connectionist temporal classification by `lax.scan`: one step is compiled, not as many as there are times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jax.numpy as jnp
from jax import lax

from dispatchtorch.plugin.numpylike.ctc import ctc, ctc_backward

__all__ = ["KERNELS"]


def _scan(step: Any, carry: Any, sequences: Any, reverse: bool) -> tuple[Any, Any]:
    return lax.scan(step, carry, sequences, reverse=reverse)


def _ctc_loss(
    log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int, zero_infinity: bool
) -> tuple[Any, Any]:
    return ctc(jnp, _scan, log_probs, targets, input_lengths, target_lengths, blank)


def _ctc_loss_backward(
    g: Any,
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    losses: Any,
    alphas: Any,
    blank: int,
    zero_infinity: bool,
) -> Any:
    return ctc_backward(
        jnp, _scan, g, log_probs, targets, input_lengths, target_lengths, losses, alphas, blank, zero_infinity
    )


KERNELS: Final[dict[str, Callable[..., Any]]] = {"_ctc_loss": _ctc_loss, "_ctc_loss_backward": _ctc_loss_backward}
