"""Layers and losses on literal numbers; their derivatives against differences, in float64."""

import math
from collections.abc import Callable

import pytest

import dispatchtorch as torch
from dispatchtorch import nn
from dispatchtorch.nn import functional as F

Tensor = torch.Tensor


def rounded(t: Tensor) -> list[object]:
    return [[round(v, 4) for v in row] for row in t.tolist()]


def test_layer_norm_has_mean_zero_and_variance_one() -> None:
    out = nn.LayerNorm(4)(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    assert rounded(out) == [[-1.3416, -0.4472, 0.4472, 1.3416]]
    assert out.grad_fn.name() == "NativeLayerNormBackward0"


def test_batch_norm_follows_the_batch_and_then_stands_still() -> None:
    norm = nn.BatchNorm1d(1)
    norm(torch.tensor([[1.0], [3.0]]))
    assert [round(v, 4) for v in (norm.running_mean.item(), norm.running_var.item())] == [0.2, 1.1]
    norm.eval()
    assert round(norm(torch.tensor([[0.2]])).item(), 6) == 0.0
    assert norm.num_batches_tracked.item() == 1


def test_dropout_gives_torchs_mask() -> None:
    torch.manual_seed(0)
    assert F.dropout(torch.ones(8), 0.5).tolist() == [0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 2.0, 2.0]
    assert F.dropout(torch.ones(8), 0.5, training=False).tolist() == [1.0] * 8


def test_cross_entropy_by_class_and_by_probability() -> None:
    logits = torch.tensor([[0.0, math.log(3.0)]], requires_grad=True)
    loss = F.cross_entropy(logits, torch.tensor([1]))
    assert loss.grad_fn.name() == "NllLossBackward0"
    assert round(loss.item(), 5) == round(-math.log(0.75), 5)
    assert round(F.cross_entropy(logits, torch.tensor([[0.0, 1.0]])).item(), 5) == round(-math.log(0.75), 5)
    loss.backward()
    assert rounded(logits.grad) == [[0.25, -0.25]]


def test_a_class_that_does_not_exist_is_refused() -> None:
    with pytest.raises(IndexError, match=r"Target 5 is out of bounds\."):
        F.cross_entropy(torch.ones(2, 3), torch.tensor([0, 5]))


def test_attention_to_what_comes_before_only() -> None:
    value = torch.tensor([[[1.0], [3.0]]])
    out = F.scaled_dot_product_attention(torch.zeros(1, 2, 1), torch.zeros(1, 2, 1), value, is_causal=True)
    assert out.tolist() == [[[1.0], [2.0]]]


def test_attention_with_packed_projections_runs_both_ways() -> None:
    torch.manual_seed(0)
    attend = nn.MultiheadAttention(4, 2, batch_first=True)
    x = torch.randn(1, 3, 4)
    with_weights, weights = attend(x, x, x)
    without, none = attend(x, x, x, need_weights=False)
    assert none is None
    assert tuple(weights.shape) == (1, 3, 3)
    assert torch.allclose(with_weights, without, atol=1e-6)


def test_gradients_are_clipped_to_a_norm() -> None:
    p = nn.Parameter(torch.zeros(2))
    p.grad = torch.tensor([3.0, 4.0])
    assert nn.utils.clip_grad_norm_([p], 1.0).item() == 5.0
    assert [round(v, 4) for v in p.grad.tolist()] == [0.6, 0.8]


DERIVED: list[Callable[[Tensor, Tensor], Tensor]] = [
    lambda x, w: F.layer_norm(x, (4,), w, w),
    lambda x, w: F.group_norm(x, 2, w, w),
    lambda x, w: F.batch_norm(x, None, None, w, w, training=True),
    lambda x, w: F.rms_norm(x, (4,), w),
    lambda x, w: F.mse_loss(x, w.expand(3, 4)),
    lambda x, w: F.smooth_l1_loss(x, w.expand(3, 4)),
    lambda x, w: F.huber_loss(x, w.expand(3, 4), delta=0.5),
    lambda x, w: F.cross_entropy(x * w, torch.tensor([0, 3, 1]), label_smoothing=0.1),
    lambda x, w: F.binary_cross_entropy_with_logits(
        x, w.expand(3, 4), pos_weight=torch.arange(4.0, dtype=torch.float64)
    ),
    lambda x, w: F.binary_cross_entropy(x.sigmoid(), w.expand(3, 4)),
    lambda x, w: F.scaled_dot_product_attention(x[None] * w, x[None], x[None] + w, is_causal=True),
]


@pytest.mark.parametrize("function", DERIVED)
def test_derivatives_are_what_differences_say(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    torch.manual_seed(2)
    x = torch.randn(3, 4, dtype=torch.float64).requires_grad_()
    w = torch.rand(4, dtype=torch.float64).requires_grad_()
    out = function(x, w)
    weight = torch.randn(tuple(out.shape), dtype=torch.float64)
    first = torch.autograd.grad((out * weight).sum(), (x, w))
    recorded = torch.autograd.grad((function(x, w) * weight).sum(), (x, w), create_graph=True)
    direction = (torch.randn(3, 4, dtype=torch.float64), torch.randn(4, dtype=torch.float64))
    step = 1e-6
    ahead, behind = (
        (function(x.detach() + s * direction[0], w.detach() + s * direction[1]) * weight).sum().item()
        for s in (step, -step)
    )
    slope = sum((g * d).sum().item() for g, d in zip(first, direction, strict=True))
    again = sum((g * d).sum().item() for g, d in zip(recorded, direction, strict=True))
    assert slope == pytest.approx((ahead - behind) / (2 * step), rel=1e-5, abs=1e-7)
    assert again == pytest.approx(slope, rel=1e-9, abs=1e-12)
