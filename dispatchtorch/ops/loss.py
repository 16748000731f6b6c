"""Losses that torch gives a node of their own: one number out of predictions and targets, or one for each.

``reduction`` is "none", "mean" or "sum" throughout; its checks and torch's deprecated forms are `nn.functional`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from dispatchtorch._base.dtypes import int64, uint8
from dispatchtorch.dispatch.node import Node
from dispatchtorch.dispatch.table import composite, primitive
from dispatchtorch.ops.norm import through
from dispatchtorch.ops.samples import Maker, Sample, Sampler
from dispatchtorch.ops.softmax import _softmax_backward
from dispatchtorch.tensor.tensor import Tensor, read

__all__ = ["cross_entropy_loss", "nll_loss_nd", "reduce", "reduction_named"]

Rule = Callable[..., Tensor]
_FUSED: Final = ("float32", "float64")  # half precision is rounded between the logarithm and the loss, as in torch


def reduce(loss: Tensor, reduction: str) -> Tensor:
    """Returns the mean, the sum, or the losses themselves."""
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss


def reduction_named(reduction: int | str) -> str:
    """Returns the reduction that torch's number for it means; a word is one already."""
    if isinstance(reduction, str):
        return reduction
    if reduction not in (0, 1, 2):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return ("none", "mean", "sum")[reduction]


def _pair(low: float = -2.0, high: float = 2.0) -> Sampler:
    def sampler(make: Maker) -> Iterator[Sample]:
        for reduction in ("mean", "sum", "none"):
            yield Sample((make(3, 4, low=low, high=high), make(3, 4, low=low, high=high), reduction))

    return sampler


def _pair_with(number: float, low: float = -2.0, high: float = 2.0) -> Sampler:
    def sampler(make: Maker) -> Iterator[Sample]:
        for reduction in ("mean", "sum", "none"):
            yield Sample((make(3, 4, low=low, high=high), make(3, 4, low=low, high=high), reduction, number))

    return sampler


def _each(g: Tensor, of: Tensor, reduction: str) -> Tensor:
    """Returns the gradient of one element's loss."""
    return g / max(int(of._a.size), 1) if reduction == "mean" else g


def _mse_grad(g: Tensor, a: Tensor, b: Tensor, reduction: str) -> Tensor:
    return (a - b) * (_each(g, a, reduction) * 2)


def _share(g: Tensor, of: Tensor) -> Tensor:
    return g * (2 / max(int(of._a.size), 1))


@primitive(
    grad={
        "input": lambda g, input, g_out: g * _share(g_out, input),
        "other": lambda g, input, g_out: -(g * _share(g_out, input)),
        "g_out": lambda g, input, other: _share((g * (input - other)).sum(), input),
    },
    node="MseLossBackwardBackward0",
)
def _mean_slope(input: Tensor, other: Tensor, g_out: Tensor) -> Tensor:
    """Returns the gradient of ``input`` in the mean of squared differences, whose own gradient is a number."""
    return input.sub(other).mul(_share(g_out, input))


@primitive(
    grad={
        "input": lambda g, input, target: _mean_slope(input, target, g),
        "target": lambda g, input, target: _mean_slope(target, input, g),
    },
    node="MseLossBackward0",
    samples=lambda make: iter([Sample((make(3, 4), make(3, 4)))]),
)
def _mean_squared_error(input: Tensor, target: Tensor) -> Tensor:
    """Returns the mean of squared differences of two tensors of one shape and dtype."""
    return reduce((input - target) * (input - target), "mean")


@primitive(
    grad={
        "input": lambda g, input, target, reduction: _mse_grad(g, input, target, reduction),
        "target": lambda g, input, target, reduction: _mse_grad(g, target, input, reduction),
    },
    node="MseLossBackward0",
    samples=_pair(),
)
def _mse_loss(input: Tensor, target: Tensor, reduction: str) -> Tensor:
    """Returns the squared differences."""
    return reduce((input - target) * (input - target), reduction)


def _smooth_grad(g: Tensor, a: Tensor, b: Tensor, reduction: str, beta: float) -> Tensor:
    slope = (a - b).sign() if beta == 0 else ((a - b) / beta).clamp(-1.0, 1.0)
    return slope * _each(g, a, reduction)


@primitive(
    grad={
        "input": lambda g, input, target, reduction, beta: _smooth_grad(g, input, target, reduction, beta),
        "target": lambda g, input, target, reduction, beta: _smooth_grad(g, target, input, reduction, beta),
    },
    node="SmoothL1LossBackward0",
    samples=_pair_with(0.7),
)
def _smooth_l1_loss(input: Tensor, target: Tensor, reduction: str, beta: float) -> Tensor:
    """Returns absolute differences less half of ``beta``, quadratic below ``beta``."""
    far = (input - target).abs()
    if beta == 0:
        return reduce(far, reduction)
    near = far.clamp(max=beta)
    return reduce(near * near / (2 * beta) + (far - near), reduction)


def _huber_grad(g: Tensor, a: Tensor, b: Tensor, reduction: str, delta: float) -> Tensor:
    return (a - b).clamp(-delta, delta) * _each(g, a, reduction)


@primitive(
    grad={
        "input": lambda g, input, target, reduction, delta: _huber_grad(g, input, target, reduction, delta),
        "target": lambda g, input, target, reduction, delta: _huber_grad(g, target, input, reduction, delta),
    },
    node="HuberLossBackward0",
    samples=_pair_with(0.7),
)
def _huber_loss(input: Tensor, target: Tensor, reduction: str, delta: float) -> Tensor:
    """Returns half the squared differences, linear above ``delta``."""
    far = (input - target).abs()
    near = far.clamp(max=delta)
    return reduce(near * near * 0.5 + (far - near) * delta, reduction)


# --- binary cross entropy --------------------------------------------------------------------------------------------


def _bce_samples(make: Maker) -> Iterator[Sample]:
    for reduction in ("mean", "sum", "none"):
        yield Sample((make(3, 4, low=0.05, high=0.95), make(3, 4, low=0.05, high=0.95), reduction))
    yield Sample((make(3, 4, low=0.05, high=0.95), make(3, 4, low=0.05, high=0.95), "mean", make(4, low=0.5)))


def _weighted(t: Tensor, weight: Tensor | None) -> Tensor:
    return t if weight is None else t * weight


def _bce_grad(g: Tensor, input: Tensor, target: Tensor, reduction: str, weight: Tensor | None) -> Tensor:
    slope = (input - target) / ((1 - input) * input).clamp(min=1e-12)
    return _weighted(slope, weight) * _each(g, input, reduction)


def _bce_target_grad(g: Tensor, input: Tensor, target: Tensor, reduction: str, weight: Tensor | None) -> Tensor:
    slope = (1 - input).log().clamp(min=-100.0) - input.log().clamp(min=-100.0)
    return _weighted(slope, weight) * _each(g, input, reduction)


@primitive(
    grad={
        "input": lambda g, input, target, reduction, weight: _bce_grad(g, input, target, reduction, weight),
        "target": lambda g, input, target, reduction, weight: _bce_target_grad(g, input, target, reduction, weight),
    },
    node="BinaryCrossEntropyBackward0",
    samples=_bce_samples,
)
def _binary_cross_entropy(input: Tensor, target: Tensor, reduction: str, weight: Tensor | None = None) -> Tensor:
    """Returns the cross entropy of probabilities; logarithms stop at -100."""
    yes, no = input.log().clamp(min=-100.0), (1 - input).log().clamp(min=-100.0)
    return reduce(_weighted((target - 1) * no - target * yes, weight), reduction)


def _logits_samples(make: Maker) -> Iterator[Sample]:
    for reduction in ("mean", "sum", "none"):
        yield Sample((make(3, 4), make(3, 4, low=0.0, high=1.0), reduction))
    yield Sample((make(3, 4), make(3, 4, low=0.0, high=1.0), "mean", make(4, low=0.5), make(4, low=0.5)))


def _logits_grad(
    g: Tensor, input: Tensor, target: Tensor, reduction: str, weight: Tensor | None, pos_weight: Tensor | None
) -> Tensor:
    if pos_weight is None:
        slope = input.sigmoid() - target
    else:
        yes = pos_weight * target
        slope = (yes + 1 - target) * input.sigmoid() - yes
    return _weighted(slope, weight) * _each(g, input, reduction)


def _logits_target_grad(
    g: Tensor, input: Tensor, reduction: str, weight: Tensor | None, pos_weight: Tensor | None
) -> Tensor:
    slope = -input if pos_weight is None else _log_sigmoid(-input) - pos_weight * _log_sigmoid(input)
    return _weighted(slope, weight) * _each(g, input, reduction)


def _log_sigmoid(x: Tensor) -> Tensor:
    return x.clamp(max=0.0) - (-x.abs()).exp().log1p()


@primitive(
    grad={
        "input": lambda g, input, target, reduction, weight, pos_weight: _logits_grad(
            g, input, target, reduction, weight, pos_weight
        ),
        "target": lambda g, input, reduction, weight, pos_weight: _logits_target_grad(
            g, input, reduction, weight, pos_weight
        ),
    },
    node="BinaryCrossEntropyWithLogitsBackward0",
    samples=_logits_samples,
)
def _binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, reduction: str, weight: Tensor | None = None, pos_weight: Tensor | None = None
) -> Tensor:
    """Returns the cross entropy of the sigmoid of logits."""
    scale = 1.0 if pos_weight is None else (pos_weight - 1) * target + 1
    loss = (1 - target) * input - _log_sigmoid(input) * scale
    return reduce(_weighted(loss, weight), reduction)


# --- negative log likelihood -----------------------------------------------------------------------------------------


def _nll_samples(make: Maker) -> Iterator[Sample]:
    for reduction in ("mean", "sum", "none"):
        yield Sample((make(3, 4), make(3, dtype="int64", low=0, high=4), reduction, -100))
    yield Sample((make(2, 4, 3), make(2, 3, dtype="int64", low=0, high=4), "mean", 1, make(4, low=0.5)))


@primitive()
def _nll_slopes(
    target: Tensor, like: Tensor, reduction: str, ignore_index: int, weight: Tensor | None = None
) -> Tensor:
    """Returns the derivative of the loss: minus the weight at each target's place, over their sum for a mean."""
    ...


def _nll_grad(g: Tensor, input: Tensor, target: Tensor, reduction: str, ignore: int, weight: Tensor | None) -> Tensor:
    slopes = _nll_slopes(target, input, reduction, ignore, weight)
    return slopes * (g if reduction != "none" else g.unsqueeze(1 if input.ndim > 1 else 0))


def _nll_name(node: Node) -> str:
    saved = node.saved
    if len(saved) == 1 or saved[0] is None or saved[0].ndim < 3:  # one thing: "freed"
        return "NllLossBackward0"
    return "ViewBackward0" if saved[0].ndim == 3 and saved[2] == "none" else "NllLoss2DBackward0"


@primitive(
    grad={
        "input": lambda g, input, target, reduction, ignore_index, weight: _nll_grad(
            g, input, target, reduction, ignore_index, weight
        )
    },
    node=_nll_name,
    samples=_nll_samples,
)
def _nll_loss(input: Tensor, target: Tensor, reduction: str, ignore_index: int, weight: Tensor | None = None) -> Tensor:
    """Returns minus the input at each target's place, weighted; classes are dim 1, or 0 of a single sample."""
    ...


def _check_target(input: Tensor, target: Tensor, ignore_index: int) -> None:
    """Raises torch's IndexError for a class that does not exist, where values can be looked at."""
    key = target._key
    if key.device.type != "cpu" or not target._a.size:
        return
    try:
        host = key.backend.to_host(read(target))
    except TypeError:  # a traced value
        return
    classes = int(input._a.shape[1 if input.ndim > 1 else 0])
    if host.min() < 0 or host.max() >= classes:
        bad = host[((host < 0) | (host >= classes)) & (host != ignore_index)]
        if bad.size:
            raise IndexError(f"Target {int(bad.reshape(-1)[0])} is out of bounds.")


def _check_nll_shapes(input: Tensor, target: Tensor) -> None:
    shape, want = tuple(input._a.shape), tuple(target._a.shape)
    if input.ndim == 0:
        raise ValueError("Expected 1 or more dimensions (got 0)")
    if input.ndim > 1 and (not want or shape[0] != want[0]):
        have = want[0] if want else 1
        raise ValueError(f"Expected input batch_size ({shape[0]}) to match target batch_size ({have}).")
    if input.ndim <= 2:
        if target.ndim > 1:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        if input.ndim == 1 and target.ndim == 1 and want != (1,):
            raise ValueError(f"For 1D input, 1D target must have size 1, but got target size: {want[0]}")
    if input.ndim > 2 and shape[2:] != want[1:]:
        raise RuntimeError(
            f"Expected target size [{', '.join(map(str, (shape[0], *shape[2:])))}], got [{', '.join(map(str, want))}]"
        )


def _check_nll(input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int) -> None:
    """Raises torch's errors for what a loss by class does not take."""
    _check_nll_shapes(input, target)
    if target._key.dtype not in (int64, uint8):
        raise RuntimeError(f"expected target dtype to be Long or Byte, but got {target._key.dtype.legacy}")
    if weight is not None and weight.numel() != int(input._a.shape[1 if input.ndim > 1 else 0]):
        raise RuntimeError(
            "weight tensor should be defined either for all "
            f"{int(input._a.shape[1 if input.ndim > 1 else 0])} classes or no classes but got weight tensor of shape: "
            f"[{', '.join(map(str, weight._a.shape))}]"
        )
    if input._key.dtype.category < 2:
        raise NotImplementedError(f"\"nll_loss_out_frame\" not implemented for '{input._key.dtype.legacy}'")
    if weight is not None and weight._key.dtype is not input._key.dtype:
        raise RuntimeError(f"expected scalar type {input._key.dtype.legacy} but found {weight._key.dtype.legacy}")
    _check_target(input, target, ignore_index)


@composite(function=False)
def nll_loss_nd(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean", ignore_index: int = -100
) -> Tensor:
    """Returns the negative log likelihood of classes under log probabilities."""
    _check_nll(input, target, weight, ignore_index)
    return _nll_loss(input, target, reduction, ignore_index, weight)


# --- cross entropy ----------------------------------------------------------------------------------------------------


@primitive()
def _cross_entropy_backward(
    g_out: Tensor, soft: Tensor, target: Tensor, reduction: str, ignore_index: int, weight: Tensor | None = None
) -> Tensor:
    """Returns the gradient of logits: the softmax less one at each target, by the target's share in the loss."""
    slopes = _nll_slopes(target, soft, reduction, ignore_index, weight)
    grad = slopes - soft * slopes.sum(1, True)
    return grad * (g_out if reduction != "none" else g_out.unsqueeze(1))


def _cross_entropy_grad(
    g: Any, soft: Tensor, target: Tensor, reduction: str, ignore: int, weight: Tensor | None
) -> Tensor | None:
    """Returns the gradient through the loss, and through the softmax where a second derivative named that."""
    grad: Tensor | None = None
    if g[0] is not None:
        grad = through(_cross_entropy_backward)(g[0], soft, target, reduction, ignore, weight)
    if g[1] is not None:
        other = _softmax_backward(g[1], soft, 1)
        grad = other if grad is None else grad + other
    return grad


@primitive(
    grad={
        "input": lambda g, out, target, reduction, ignore_index, weight: _cross_entropy_grad(
            g, out[1], target, reduction, ignore_index, weight
        )
    },
    node="NllLossBackward0",
    partial=True,
)
def _cross_entropy(
    input: Tensor, target: Tensor, reduction: str, ignore_index: int, weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Returns the cross entropy of logits (N, C) with classes (N), and the softmax, which its derivative names."""
    return _nll_loss(input.log_softmax(1), target, reduction, ignore_index, weight), input.softmax(1)


def _class_weights(input: Tensor, weight: Tensor | None, dim: int) -> Any:
    if weight is None:
        return None
    return weight.view([-1 if d == dim else 1 for d in range(input.ndim)])


def _smoothed_indices(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, ignore: int, smoothing: float
) -> Tensor:
    dim = 1 if input.ndim > 1 else 0
    logs = input.log_softmax(dim)
    nll = nll_loss_nd(logs, target, weight, reduction, ignore)
    spread = -(logs if weight is None else logs * _class_weights(input, weight, dim)).sum(dim)
    dropped = target == ignore
    smooth = spread.masked_fill(dropped, 0.0)
    if reduction == "mean":
        if weight is None:
            smooth = smooth.sum() / (~dropped).sum()
        else:
            safe = target.masked_fill(dropped, 0)
            smooth = smooth.sum() / weight[safe].masked_fill(dropped, 0.0).sum()
    elif reduction == "sum":
        smooth = smooth.sum()
    classes = int(input._a.shape[dim])
    return nll * (1 - smoothing) + smooth * (smoothing / classes)


def _probabilities(input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, smoothing: float) -> Tensor:
    dim = 1 if input.ndim > 1 else 0
    if smoothing > 0:
        target = target * (1 - smoothing) + smoothing / int(input._a.shape[dim])
    product = input.log_softmax(dim) * target
    if weight is not None:
        product = product * _class_weights(input, weight, dim)
    if reduction == "none":
        return -product.sum(dim)
    if reduction == "sum":
        return -product.sum()
    return -product.sum() / (int(input._a.size) // max(int(input._a.shape[dim]), 1))


@composite(function=False)
def cross_entropy_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Returns the cross entropy of logits with classes, or with probabilities of the input's shape."""
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}")
    if tuple(input._a.shape) == tuple(target._a.shape):
        if target._key.dtype.category < 2:
            raise RuntimeError(
                f"Expected floating point type for target with class probabilities, got {target._key.dtype.legacy}"
            )
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
        return _probabilities(input, target, weight, reduction, label_smoothing)
    if label_smoothing > 0:
        return _smoothed_indices(input, target, weight, reduction, ignore_index, label_smoothing)
    key = input._key
    if len(input._a.shape) == 2 and key.dtype.name in _FUSED and "_cross_entropy" in key.backend.kernels:
        _check_nll(input, target, weight, ignore_index)
        return _cross_entropy(input, target, reduction, ignore_index, weight)[0]
    return nll_loss_nd(input.log_softmax(1 if input.ndim > 1 else 0), target, weight, reduction, ignore_index)
