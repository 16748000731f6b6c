"""Reductions, scans, order and softmax: values, dtypes, gradients and sentences that are torch's."""

from __future__ import annotations

import math
import warnings

import pytest

import dispatchtorch as torch


def grads(t):
    return t.grad.tolist()


def test_sum_keeps_floats_and_widens_integers():
    assert torch.tensor([[1.0, 2.0], [3.0, 4.0]]).sum().item() == 10.0
    assert torch.tensor([True, True]).sum().dtype is torch.int64
    assert torch.ones(2, 3, dtype=torch.int8).sum(0).dtype is torch.int64
    assert torch.ones(2, 3).sum((0, 1), keepdim=True).shape == (1, 1)
    assert torch.ones(2, 3).sum(axis=0).tolist() == [2.0, 2.0, 2.0]
    assert torch.ones(3, dtype=torch.float16).sum().dtype is torch.float16


def test_half_precision_sums_accumulate_in_float32():
    assert torch.ones(4096, dtype=torch.float16).sum().item() == 4096.0


def test_long_sums_are_as_accurate_as_pairwise_ones():
    n = 3 * 4096 + 5
    assert torch.full((n,), 0.1).sum().item() == pytest.approx(0.1 * n, rel=1e-6)
    assert torch.full((2, n), 0.1).sum(1).tolist() == pytest.approx([0.1 * n] * 2, rel=1e-6)
    assert torch.full((2, 8192), 0.1).mean(-1).tolist() == pytest.approx([0.1, 0.1], rel=1e-6)


def test_dims_are_checked():
    t = torch.ones(2, 3)
    with pytest.raises(IndexError, match=r"Dimension out of range \(expected to be in range of \[-2, 1\], but got 5\)"):
        t.sum(5)
    with pytest.raises(RuntimeError, match="dim 0 appears multiple times in the list of dims"):
        t.sum((0, 0))


def test_mean_of_integers_is_refused():
    with pytest.raises(RuntimeError, match=r"could not infer output dtype. Input dtype must be either .* Got: Long"):
        torch.arange(3).mean()
    assert torch.arange(3).mean(dtype=torch.float32).item() == 1.0


def test_prod_has_a_gradient_where_one_factor_is_zero():
    t = torch.tensor([2.0, 0.0, 3.0], requires_grad=True)
    t.prod().backward()
    assert grads(t) == [0.0, 6.0, 0.0]


def test_max_over_everything_shares_its_gradient_among_ties():
    t = torch.tensor([1.0, 2.0, 2.0], requires_grad=True)
    t.max().backward()
    assert grads(t) == [0.0, 0.5, 0.5]


def test_max_along_a_dim_names_values_and_indices():
    t = torch.tensor([[1.0, 5.0, 5.0], [3.0, 2.0, 1.0]], requires_grad=True)
    got = t.max(1)
    assert got.values.tolist() == [5.0, 3.0]
    assert got.indices.tolist() == [1, 0]
    got.values.sum().backward()
    assert grads(t) == [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    text = "torch.return_types.max(\nvalues=tensor([2]),\nindices=tensor([1]))"
    assert repr(torch.tensor([[1, 2]]).max(1)) == text
    assert torch.max(torch.tensor([1, 4]), torch.tensor([3, 2])).tolist() == [3, 4]


def test_extremes_of_nothing_are_refused():
    sentence = r"max\(\): Expected reduction dim to be specified for input.numel\(\) == 0. Specify the reduction dim"
    with pytest.raises(RuntimeError, match=sentence):
        torch.empty(0).max()
    with pytest.raises(IndexError, match=r"amax\(\): Expected reduction dim 0 to have non-zero size."):
        torch.empty(0, 3).amax(0)
    with pytest.raises(
        IndexError, match=r"argmax\(\): Expected reduction dim to be specified for input.numel\(\) == 0"
    ):
        torch.empty(0).argmax()


def test_nan_is_the_maximum_and_the_largest_in_order():
    t = torch.tensor([1.0, math.nan, 3.0])
    assert t.max(0).indices.item() == 1
    assert t.argmax().item() == 1
    assert t.sort().indices.tolist() == [0, 2, 1]
    assert t.nanmedian().item() == 1.0


def test_var_and_std():
    t = torch.tensor([[1.0, 2.0, 3.0, 6.0]], requires_grad=True)
    assert t.var().item() == pytest.approx(14 / 3)
    assert t.std(1, unbiased=False).tolist() == pytest.approx([math.sqrt(3.5)])
    t.var(dim=1, correction=0).backward()
    assert grads(t) == [[-1.0, -0.5, 0.0, 1.5]]


def test_too_few_elements_for_a_variance_are_warned_of():
    with pytest.warns(UserWarning, match=r"var\(\): degrees of freedom is <= 0. Correction should be strictly less"):
        assert math.isnan(torch.ones(1).var().item())


@pytest.mark.parametrize(
    ("p", "norm"), [(2, 5.0), (1, 7.0), (math.inf, 4.0), (-math.inf, 0.0), (0, 2.0), (3, 91 ** (1 / 3))]
)
def test_norms(p, norm):
    assert torch.norm(torch.tensor([3.0, 0.0, -4.0]), p).item() == pytest.approx(norm)


def test_the_norm_of_zero_has_gradient_zero():
    t = torch.zeros(3, requires_grad=True)
    t.norm().backward()
    assert grads(t) == [0.0, 0.0, 0.0]


def test_logsumexp_does_not_overflow():
    assert torch.tensor([1000.0, 1000.0]).logsumexp(0).item() == pytest.approx(1000 + math.log(2))
    assert torch.tensor([-math.inf, -math.inf]).logsumexp(0).item() == -math.inf


def test_all_and_any():
    t = torch.tensor([[True, False], [True, True]])
    assert t.all().item() is False
    assert t.all(1).tolist() == [False, True]
    assert t.any((0, 1)).item() is True
    assert torch.arange(3, dtype=torch.uint8).all().dtype is torch.uint8
    assert torch.empty(0, dtype=torch.bool).all().item() is True


def test_running_results():
    t = torch.tensor([1.0, 3.0, 3.0, 2.0])
    assert t.cumsum(0).tolist() == [1.0, 4.0, 7.0, 9.0]
    assert t.cumprod(0).tolist() == [1.0, 3.0, 9.0, 18.0]
    assert t.cummax(0).indices.tolist() == [0, 1, 2, 2]
    assert t.diff().tolist() == [2.0, 0.0, -1.0]


def test_cumprod_has_a_gradient_at_zeros():
    t = torch.tensor([2.0, 0.0, 3.0, 0.0], requires_grad=True)
    t.cumprod(0).sum().backward()
    assert grads(t) == [1.0, 8.0, 0.0, 0.0]


def test_order():
    t = torch.tensor([3.0, 1.0, 2.0], requires_grad=True)
    values, indices = t.sort(descending=True)
    assert values.tolist() == [3.0, 2.0, 1.0]
    assert indices.tolist() == [0, 2, 1]
    (values * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert grads(t) == [1.0, 3.0, 2.0]
    assert torch.sort(torch.tensor([1, 0, 1, 0]), stable=True, descending=True).indices.tolist() == [0, 2, 1, 3]
    assert t.topk(2).indices.tolist() == [0, 2]
    assert t.kthvalue(2).values.item() == 2.0
    with pytest.raises(RuntimeError, match="selected index k out of range"):
        t.topk(4)


def test_topk_of_many_selects_before_it_sorts():
    t = torch.arange(100).flip(0)
    assert t.topk(3).values.tolist() == [99, 98, 97]
    assert t.topk(2, largest=False).indices.tolist() == [99, 98]


def test_middle_and_quantile():
    assert torch.tensor([4.0, 1.0, 3.0, 2.0]).median().item() == 2.0
    assert torch.tensor([1, 2, 2, 1, 3]).mode() == (torch.tensor(1), torch.tensor(3))
    assert torch.arange(4.0).quantile(torch.tensor([0.25, 0.5])).tolist() == [0.75, 1.5]


def test_distinct_elements():
    values, inverse, counts = torch.tensor([3, 1, 3]).unique(return_inverse=True, return_counts=True)
    assert (values.tolist(), inverse.tolist(), counts.tolist()) == ([1, 3], [1, 0, 1], [1, 2])
    assert torch.unique_consecutive(torch.tensor([1, 1, 2, 1])).tolist() == [1, 2, 1]
    assert torch.searchsorted(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.5, 2.0, 9.0])).tolist() == [0, 1, 3]


def test_softmax_adds_up_and_its_gradient_does_not_care_about_shifts():
    t = torch.tensor([[1.0, 2.0, 1000.0]], requires_grad=True)
    out = t.softmax(-1)
    assert out.sum().item() == 1.0
    assert out.grad_fn.name() == "SoftmaxBackward0"
    out.sum().backward()
    assert grads(t) == [[0.0, 0.0, 0.0]]
    assert torch.zeros(2).log_softmax(0).tolist() == pytest.approx([-math.log(2)] * 2)
    with pytest.raises(NotImplementedError, match="\"softmax_lastdim_kernel_impl\" not implemented for 'Long'"):
        torch.arange(3).softmax(0)


def test_nothing_warns_of_overflow():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.tensor([math.inf, -math.inf]).sum().isnan().item()
        assert torch.tensor([3e38, 3e38]).sum().item() == math.inf


def test_where_warnings_are_errors_softmax_of_large_numbers_is_no_error_even_the_first_time():
    x = torch.randn(50, 40, dtype=torch.float64) * 1000
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            assert torch.softmax(x, 1).sum(1).allclose(torch.ones(50, dtype=torch.float64))
