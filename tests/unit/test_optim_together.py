"""One kernel call for all parameters: the same numbers as parameter by parameter, and the same parameters written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dispatchtorch as torch
from dispatchtorch.optim import gradient_step

SHAPES = ((3,), (150, 120), (), (5, 4), (0,))
CASES = [
    (torch.optim.SGD, {"lr": 0.1}),
    (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "maximize": True}),
    (torch.optim.Adam, {"weight_decay": 0.1, "maximize": True}),
    (torch.optim.Adam, {"amsgrad": True, "betas": (0.8, 0.9)}),
    (torch.optim.AdamW, {"lr": torch.tensor(0.1)}),
]


def _trained(make: Callable[..., Any], options: dict[str, Any], dtype: Any) -> list[Any]:
    torch.manual_seed(0)
    params = [torch.nn.Parameter(torch.randn(shape, dtype=dtype)) for shape in SHAPES]
    optimizer = make(params, **options)
    for turn in range(3):
        for p in params:
            p.grad = torch.randn(tuple(p.shape), dtype=dtype)
        if turn == 1:
            params[0].grad = None
            params[3].grad = torch.randn(4, 5, dtype=dtype).t()  # not in row-major order
        optimizer.step()
    kept = [v for p in params for v in optimizer.state[p].values() if isinstance(v, torch.Tensor)]
    return [t.detach().numpy().copy() for t in (*params, *kept)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("make", "options"), CASES)
def test_the_numbers_are_those_of_parameter_by_parameter(
    make: Any, options: Any, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = _trained(make, options, dtype)
    monkeypatch.setattr(gradient_step, "kernel_for_all", lambda *_: None)
    apart = _trained(make, options, dtype)
    assert len(together) == len(apart)
    for a, b in zip(together, apart, strict=True):
        np.testing.assert_array_equal(a, b)


def test_views_see_the_step_and_saved_values_are_guarded() -> None:
    w = torch.ones(4, 3, requires_grad=True)
    row, saved = w.detach()[1], (w * w).sum()
    w.grad = torch.ones(4, 3)
    torch.optim.SGD([w], lr=0.5).step()
    assert row.tolist() == [0.5, 0.5, 0.5]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        saved.backward()
