"""Histograms, integrals, distances, segments and look-ups: edges, refusals, derivatives at holes of formulas."""

import pytest

import dispatchtorch as torch


def test_histc_takes_the_range_of_the_values():
    assert torch.histc(torch.tensor([1.0, 2.0, 4.0]), 3).tolist() == [1.0, 1.0, 1.0]
    assert torch.histc(torch.ones(3), 5).tolist() == [0.0, 0.0, 3.0, 0.0, 0.0]
    assert torch.histc(torch.tensor([float("nan"), 1.0]), 2, min=0, max=2).tolist() == [0.0, 1.0]


def test_the_last_edge_belongs_to_the_last_bin():
    hist, edges = torch.histogram(torch.tensor([0.0, 1.0, 2.0, 3.0]), torch.tensor([0.0, 1.0, 2.0]))
    assert hist.tolist() == [1.0, 2.0]
    assert edges.tolist() == [0.0, 1.0, 2.0]
    dense = torch.histogram(torch.tensor([0.0, 1.0, 1.0, 4.0]), 2, density=True)
    assert dense.hist.tolist() == pytest.approx([0.375, 0.125])


def test_histogram_refuses():
    with pytest.raises(RuntimeError, match="bins must be > 0, but got 0 for dimension 0"):
        torch.histogram(torch.ones(3), 0)
    with pytest.raises(RuntimeError, match="min should not exceed max, but got min 3 max 1 for dimension 0"):
        torch.histogram(torch.ones(3), 2, range=(3.0, 1.0))


def test_trapezoid():
    y = torch.tensor([[1.0, 2.0, 4.0], [0.0, 1.0, 0.0]])
    assert torch.trapezoid(y).tolist() == [4.5, 1.0]
    assert torch.trapz(y, torch.tensor([0.0, 1.0, 4.0])).tolist() == [10.5, 2.0]
    assert torch.cumulative_trapezoid(y, dx=2.0).tolist() == [[3.0, 9.0], [1.0, 2.0]]
    with pytest.raises(RuntimeError, match="trapezoid: There must be one `x` value for each sample point"):
        torch.trapezoid(y, torch.ones(2))


def test_gradient_is_exact_for_parabolas():
    x = torch.tensor([0.0, 1.0, 3.0, 4.0])
    (uneven,) = torch.gradient(x**2, spacing=(x,), edge_order=2)
    assert uneven.tolist() == pytest.approx([0.0, 2.0, 6.0, 8.0])
    (even,) = torch.gradient(torch.tensor([0.0, 1.0, 4.0, 9.0]), spacing=1.0, edge_order=2)
    assert even.tolist() == pytest.approx([0.0, 2.0, 4.0, 6.0])


def test_cdist_has_a_gradient_of_zero_between_equal_points():
    x = torch.tensor([[1.0, 2.0], [1.0, 2.0], [4.0, 6.0]], requires_grad=True)
    (g,) = torch.autograd.grad(torch.cdist(x, x.detach()).sum(), x)
    assert g.tolist() == [[pytest.approx(-0.6), pytest.approx(-0.8)]] * 2 + [[pytest.approx(1.2), pytest.approx(1.6)]]
    assert torch.pdist(x).tolist() == [0.0, 5.0, 5.0]
    with pytest.raises(RuntimeError, match=r"same number of columns\. X1: 2 X2: 3"):
        torch.cdist(x, torch.ones(2, 3))


def test_many_rows_go_by_a_product():
    x = torch.arange(60.0).reshape(30, 2)
    assert torch.cdist(x, x[:1])[:3, 0].tolist() == pytest.approx([0.0, 8.0**0.5, 32.0**0.5], abs=1e-3)


def test_empty_segments():
    data = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    lengths = torch.tensor([2, 0, 1])
    assert torch.segment_reduce(data, "max", lengths=lengths).tolist() == [2.0, -float("inf"), 3.0]
    assert torch.segment_reduce(data, "mean", lengths=lengths, initial=4.0).tolist() == [3.5, 4.0, 7.0]
    torch.segment_reduce(data, "prod", lengths=lengths).sum().backward()
    assert data.grad.tolist() == [2.0, 1.0, 1.0]


def test_index_reduce_warns_and_writes():
    x = torch.ones(3)
    with pytest.warns(UserWarning, match=r"index_reduce\(\) is in beta"):
        x.index_reduce_(0, torch.tensor([0, 0]), torch.tensor([2.0, 3.0]), "prod")
    assert x.tolist() == [6.0, 1.0, 1.0]


def test_look_ups():
    assert torch.isin(torch.arange(20), torch.arange(0, 60, 3)).nonzero().flatten().tolist() == [0, 3, 6, 9, 12, 15, 18]
    assert torch.isin(2, torch.tensor([1, 2])).item() is True
    rows, columns = torch.unravel_index(torch.tensor([5, 1]), (2, 3))
    assert (rows.tolist(), columns.tolist()) == ([1, 0], [2, 1])
    assert torch.gcd(torch.tensor([-6, 0]), torch.tensor([4, 0])).tolist() == [2, 0]
    assert torch.lcm(torch.tensor([-6, 0]), torch.tensor([4, 7])).tolist() == [12, 0]


def test_cumprod_is_twice_differentiable_at_zeros():
    x = torch.tensor([2.0, 0.0, 3.0, 0.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: torch.cumprod(x, 0), (x,))


def test_put_and_take_along_dim_count_from_the_end():
    assert torch.zeros(3).put(torch.tensor([-1]), torch.tensor([5.0])).tolist() == [0.0, 0.0, 5.0]
    assert torch.take_along_dim(torch.tensor([1, 2, 3]), torch.tensor([-1, 0]), 0).tolist() == [3, 1]


def test_diff_of_order_zero_forgets_what_is_joined():
    assert torch.diff(torch.tensor([1, 2]), n=0, prepend=torch.tensor([0])).tolist() == [1, 2]
