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
    find, seen = recurrent._gates_before, []
    monkeypatch.setattr(recurrent, "_gates_before", lambda cells: seen.append(find(cells)) or seen[-1])
    torch.manual_seed(0)
    layer = torch.nn.LSTM(3, 4, 2, bidirectional=both, dtype=torch.float64)
    x = torch.randn(steps, 2, 3, dtype=torch.float64, requires_grad=True)
    out, (h, c) = layer(x)
    loss = (out * torch.randn(out.shape, dtype=torch.float64)).sum() + (h * 2).sum() + (c * c).sum()
    given = [x, *layer.parameters()]
    fused = torch.autograd.grad(loss, given, retain_graph=True)
    assert seen
    assert all(gates is not None for gates in seen)
    for a, b in zip(fused, torch.autograd.grad(loss, given, create_graph=True), strict=True):
        torch.testing.assert_close(a, b)
