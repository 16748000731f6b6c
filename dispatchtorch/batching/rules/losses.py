"""Losses that look up a class: rows of all examples at once, then a reduction an example."""

from __future__ import annotations

from typing import Any

from dispatchtorch.batching.array import Batched
from dispatchtorch.batching.rules.layout import RULES, fold, front, padded, rule, unfold
from dispatchtorch.dispatch.op import Op
from dispatchtorch.tensor.tensor import Tensor

__all__: list[str] = []


@rule("_mse_loss", "_smooth_l1_loss", "_huber_loss", "_binary_cross_entropy", "_binary_cross_entropy_with_logits")
def elementwise_loss(op: Op, size: int, *args: Any) -> Batched:
    """Returns the losses of the examples: those of all elements at once, then reduced an example."""
    at = op.params.index("reduction")
    rank = max([a.ndim for a in args if isinstance(a, Batched)])
    given = [padded(a, rank) if isinstance(a, Batched) else a for a in args]
    losses = op.entry(*given[:at], "none", *given[at + 1 :])
    if args[at] == "none":
        return Batched(losses, True)
    flat: Tensor = losses.reshape((size, -1)) if losses._a.size else losses.reshape((size, 0))
    return Batched(flat.sum(1) if args[at] == "sum" else flat.mean(1), True)


@rule("_nll_loss")
def nll_loss(
    op: Op, size: int, a: Batched, target: Batched, reduction: str, ignore_index: int, weight: Batched | None = None
) -> Batched:
    """Returns the losses of the examples."""
    if weight is not None and weight.batched:
        return RULES["*"](op, size, a, target, reduction, ignore_index, weight)  # type: ignore[no-any-return]  # a rule
    classes = None if weight is None else weight.inner
    places = front(target, size)
    rows = front(a, size)
    if a.ndim == 1:
        losses = op.entry(rows, places, "none", ignore_index, classes)
    else:
        losses = unfold(op.entry(fold(rows, 0), fold(places, 0), "none", ignore_index, classes), 0, size)
    if reduction == "none":
        return Batched(losses, True)
    total: Tensor = losses.reshape((size, -1)).sum(1) if losses.ndim > 1 else losses
    if reduction == "sum":
        return Batched(total, True)
    return Batched(total / _counts(rows, places, ignore_index, classes, size), True)


@rule("_nll_slopes")
def nll_slopes(
    op: Op, size: int, target: Batched, like: Batched, reduction: str, ignore_index: int, weight: Batched | None = None
) -> Batched:
    """Returns the derivatives of the examples' losses."""
    if weight is not None and weight.batched:
        return RULES["*"](op, size, target, like, reduction, ignore_index, weight)  # type: ignore[no-any-return]  # a rule
    classes = None if weight is None else weight.inner
    places, rows = front(target, size), front(like, size)
    if like.ndim == 1:
        slopes = op.entry(places, rows, "none", ignore_index, classes)
    else:
        slopes = unfold(op.entry(fold(places, 0), fold(rows, 0), "none", ignore_index, classes), 0, size)
    if reduction == "mean":
        counts = _counts(rows, places, ignore_index, classes, size)
        slopes = slopes / counts.reshape((size, *(1,) * like.ndim))
    return Batched(slopes, True)


def _counts(rows: Tensor, places: Tensor, ignore_index: int, classes: Tensor | None, size: int) -> Tensor:
    """Returns by what a mean divides, for each example: how many targets count, or the sum of their weights."""
    kept = places != ignore_index
    if classes is None:
        counts = kept.to(rows._key.dtype)
    else:
        counts = classes[places.clamp(0, int(classes._a.shape[0]) - 1)] * kept.to(rows._key.dtype)
    if counts.ndim > 1:
        counts = counts.reshape((size, -1)).sum(1)
    return counts
