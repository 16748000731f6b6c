"""Bags of embeddings: the ways that a kernel has of adding rows give the same, and bad offsets are refused."""

from __future__ import annotations

import numpy as np
import pytest

import dispatchtorch as torch
from dispatchtorch_numpy.kernels.embedding import sum_rows

bag = torch.nn.functional.embedding_bag


@pytest.mark.parametrize("seen", [1, 3, 40])
@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
def test_rows_are_added_however_often_they_are_named(seen: int, shared: bool) -> None:
    rng = np.random.default_rng(0)
    index = rng.integers(0, 7, 7 * seen)
    which = rng.integers(0, 5, index.size) if shared else None
    rows = rng.standard_normal((5 if shared else index.size, 3))
    want = np.zeros((7, 3))
    np.add.at(want, index, rows if which is None else rows[which])
    np.testing.assert_allclose(sum_rows(7, index, rows, which), want, atol=1e-12)


@pytest.mark.parametrize("offsets", [[0, 3], [0, 0, 6, 6], [0, 1, 2, 3, 4, 5], [0, 4, 5]])
@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_bags_of_any_sizes_are_their_rows(mode: str, offsets: list[int]) -> None:
    weight = torch.arange(24.0).view(8, 3).requires_grad_()
    words = torch.tensor([7, 1, 1, 3, 0, 2])
    got = bag(words, weight, torch.tensor(offsets), mode=mode)
    ends = [*offsets[1:], 6]
    parts = [weight[words[a:b]] for a, b in zip(offsets, ends, strict=True)]
    want = torch.stack([p.sum(0) / (max(len(p), 1) if mode == "mean" else 1) for p in parts])
    torch.testing.assert_close(got, want)
    g = torch.arange(float(want.numel())).view(want.shape)
    for a, b in zip(torch.autograd.grad(got, weight, g), torch.autograd.grad(want, weight, g), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    ("words", "offsets", "said"),
    [
        ([1, 9], [0], "Index 1 of input takes value 9"),
        ([1, 2], [1], "has to start from position 0"),
        ([1, 2], [0, 5], "input's length 2 but got offsets\\[-1\\] of 5"),
    ],
)
def test_what_names_no_row_is_refused(words: list[int], offsets: list[int], said: str) -> None:
    with pytest.raises(RuntimeError, match=said):
        bag(torch.tensor(words), torch.zeros(5, 3), torch.tensor(offsets))


def test_the_gradient_of_cross_entropy_has_a_gradient() -> None:
    x = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([1, 0, -100, 4])
    assert torch.autograd.gradgradcheck(lambda t: torch.nn.functional.cross_entropy(t, y), (x,))


def test_logits_may_be_written_after_their_cross_entropy() -> None:
    x = torch.randn(4, 5, requires_grad=True) * 1
    loss = torch.nn.functional.cross_entropy(x, torch.tensor([1, 0, 2, 4]))
    x.mul_(2)
    loss.backward()
