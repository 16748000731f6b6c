"""Attention that finds no largest score: where exponentials leave the range, the result is right all the same."""

from __future__ import annotations

import math

import pytest

import dispatchtorch as torch

attend = torch.nn.functional.scaled_dot_product_attention


def _plain(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return (scores if mask is None else scores + mask).softmax(-1) @ v


@pytest.mark.parametrize("size", [0.1, 1.0, 50.0])
@pytest.mark.parametrize("causal", [False, True])
def test_scores_of_any_size(causal: bool, size: float) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, 8, 4, requires_grad=True) for _ in range(3))
    mask = torch.full((8, 8), -math.inf).triu(1) if causal else None
    got, want = attend(q * size, k * size, v, is_causal=causal), _plain(q * size, k * size, v, mask)
    torch.testing.assert_close(got, want)
    g = torch.randn(got.shape)
    for a, b in zip(torch.autograd.grad(got, (q, k, v), g), torch.autograd.grad(want, (q, k, v), g), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_a_later_key_that_is_no_number_is_not_seen() -> None:
    x = torch.randn(1, 1, 4, 2)
    k = x.clone()
    k[0, 0, 3] = math.nan
    assert attend(x, k, x, is_causal=True)[0, 0, :3].isfinite().all()


def test_a_query_that_sees_nothing_gets_zeros() -> None:
    x = torch.randn(1, 1, 4, 2)
    seen = torch.ones(4, 4, dtype=torch.bool)
    seen[2] = False
    assert attend(x, x, x, attn_mask=seen)[0, 0, 2].tolist() == [0.0, 0.0]


def test_the_result_lies_as_the_query_does() -> None:
    x = torch.randn(2, 8, 3, 4)
    assert attend(x, x, x).is_contiguous()
    heads = x.transpose(1, 2)
    assert attend(heads, heads, heads).stride() == heads.stride()
