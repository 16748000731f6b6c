"""Einsum of two operands as one op: from its second call on, a product gives what it gave at the first, by many ops."""

from __future__ import annotations

import pytest

import dispatchtorch as torch
from dispatchtorch.ops import einsum as family

SIZES = {"a": 2, "b": 3, "c": 4, "i": 5, "j": 3, "k": 2, "h": 1}
EQUATIONS = (
    "bij,bjk->bik", "abij,abkj->abik", "ij,j->i", "ij,jk->ki", "ji,kj->ik", "i,i->", "bij,bki->kbj", "i,j->ij",
    "bi,bi->b", "abij,bajk->baki", "abc,cj->abj", "abc,jcb->ja", "hij,hjk->ik",
)  # fmt: skip


def _arguments(equation: str, dtype: torch.dtype) -> list[torch.Tensor]:
    torch.manual_seed(0)
    parts = equation.partition("->")[0].split(",")
    return [torch.randn([SIZES[c] for c in part], dtype=dtype, requires_grad=True) for part in parts]


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=str)
@pytest.mark.parametrize("equation", EQUATIONS)
def test_the_op_is_what_the_ops_are(equation: str, dtype: torch.dtype) -> None:
    given = _arguments(equation, dtype)
    family._pairs.clear()
    want = torch.einsum(equation, *given)
    got = torch.einsum(equation, *given)
    torch.testing.assert_close(got, want)
    g = torch.randn(got.shape, dtype=dtype)
    for a, b in zip(torch.autograd.grad(got, given, g), torch.autograd.grad(want, given, g), strict=True):
        torch.testing.assert_close(a, b)


def test_second_derivatives() -> None:
    given = _arguments("bij,bki->kbj", torch.float64)
    torch.einsum("bij,bki->kbj", *given)
    assert torch.autograd.gradgradcheck(lambda x, y: torch.einsum("bij,bki->kbj", x, y), given)


def test_truth_values_are_refused_at_the_second_call_too() -> None:
    x, mask = torch.randn(2, 3, 3), torch.ones(2, 3, 3, dtype=torch.bool)
    torch.einsum("bij,bjk->bik", x, x)
    with pytest.raises(NotImplementedError, match="Bool"):
        torch.einsum("bij,bjk->bik", mask, mask)


def test_autocast_lowers_both_calls() -> None:
    x = torch.randn(2, 3, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        dtypes = [torch.einsum("bij,bjk->bik", x, x).dtype for _ in range(2)]
    assert dtypes == [torch.bfloat16] * 2
