"""Distances between vectors, and the losses that torch has as functions of its own beside ``nn.functional``.

``reduction`` is torch's number (0 each, 1 mean, 2 sum) or its word. Called from Python, torch's functions of these
names give each loss where none is named, whatever their schema says; ``nn.functional`` names one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from dispatchtorch._base.dtypes import promote
from dispatchtorch.dispatch.table import FUNCTIONS, composite
from dispatchtorch.ops.loss import _binary_cross_entropy_with_logits, reduce, reduction_named
from dispatchtorch.ops.samples import Maker, Sample, Sampler
from dispatchtorch.tensor.sizes import broadcast_shapes
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "bilinear", "binary_cross_entropy_with_logits", "cosine_embedding_loss", "cosine_similarity",
    "hinge_embedding_loss", "kl_div", "margin_ranking_loss", "pairwise_distance", "poisson_nll_loss",
    "triplet_margin_loss", "triplet_of",
]  # fmt: skip

Reduction = int | str


def _reduced(loss: Tensor, reduction: Reduction) -> Tensor:
    return reduce(loss, reduction_named(reduction))


def _signs(make: Maker, *shape: int) -> Tensor:
    return make(*shape).sign().detach()  # type: ignore[no-any-return]  # a method of the table


# --- distances --------------------------------------------------------------------------------------------------------


def _held_norm(x: Tensor, dim: int, eps: float) -> Tensor:
    """Returns norms that are at least ``eps`` in value, with the gradient of the norm itself, as in torch."""
    length = x.norm(2, dim, keepdim=True)
    return length + (length.detach().clamp(min=eps) - length.detach())


@composite(samples=lambda make: iter((Sample((make(3, 4), make(3, 4))), Sample((make(2, 1, 3), make(4, 3), -1, 1e-6)))))
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Returns the cosine of the angle between vectors along ``dim``."""
    common = promote(x1._key.dtype, x2._key.dtype)
    if common.category < 2:
        raise RuntimeError(f"expected common dtype to be floating point, yet common dtype is {common.legacy}")
    shape = broadcast_shapes(tuple(x1._a.shape), tuple(x2._a.shape))
    x1, x2 = x1.expand(shape).to(common), x2.expand(shape).to(common)
    return ((x1 / _held_norm(x1, dim, eps)) * (x2 / _held_norm(x2, dim, eps))).sum(dim)


@composite(
    samples=lambda make: iter((Sample((make(3, 4), make(3, 4))), Sample((make(2, 3), make(3), 1.0, 1e-6, True))))
)
def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """Returns the p-norm of ``x1 - x2 + eps`` along the last dim."""
    return (x1 - x2 + eps).norm(p, -1, keepdim=keepdim)


@composite(samples=lambda make: iter((Sample((make(3, 2), make(3, 4), make(5, 2, 4), make(5))),)))
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Returns ``input1 @ weight[k] @ input2 + bias[k]`` for each output k."""
    if input1.dim() != input2.dim():
        raise RuntimeError(f"bilinear(): input dimensions do not match: got {input1.dim()} and {input2.dim()}")
    lead = input1.shape[:-1]
    for d, (a, b) in enumerate(zip(lead, input2.shape[:-1], strict=True)):
        if a != b:
            raise RuntimeError(f"bilinear(): input batch dimensions do not match at dim {d}: got {a} and {b}")
    outs, first, second = weight.shape
    for name, have, want in (("input1", input1, first), ("input2", input2, second)):
        if have.size(-1) != want:
            raise RuntimeError(
                f"bilinear(): {name} size does not match weight size: got {have.size(-1)} but expected {want}"
            )
    if bias is not None and bias.size(0) != outs:
        raise RuntimeError(f"bilinear(): bias size does not match weight size: got {bias.size(0)} but expected {outs}")
    one, two = input1.reshape(-1, 1, 1, first), input2.reshape(-1, 1, second, 1)
    out = ((one @ weight) @ two).reshape(*lead, outs)
    return out if bias is None else out + bias


# --- losses -----------------------------------------------------------------------------------------------------------


def _logit_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4), make(3, 4, low=0.0, high=1.0)))
    yield Sample((make(3, 4), make(3, 4, low=0.0, high=1.0), make(4, low=0.5), make(4, low=0.5), 2))


@composite(samples=_logit_samples)
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    reduction: Reduction = 0,
) -> Tensor:
    """Returns the cross entropy of the sigmoid of logits with targets in [0, 1]."""
    if input._key.dtype.category < 2:
        raise NotImplementedError(f"\"log_sigmoid_cpu\" not implemented for '{input._key.dtype.legacy}'")
    return _binary_cross_entropy_with_logits(input, target, reduction_named(reduction), weight, pos_weight)


def _kl_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4), make(3, 4, low=0.1, high=1.0)))
    yield Sample((make(3, 4), make(3, 4), 2), {"log_target": True})


@composite(samples=_kl_samples)
def kl_div(input: Tensor, target: Tensor, reduction: Reduction = 0, *, log_target: bool = False) -> Tensor:
    """Returns the divergence of the distribution ``target`` from the log probabilities ``input``."""
    if log_target:
        return _reduced(target.exp() * (target - input), reduction)
    return _reduced(target.xlogy(target) - target * input, reduction)


def _poisson_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4), make(3, 4, low=0.2, high=3.0), True, True, 1e-8, 1))
    yield Sample((make(3, 4, low=0.2), make(3, 4, low=0.2, high=3.0), False, False, 1e-8, 0))


@composite(samples=_poisson_samples)
def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: Reduction
) -> Tensor:
    """Returns the negative log likelihood of counts under a Poisson distribution."""
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        loss = loss + stirling.masked_fill(target <= 1, 0)
    return _reduced(loss, reduction)


def _with_signs(*shapes: tuple[int, ...]) -> Sampler:
    def sampler(make: Maker) -> Iterator[Sample]:
        for reduction in (1, 0):
            yield Sample((*[make(*shape) for shape in shapes], _signs(make, shapes[0][0]), 0.3, reduction))

    return sampler


@composite(samples=_with_signs((5,)))
def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: Reduction = 0) -> Tensor:
    """Returns distances where the target is 1, ``max(0, margin - distance)`` where it is -1."""
    given: Tensor = FUNCTIONS["full_like"](input, margin)  # of the input's dtype: integers cut the margin
    apart = (given - input).clamp_min(0).masked_fill(target == 1, 0.0)
    return _reduced(apart + input.masked_fill(target == -1, 0.0), reduction)


@composite(samples=_with_signs((5,), (5,)))
def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: Reduction = 0
) -> Tensor:
    """Returns ``max(0, -target * (input1 - input2) + margin)``."""
    if not input1.dim() == input2.dim() == target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.size()}, input2: {input2.size()}, target: {target.size()} "
        )
    return _reduced(((input1 - input2) * -target + margin).clamp_min(0), reduction)


@composite(samples=_with_signs((5, 3), (5, 3)))
def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: Reduction = 0
) -> Tensor:
    """Returns ``1 - cosine`` for pairs that belong together, ``max(0, cosine - margin)`` for others."""
    if target.dim() > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    found = f"but found inputs with sizes {list(input1.shape)} and {list(input2.shape)}."
    if target.dim() == 1 and (input1.dim() != 2 or input2.dim() != 2):
        raise RuntimeError(f"1D target tensor expects 2D input tensors, {found}")
    if target.dim() == 0 and (input1.dim() != 1 or input2.dim() != 1):
        raise RuntimeError(f"0D target tensor expects 1D input tensors, {found}")
    small, dim = 1e-12, target.dim()
    product = (input1 * input2).sum(dim)
    scale = (((input1 * input1).sum(dim) + small) * ((input2 * input2).sum(dim) + small)).sqrt()
    cosine = product / scale
    together = (1 - cosine).masked_fill(target != 1, 0.0)
    apart = (cosine - margin).clamp_min(0).masked_fill(target != -1, 0.0)
    return _reduced(together + apart, reduction)


def triplet_of(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    distance: Callable[[Tensor, Tensor], Any],
    margin: float,
    swap: bool,
    reduction: Reduction,
) -> Tensor:
    """Returns the triplet loss of any distance; with ``swap`` the nearer of anchor and positive counts."""
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    return _reduced((near - far + margin).clamp_min(0), reduction)


def _triplet_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4), make(3, 4), make(3, 4)))
    yield Sample((make(3, 4), make(3, 4), make(3, 4), 0.5, 2.0, 1e-6, True, 0))


@composite(samples=_triplet_samples)
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: Reduction = 0,
) -> Tensor:
    """Returns ``max(0, distance to the positive - distance to the negative + margin)``."""
    dims = [t.dim() for t in (anchor, positive, negative)]
    if len(set(dims)) > 1:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {dims[0]}D, positive {dims[1]}D, and negative {dims[2]}D inputs"
        )
    return triplet_of(
        anchor, positive, negative, lambda a, b: pairwise_distance(a, b, float(p), eps), margin, swap, reduction
    )
