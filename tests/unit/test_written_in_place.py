"""Kernels that write where they go, and short ways of kernels that hold for some values only."""

from __future__ import annotations

import math

import pytest

import dispatchtorch as torch
from dispatchtorch.plugin import hookimpl
from dispatchtorch.plugin.manager import manager


def _sums(count, index, rows):
    out = [[0.0] * len(rows[0]) for _ in range(count)]
    for i, row in zip(index, rows, strict=True):
        out[i] = [a + b for a, b in zip(out[i], row, strict=True)]
    return out


@pytest.mark.parametrize("times", [1, 3, 40], ids=["each once", "a few times", "one very often"])
def test_rows_are_added_however_often_one_is_named(times):
    index = [7] * times + list(range(150)) + [3, 149, 3]
    rows = torch.arange(len(index) * 20.0).reshape(len(index), 20)  # whole numbers: sums are exact
    expected = _sums(150, index, rows.tolist())
    assert torch.zeros(150, 20).index_add_(0, torch.tensor(index), rows).tolist() == expected
    assert torch.zeros(20, 150).index_add_(1, torch.tensor(index), rows.t()).t().tolist() == expected


def test_a_written_tensor_counts_its_versions_and_keeps_its_views():
    x = torch.zeros(2, 3)
    seen = x[1]
    x.scatter_add_(1, torch.tensor([[0, 0, 2], [1, 1, 1]]), torch.ones(2, 3))
    assert seen.tolist() == [0, 3, 0]
    x.index_add_(0, torch.tensor([1]), torch.ones(1, 3))
    assert seen.tolist() == [1, 4, 1]
    assert x._version == 2


def test_a_write_with_history_is_recorded():
    x, source = torch.zeros(3), torch.ones(2, requires_grad=True)
    x.index_add_(0, torch.tensor([0, 2]), source * 2)
    x.sum().backward()
    assert source.grad.tolist() == [2, 2]
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place operation"):
        torch.zeros(2, requires_grad=True).index_add_(0, torch.tensor([0]), torch.ones(1))


def test_a_plugin_that_wraps_kernels_sees_writes():
    class Seeing:
        def __init__(self):
            self.seen = []

        @hookimpl
        def dispatchtorch_wrap_kernel(self, op, kernel):
            def wrapped(*args):
                self.seen.append(op)
                return kernel(*args)

            return wrapped

    seeing = Seeing()
    manager().register(seeing, "seeing")
    try:
        out = torch.zeros(2).scatter_add_(0, torch.tensor([1, 1]), torch.ones(2))
    finally:
        manager().unregister(seeing)
    assert out.tolist() == [0, 2]
    assert "scatter_add" in seeing.seen


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_running_sums_are_not_spoilt_before_what_is_not_finite(bad):
    got = torch.tensor([[1.0, 2.0, bad, 4.0], [1.0, 1.0, 1.0, 1.0]]).cumsum(1)
    assert got[0, :2].tolist() == [1, 3]
    assert got[1].tolist() == [1, 2, 3, 4]
    assert [math.isfinite(v) for v in got[0].tolist()] == [True, True, False, False]


@pytest.mark.parametrize("shift", [-200.0, -3.0, 0.0, 70.0, 1e4])
@pytest.mark.parametrize("rows", [2, 600])
def test_softmax_does_not_depend_on_a_shift(shift, rows):
    x = torch.tensor([[0.0, 1.0, -2.0, 0.5]] * rows)
    assert torch.allclose(torch.softmax(x + shift, 1), torch.softmax(x, 1), atol=2e-4 if shift > 1e3 else 1e-5)
    assert torch.allclose(torch.log_softmax(x + shift, 1), torch.log_softmax(x, 1), atol=1e-3 if shift > 1e3 else 3e-5)


def test_rows_that_need_a_shift_stand_beside_rows_that_do_not():
    x = torch.tensor([[0.0, 1.0], [-1e4, -1e4], [1e4, 0.0], [math.nan, 0.0], [-math.inf, 0.0]])
    got = torch.softmax(x, 1).tolist()
    assert got[1:3] == [[0.5, 0.5], [1.0, 0.0]]
    assert [math.isnan(v) for v in got[3]] == [True, True]
    assert got[4] == [0.0, 1.0]
    assert got[0][1] == pytest.approx(1 / (1 + math.exp(-1)))


def test_a_triangle_drops_what_is_not_finite():
    x = torch.tensor([[1.0, math.nan], [math.inf, 2.0]])
    assert x.tril().tolist() == [[1, 0], [math.inf, 2]]
    assert math.isnan(x.triu()[0, 1].item())
    assert x.triu()[1].tolist() == [0, 2]


def test_rows_are_written_where_a_vector_says_or_not_at_all():
    x = torch.zeros(3, 2)
    x[torch.tensor([2, -2])] = torch.ones(2, 2)
    assert x.tolist() == [[0, 0], [1, 1], [1, 1]]
    with pytest.raises(IndexError, match="index 3 is out of bounds for dimension 0 with size 3"):
        x[torch.tensor([0, 3])] = torch.ones(2, 2)
    assert x[0].tolist() == [0, 0]
