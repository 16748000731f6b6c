"""Ops by the names that they have below PyTorch's public functions, and derivatives that only zeros show."""

import pytest

import dispatchtorch as torch


def test_aten_names_are_the_public_functions() -> None:
    x = torch.tensor([1.0, 2.0])
    assert torch.ops.aten.add.Tensor(x, x).tolist() == [2.0, 4.0]
    assert torch.ops.aten.slice.Tensor(torch.arange(6), 0, 1, 6, 2).tolist() == [1, 3, 5]
    assert str(torch.ops.aten.mm.default) == "aten.mm.default"
    with pytest.raises(AttributeError, match="'_OpNamespace' 'aten' object has no attribute 'nothing'"):
        torch.ops.aten.nothing  # noqa: B018 - asking is the test


def test_native_norms_tell_their_statistics() -> None:
    x = torch.tensor([[1.0, 3.0], [2.0, 2.0]])
    out, mean, rstd = torch.native_layer_norm(x, [2], None, None, 0.0)
    assert out[0].tolist() == [-1.0, 1.0]
    assert mean.tolist() == [[2.0], [2.0]]
    assert rstd.tolist() == [[1.0], [float("inf")]]
    assert torch.native_batch_norm(x, None, None, x[0], x[0], False, 0.1, 1e-5)[1].shape == (0,)


def test_a_bias_without_a_weight_has_a_gradient() -> None:
    bias = torch.zeros(3, requires_grad=True)
    torch.nn.functional.layer_norm(torch.ones(2, 3), [3], None, bias).sum().backward()
    assert bias.grad.tolist() == [2.0, 2.0, 2.0]


def test_the_second_derivative_of_a_product_sees_past_zeros() -> None:
    x = torch.tensor([0.0, 3.0, 4.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.functional.hessian(torch.prod, x).tolist() == [[0, 4, 3], [4, 0, 0], [3, 0, 0]]


def test_what_is_overwritten_has_a_gradient_of_zero() -> None:
    x = torch.ones(2, requires_grad=True)
    (x * 2).zero_().sum().backward()
    assert x.grad.tolist() == [0.0, 0.0]


def test_hash_tensor_folds_the_bits() -> None:
    assert torch.hash_tensor(torch.tensor([[1, 2], [4, 4]]), 1).tolist() == [3, 0]
    with pytest.raises(RuntimeError, match="Unknown hash_tensor mode: 1"):
        torch.hash_tensor(torch.ones(2), mode=1)


def test_half_precision_with_nan_is_sorted() -> None:
    x = torch.tensor([3.0, float("nan"), 1.0], dtype=torch.bfloat16)
    assert x.sort().indices.tolist() == [2, 0, 1]
    assert x.topk(1).indices.tolist() == [1]
    assert torch.logspace(0, 2, 3, dtype=torch.int64).tolist() == [1, 10, 100]
