"""Connectionist temporal classification: the sums over alignments, forwards and backwards in time.

Everything is in logarithms. Labels stand between blanks, so there are ``2 * labels + 1`` states; a batch is walked at
once and what is past a sequence's end stays as it is. The walk is a parameter, as in `recurrent`.
"""

from __future__ import annotations

from typing import Any

from dispatchtorch.plugin.numpylike import kernel
from dispatchtorch.plugin.numpylike.index import put_at
from dispatchtorch.plugin.numpylike.recurrent import loop

__all__ = ["ctc", "ctc_backward"]


def _log_sum(xp: Any, parts: list[Any]) -> Any:
    """Returns the logarithm of the sum of exponentials; of nothing but -inf that."""
    top = parts[0]
    for part in parts[1:]:
        top = xp.maximum(top, part)
    safe = xp.where(top == -xp.inf, xp.zeros_like(top), top)
    total: Any = None
    for part in parts:
        term = xp.exp(part - safe)
        total = term if total is None else total + term
    return safe + xp.log(total)


def _states(xp: Any, targets: Any, blank: int) -> tuple[Any, Any]:
    """Returns the label of each state (N, 2 S + 1), and whether a state can be reached from the one before last."""
    n, count = targets.shape
    blanks = xp.full((n, count, 1), blank, dtype=targets.dtype)
    pairs = xp.reshape(xp.concat([blanks, targets[:, :, None]], axis=2), (n, 2 * count))
    labels = xp.concat([pairs, xp.full((n, 1), blank, dtype=targets.dtype)], axis=1)
    other = labels[:, 2:] != labels[:, :-2]
    odd = xp.arange(labels.shape[1]) % 2 == 1
    skips = xp.concat([xp.zeros((n, min(2, labels.shape[1])), dtype=xp.bool), other], axis=1)[:, : labels.shape[1]]
    return labels, skips & odd[None]


def _shifted(xp: Any, a: Any, steps: int, behind: bool) -> Any:
    """Returns the states moved along, -inf where nothing comes from."""
    if a.shape[1] < steps:
        return xp.full(a.shape, -xp.inf, dtype=a.dtype)
    pad = xp.full((a.shape[0], steps), -xp.inf, dtype=a.dtype)
    return xp.concat([a[:, steps:], pad], axis=1) if behind else xp.concat([pad, a[:, :-steps]], axis=1)


def _emissions(xp: Any, log_probs: Any, labels: Any) -> Any:
    """Returns the log probability of each state's label at each time: (T, N, states)."""
    index = xp.broadcast_to(labels[None], (log_probs.shape[0], *labels.shape))
    return xp.take_along_axis(log_probs, index, axis=2)


def _ends(xp: Any, a: Any, target_lengths: Any) -> Any:
    """Returns the logarithm of the two states in which a sequence may end, added up."""
    last = 2 * target_lengths[:, None]
    final = xp.take_along_axis(a, last, axis=1)[:, 0]
    before = xp.take_along_axis(a, xp.maximum(last - 1, 0), axis=1)[:, 0]
    before = xp.where(target_lengths > 0, before, xp.full(before.shape, -xp.inf, dtype=a.dtype))
    return _log_sum(xp, [final, before])


def ctc(
    xp: Any, scan: Any, log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int
) -> tuple[Any, Any]:
    """Returns minus the log likelihood of each target, and the sums over alignments up to each time and state."""
    labels, skips = _states(xp, targets, blank)
    emissions = _emissions(xp, log_probs, labels)
    n, count = labels.shape
    none = xp.full((n, count), -xp.inf, dtype=log_probs.dtype)
    place = xp.arange(count)[None]
    open_states = place < xp.where(target_lengths > 0, 2, 1)[:, None]
    begin = xp.where(place == 0, xp.zeros_like(none), none)

    def step(carry: Any, row: Any) -> Any:
        emission, t = row
        moved = _log_sum(
            xp, [carry, _shifted(xp, carry, 1, False), xp.where(skips, _shifted(xp, carry, 2, False), none)]
        )
        first = xp.where(open_states, xp.zeros_like(none), none)
        fresh = xp.where(t == 0, first, moved) + emission
        alpha = xp.where((t < input_lengths)[:, None], fresh, carry)
        return alpha, (alpha,)

    last, rows = scan(step, begin, (emissions, xp.arange(log_probs.shape[0])), False)
    return -_ends(xp, last, target_lengths), xp.moveaxis(rows[0], 0, 1)


def ctc_backward(
    xp: Any,
    scan: Any,
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
    """Returns the gradient of log probabilities that a softmax has made, as torch does."""
    labels, skips = _states(xp, targets, blank)
    emissions = _emissions(xp, log_probs, labels)
    n, count = labels.shape
    none = xp.full((n, count), -xp.inf, dtype=log_probs.dtype)
    place = xp.arange(count)[None]
    last = 2 * target_lengths[:, None]
    closing = (place == last) | ((place == last - 1) & (last > 0))
    jumps = xp.concat([skips[:, 2:], xp.zeros((n, min(2, count)), dtype=xp.bool)], axis=1)[:, :count]

    def step(carry: Any, row: Any) -> Any:
        emission, t = row
        moved = _log_sum(xp, [carry, _shifted(xp, carry, 1, True), xp.where(jumps, _shifted(xp, carry, 2, True), none)])
        first = xp.where(closing, xp.zeros_like(none), none)
        fresh = xp.where((t == input_lengths - 1)[:, None], first, moved) + emission
        beta = xp.where((t < input_lengths)[:, None], fresh, none)
        beta = xp.where(place <= last, beta, none)
        return beta, (beta,)

    times = xp.arange(log_probs.shape[0])
    _, rows = scan(step, none, (emissions, times), True)
    joint = xp.moveaxis(alphas, 0, 1) + rows[0] - emissions + losses[None, :, None]
    shares = xp.exp(xp.where(rows[0] == -xp.inf, xp.full_like(joint, -xp.inf), joint))
    where = (times[:, None, None], xp.arange(n)[None, :, None], xp.broadcast_to(labels[None], joint.shape))
    by_class = put_at(xp, xp.zeros(log_probs.shape, dtype=log_probs.dtype), where, shares, "add")
    grad = (xp.exp(log_probs) - by_class + (0 * losses)[None, :, None]) * g[None, :, None]
    live = (times[:, None] < input_lengths[None])[:, :, None]
    if zero_infinity:
        live = live & (losses != xp.inf)[None, :, None]
    return xp.where(live, grad, xp.zeros_like(grad))


@kernel
def _ctc_loss(
    xp: Any, log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int, zero_infinity: bool
) -> tuple[Any, Any]:
    return ctc(xp, loop(xp), log_probs, targets, input_lengths, target_lengths, blank)


@kernel
def _ctc_loss_backward(
    xp: Any,
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
        xp, loop(xp), g, log_probs, targets, input_lengths, target_lengths, losses, alphas, blank, zero_infinity
    )
