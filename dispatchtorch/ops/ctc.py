"""Connectionist temporal classification: the likelihood of labels without knowing where in time they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dispatchtorch._base.dtypes import int64
from dispatchtorch.dispatch.table import FUNCTIONS, composite, primitive
from dispatchtorch.ops.loss import reduction_named
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["ctc_loss"]

_WHERE = "(while checking arguments for ctc_loss_cpu)"


@primitive()
def _ctc_loss_backward(
    g: Tensor,
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    losses: Tensor,
    alphas: Tensor,
    blank: int,
    zero_infinity: bool,
) -> Tensor:
    """Returns the gradient of log probabilities that a softmax has made."""
    ...


@primitive(
    grad={
        "log_probs": lambda g, out, log_probs, targets, input_lengths, target_lengths, blank, zero_infinity: (
            _ctc_loss_backward(
                g[0], log_probs, targets, input_lengths, target_lengths, out[0], out[1], blank, zero_infinity
            )
        )
    },
    node="CtcLossBackward0",
)
def _ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    blank: int,
    zero_infinity: bool,
) -> tuple[Tensor, Tensor]:
    """Returns minus the log likelihood of each padded row of targets, and the sums up to each time and state."""
    ...


def _numbers(lengths: Any) -> list[int]:
    return [int(n) for n in (lengths.reshape(-1).tolist() if isinstance(lengths, Tensor) else lengths)]


def _padded(targets: Tensor, lengths: Sequence[int], batch: int) -> Tensor:
    """Returns the targets as rows, whether they came so or one after another."""
    longest = max(lengths, default=0)
    if targets.dim() == 1:
        total = sum(lengths)
        if int(targets._a.shape[0]) != total:
            raise RuntimeError(
                f"Expected tensor to have size {total} at dimension 0, but got size {int(targets._a.shape[0])} for "
                f"argument #2 'targets' {_WHERE}"
            )
        starts = [sum(lengths[:i]) for i in range(batch)]
        places = [[min(start + i, max(total - 1, 0)) for i in range(longest)] for start in starts]
        if not total:
            return targets.new_zeros((batch, longest))
        index: Tensor = FUNCTIONS["tensor"](places, dtype=int64, device=targets.device).reshape(batch, longest)
        return targets[index]
    if int(targets._a.shape[0]) != batch:
        raise RuntimeError(
            f"Expected tensor to have size {batch} at dimension 0, but got size {int(targets._a.shape[0])} for "
            f"argument #2 'targets' {_WHERE}"
        )
    if int(targets._a.shape[1]) < longest:
        raise RuntimeError(
            f"Expected tensor to have size at least {longest} at dimension 1, but got size {list(targets.shape)} for "
            f"argument #2 'targets' {_WHERE}"
        )
    return targets.narrow(1, 0, longest)


def _check(log_probs: Tensor, targets: Tensor, inputs: list[int], labels: list[int], blank: int) -> None:
    times, batch, classes = (int(n) for n in log_probs._a.shape)
    if targets._key.dtype.category != 1:
        raise RuntimeError("targets must be integral type")
    if not 0 <= blank < classes:
        raise RuntimeError("blank must be in label range")
    if len(inputs) != batch:
        raise RuntimeError("input_lengths must be of size batch_size")
    if len(labels) != batch:
        raise RuntimeError("target_lengths must be of size batch_size")
    for name, lengths in (("input_lengths", inputs), ("target_lengths", labels)):
        for n in lengths:
            if n < 0:
                raise RuntimeError(f"Expected {name} to have value at least 0, but got value {n} {_WHERE}")
            if name == "input_lengths" and n > times:
                raise RuntimeError(f"Expected {name} to have value at most {times}, but got value {n} {_WHERE}")
    if log_probs._key.dtype.name not in ("float32", "float64"):
        raise NotImplementedError(f"\"ctc_loss_cpu\" not implemented for '{log_probs._key.dtype.legacy}'")


def _samples(make: Maker) -> Iterator[Sample]:
    tensor = FUNCTIONS["tensor"]
    logs = (make(5, 2, 4).log_softmax(2) * 64).round().detach() / 64  # the same to the bit on every backend
    yield Sample((logs, tensor([[1, 2], [3, 3]]), tensor([5, 4]), tensor([2, 2])))
    yield Sample((logs.clone(), tensor([1, 2, 2]), (5, 3), (2, 1), 0, 2))
    yield Sample((logs.clone(), tensor([[1, 2], [3, 3]]), (2, 2), (2, 2), 0, 0, True))


@composite(samples=_samples)
def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: int = 0,
    zero_infinity: bool = False,
) -> Tensor:
    """Returns minus the log likelihood of labels (N, S), or all in a row, under log probabilities (T, N, C) or (T, C).

    ``reduction``: 0 each (when called from Python, torch's default too), 1 the mean of losses over their numbers of
    labels, 2 the sum. ``zero_infinity`` makes losses of impossible alignments, and their gradients, zero.
    """
    batched = log_probs.dim() == 3
    logs = log_probs if batched else log_probs.unsqueeze(1)
    if not batched and targets.dim() == 1:
        targets = targets.unsqueeze(0)
    inputs, labels = _numbers(input_lengths), _numbers(target_lengths)
    _check(logs, targets, inputs, labels, blank)
    rows = _padded(targets, labels, len(labels)).to(logs.device, int64)
    tensor = FUNCTIONS["tensor"]
    long, short = (tensor(values, dtype=int64, device=logs.device) for values in (inputs, labels))
    loss = _ctc_loss(logs, rows, long, short, blank, zero_infinity)[0]
    if zero_infinity:
        loss = FUNCTIONS["where"](loss == float("inf"), 0.0, loss)
    kind = reduction_named(reduction)
    if kind == "mean":
        mean: Tensor = (loss / short.clamp(min=1).to(loss.dtype)).mean()
        return mean
    if kind == "sum":
        return loss.sum()
    return loss if batched else loss.squeeze(0)
