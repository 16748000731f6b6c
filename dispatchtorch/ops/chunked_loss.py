"""A linear layer and its cross entropy in one, batch by batch, so that no more than one batch's logits are there.

The derivative computes each batch's logits again. Classes are indices; what probabilities or smoothing need is
`loss.cross_entropy_loss`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dispatchtorch._base.dtypes import float32
from dispatchtorch.dispatch.table import FUNCTIONS, primitive
from dispatchtorch.ops.loss import nll_loss_nd
from dispatchtorch.ops.matmul import _linear
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["linear_cross_entropy_rows"]


def _chunks(count: int, chunk: int) -> list[tuple[int, int]]:
    return [(begin, min(chunk, count - begin)) for begin in range(0, count, max(chunk, 1))]


def _wide(t: Tensor) -> Tensor:
    return t.to(float32) if t._key.dtype.itemsize < 4 else t


def _scores(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return _linear(_wide(input), _wide(weight), None if bias is None else _wide(bias))


def _backward(
    g: Tensor,
    input: Tensor,
    weight: Tensor,
    target: Tensor,
    chunk: int,
    ignore_index: int,
    bias: Tensor | None,
    class_weight: Tensor | None,
) -> tuple[Any, ...]:
    """Returns the gradients of input, weight and bias."""
    g_weight: Any = None
    g_bias: Any = None
    rows = []
    classes = int(weight._a.shape[0])
    for begin, size in _chunks(int(input._a.shape[0]), chunk):
        x, labels = input.narrow(0, begin, size), target.narrow(0, begin, size)
        live = labels != ignore_index
        safe = labels.masked_fill(~live, 0)
        share = _wide(g.narrow(0, begin, size)).masked_fill(~live, 0.0)
        if class_weight is not None:
            share = share * _wide(class_weight)[safe]
        ones = FUNCTIONS["arange"](classes, device=labels.device) == safe.unsqueeze(1)
        chances = _scores(x, weight, bias).softmax(1)
        slopes = (chances - ones.to(chances.dtype)) * share.unsqueeze(1)
        rows.append(slopes @ _wide(weight))
        part = slopes.t() @ _wide(x)
        g_weight = part if g_weight is None else g_weight + part
        if bias is not None:
            g_bias = slopes.sum(0) if g_bias is None else g_bias + slopes.sum(0)
    kind = input._key.dtype
    if not rows:
        return input * 0, weight * 0, None if bias is None else bias * 0
    return FUNCTIONS["cat"](rows).to(kind), g_weight.to(kind), None if bias is None else g_bias.to(kind)


def _samples(make: Maker) -> Iterator[Sample]:
    labels = FUNCTIONS["tensor"]([0, 2, 1, 3, -100])
    yield Sample((make(5, 3), make(4, 3), labels, 2, -100))
    yield Sample((make(5, 3), make(4, 3), labels, 3, -100, make(4), make(4, low=0.5)), grad=False)
    yield Sample((make(5, 3), make(4, 3), labels, 3, -100, make(4)))


@primitive(
    grad={
        ("input", "weight", "bias"): lambda g, input, weight, target, chunk, ignore_index, bias, class_weight: (
            _backward(g, input, weight, target, chunk, ignore_index, bias, class_weight)
        )
    },
    samples=_samples,
)
def _linear_cross_entropy(
    input: Tensor,
    weight: Tensor,
    target: Tensor,
    chunk: int,
    ignore_index: int,
    bias: Tensor | None = None,
    class_weight: Tensor | None = None,
) -> Tensor:
    """Returns the loss of each row of ``input``; ``chunk`` rows are worked on at a time."""
    parts = []
    for begin, size in _chunks(int(input._a.shape[0]), chunk):
        logs = _scores(input.narrow(0, begin, size), weight, bias).log_softmax(1)
        scale = None if class_weight is None else _wide(class_weight)
        parts.append(nll_loss_nd(logs, target.narrow(0, begin, size), scale, "none", ignore_index))
    if not parts:
        return input.new_zeros((0,))
    return FUNCTIONS["cat"](parts).to(input._key.dtype)  # type: ignore[no-any-return]  # an entry of the table


def linear_cross_entropy_rows(
    input: Tensor,
    weight: Tensor,
    target: Tensor,
    chunk: int,
    ignore_index: int,
    bias: Tensor | None,
    class_weight: Tensor | None,
    reduction: str,
) -> Tensor:
    """Returns the losses of rows (N, features), their sum or their weighted mean."""
    losses = _linear_cross_entropy(input, weight, target, chunk, ignore_index, bias, class_weight)
    if reduction == "none":
        return losses
    total = _wide(losses).sum()
    if reduction == "mean":
        live = target != ignore_index
        share = live.to(total.dtype)
        if class_weight is not None:
            share = share * _wide(class_weight)[target.masked_fill(~live, 0)]
        total = total / share.sum()
    return total.to(input._key.dtype)
