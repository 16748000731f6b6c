"""The LSTM kernel that keeps its gates: the way back finds them, and gives what the decomposition's derivative is."""

from __future__ import annotations

import pytest

import dispatchtorch as torch
from dispatchtorch_numpy.kernels import recurrent


@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize("both", [False, True], ids=["forwards", "both ways"])
def test_the_gradient_from_kept_gates_is_that_of_the_ops(
    both: bool, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recurrent, "_shared_backward", None)
    torch.manual_seed(0)
    layer = torch.nn.LSTM(3, 4, 2, bidirectional=both, dtype=torch.float64)
    x = torch.randn(steps, 2, 3, dtype=torch.float64, requires_grad=True)
    out, (h, c) = layer(x)
    loss = (out * torch.randn(out.shape, dtype=torch.float64)).sum() + (h * 2).sum() + (c * c).sum()
    given = [x, *layer.parameters()]
    fused = torch.autograd.grad(loss, given, retain_graph=True)
    for a, b in zip(fused, torch.autograd.grad(loss, given, create_graph=True), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(("batch", "width"), [(3, 32), (40, 64), (70, 128)])
def test_products_cut_in_parts_are_those_of_whole_ones(batch: int, width: int) -> None:
    torch.manual_seed(0)
    layer = torch.nn.LSTM(2, width, dtype=torch.float64)
    x = torch.randn(3, batch, 2, dtype=torch.float64)
    whole, given = layer(x)[0], list(layer.parameters())
    assert recurrent._parts(70, 512, 128) > 1
    alone = torch.cat([layer(x[:, i : i + 1])[0] for i in range(batch)], 1)
    torch.testing.assert_close(whole, alone)
    for a, b in zip(torch.autograd.grad(whole.sum(), given), torch.autograd.grad(alone.sum(), given), strict=True):
        torch.testing.assert_close(a, b)
