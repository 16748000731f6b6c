"""Gelu that keeps its slope: gradients are those of the op that does not, of any order."""

from __future__ import annotations

import pytest

import dispatchtorch as torch

gelu = torch.nn.functional.gelu


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_kept_slope_is_the_derivative(dtype: torch.dtype) -> None:
    x = torch.linspace(-9, 9, 40000, dtype=dtype).requires_grad_()
    (kept,) = torch.autograd.grad(gelu(x).sum(), x)
    (computed,) = torch.autograd.grad(gelu(x).sum(), x, create_graph=True)
    torch.testing.assert_close(kept, computed)
    torch.testing.assert_close(gelu(x), gelu(x.detach()), rtol=0, atol=1e-6)


def test_higher_derivatives() -> None:
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(gelu, (x,))


def test_it_looks_like_gelu() -> None:
    x = torch.randn(3, 4, requires_grad=True)
    assert gelu(x).grad_fn.name() == "GeluBackward0"
    assert gelu(x.t()).stride() == gelu(x.detach().t()).stride()
