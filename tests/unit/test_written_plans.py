"""What written plans must not forget: refusals after a success, views whose history moves on, several results."""

from __future__ import annotations

import traceback

import pytest

import dispatchtorch as torch
from dispatchtorch.dispatch.op import TABLE
from dispatchtorch.dispatch.tailored import make_tailored_entry


def test_a_plan_that_exists_refuses_what_the_first_call_would_have_refused():
    x = torch.ones(3, 4)
    assert torch.lerp(x, x, 0.5).shape == (3, 4)
    with pytest.raises(RuntimeError, match="must match the size"):
        torch.lerp(x, torch.ones(3, 3), 0.5)
    assert torch.gather(x, 1, torch.tensor([[0]])).shape == (1, 1)
    with pytest.raises(RuntimeError):
        torch.gather(x, 1, torch.tensor([[9]]))


def test_a_view_whose_base_is_written_with_history_gets_a_gradient_through_a_known_plan():
    def total(requires: bool) -> torch.Tensor:
        base = torch.zeros(4)
        view = base[1:3]
        if requires:
            base.mul_(torch.full((4,), 3.0, requires_grad=True))
        return view.cumsum(0)

    assert not total(False).requires_grad
    assert not total(False).requires_grad
    assert total(True).requires_grad


def test_an_op_of_several_results_keeps_their_history_apart():
    x = torch.tensor([[1.0, 3.0], [2.0, 0.0]], requires_grad=True)
    for _ in range(2):
        x.grad = None
        values, places = x.max(1)
        assert not places.requires_grad
        values.sum().backward()
        assert x.grad is not None
        assert x.grad.tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_lists_of_tensors_of_different_keys_have_plans_of_their_own():
    plain, leaf = torch.ones(2), torch.ones(2, requires_grad=True)
    for parts in ([plain, plain], [plain, leaf], [leaf, plain, leaf], [plain, plain]):
        for _ in range(2):
            joined = torch.cat(parts)
            assert joined.requires_grad == any(p.requires_grad for p in parts)
            assert joined.shape == (2 * len(parts),)


def test_a_written_line_is_shown_in_a_traceback():
    torch.ones(3).cumsum(0)
    plan = next(iter(TABLE["_cumsum"].plans.values()))
    with pytest.raises(AttributeError) as caught:
        plan(None, 0, None)
    assert "a0" in "".join(traceback.format_exception(caught.value))  # how source names an op's first argument


def test_an_entry_that_is_first_called_under_autocast_casts_then_and_afterwards():
    op = TABLE["_linear"]
    kept, op.entry.__code__ = op.entry.__code__, make_tailored_entry(op).__code__  # as before its first call
    try:
        op.written_entry = None
        layer, x = torch.nn.Linear(3, 2), torch.ones(1, 3)
        for _ in range(2):
            with torch.autocast("cpu", torch.bfloat16):
                assert layer(x).dtype is torch.bfloat16
                assert layer(x).dtype is torch.bfloat16
            assert layer(x).dtype is torch.float32
    finally:
        op.entry.__code__ = kept
