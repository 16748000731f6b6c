"""Attention with functions of places: the same numbers as torch's, and masks by blocks."""

from __future__ import annotations

import pytest

import dispatchtorch as torch
from dispatchtorch.nn.attention.flex_attention import (
    AuxRequest,
    and_masks,
    create_block_mask,
    create_mask,
    flex_attention,
)


def causal(b, h, q_idx, kv_idx):
    return q_idx >= kv_idx


def test_a_block_mask_lists_what_is_seen():
    mask = create_block_mask(causal, 1, None, 200, 300, device="cpu")
    assert mask.shape == (1, 1, 200, 300)
    assert mask.kv_num_blocks.tolist() == [[[1, 2]]]
    assert mask.kv_indices.tolist() == [[[[0, 1, 2], [0, 1, 2]]]]
    assert mask.q_num_blocks.tolist() == [[[2, 1, 0]]]
    assert mask.to_dense().tolist() == [[[[1, 0, 0], [1, 1, 0]]]]
    assert mask.sparsity() == pytest.approx(18.08)


def test_scores_and_mask_are_functions_of_places():
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 4, 20, 8) for _ in range(3))
    bias, document = torch.randn(4), torch.arange(20) // 5
    mask = create_block_mask(
        and_masks(causal, lambda b, h, qi, ki: document[qi] == document[ki]), None, None, 20, 20, BLOCK_SIZE=4
    )
    out, aux = flex_attention(
        q, k, v, lambda s, b, h, qi, ki: s + bias[h] * (qi - ki), mask, return_aux=AuxRequest(lse=True)
    )
    assert out.sum().item() == pytest.approx(-46.88755, rel=1e-5)
    assert aux.lse.sum().item() == pytest.approx(349.78522, rel=1e-5)
    assert aux.max_scores is None
    assert flex_attention(q, k[:, :2], v[:, :2], enable_gqa=True).sum().item() == pytest.approx(8.347157, rel=1e-5)


def test_it_is_plain_attention_without_functions_and_has_gradients():
    torch.manual_seed(1)
    q, k, v = (torch.randn(1, 2, 6, 4, requires_grad=True) for _ in range(3))
    mask = create_block_mask(causal, None, None, 6, 6)
    mine = torch.autograd.grad(flex_attention(q, k, v, block_mask=mask).pow(2).sum(), (q, k, v))
    plain = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    for got, wanted in zip(mine, torch.autograd.grad(plain.pow(2).sum(), (q, k, v)), strict=True):
        assert torch.allclose(got, wanted, atol=1e-5)


def test_a_mask_as_a_tensor():
    assert create_mask(lambda b, h, qi, ki: qi == ki, 2, 3, 4, 4).sum().item() == 24
