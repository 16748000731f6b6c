"""`torch.testing` and gradcheck: torch's sentences and torch's numbers."""

import pytest

import dispatchtorch as torch
from dispatchtorch.autograd import gradcheck, gradgradcheck
from dispatchtorch.testing import assert_close, make_tensor


def said(action):
    with pytest.raises((AssertionError, TypeError, ValueError, RuntimeError)) as caught:
        action()
    return str(caught.value)


def test_assert_close_tells_how_many_where_and_how_far():
    a, b = torch.tensor([[1.0, 2, 3], [1, 5, 3]]), torch.tensor([[1.0, 2, 4], [1, 2, 3]])
    assert said(lambda: assert_close(a, b)) == (
        "Tensor-likes are not close!\n\nMismatched elements: 2 / 6 (33.3%)\n"
        "Greatest absolute difference: 3.0 at index (1, 1) (up to 1e-05 allowed)\n"
        "Greatest relative difference: 1.5 at index (1, 1) (up to 1.3e-06 allowed)"
    )


def test_assert_close_of_scalars_and_places():
    assert said(lambda: assert_close({"a": [torch.tensor(1.0)]}, {"a": [torch.tensor(2.0)]})) == (
        "Scalars are not close!\n\nExpected 2.0 but got 1.0.\nAbsolute difference: 1.0 (up to 1e-05 allowed)\n"
        "Relative difference: 0.5 (up to 1.3e-06 allowed)\n\nThe failure occurred for item ['a'][0]"
    )


def test_assert_close_compares_attributes_and_kinds():
    long, real = torch.tensor([1, 2]), torch.tensor([1.0, 2.0])
    sentence = "The values for attribute 'dtype' do not match: torch.int64 != torch.float32."
    assert said(lambda: assert_close(long, real)) == sentence
    assert_close(long, real, check_dtype=False)
    assert said(lambda: assert_close(real, real, rtol=1.0)).endswith("but got no atol.")
    assert "No comparison pair was able to handle inputs" in said(lambda: assert_close(real, "x"))
    assert said(lambda: assert_close(long, real, msg="mine")) == "mine"


def test_make_tensor_draws_torchs_numbers():
    torch.manual_seed(0)
    expected = torch.tensor([-0.0674, 4.8280, -7.4074, -6.6235, -3.4664])
    assert_close(make_tensor(5, dtype=torch.float32, device="cpu"), expected, rtol=0, atol=5e-5)
    torch.manual_seed(0)
    assert make_tensor(5, dtype=torch.int64, device="cpu").tolist() == [6, -5, -9, -9, 2]
    assert make_tensor(2, 3, dtype=torch.float32, device="cpu", noncontiguous=True).stride() == (6, 2)


class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * x

    @staticmethod
    def backward(ctx, g):
        return g * 3


def test_gradcheck_shows_both_jacobians():
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    assert said(lambda: gradcheck(Wrong.apply, (x,))) == (
        "Jacobian mismatch for output 0 with respect to input 0,\n"
        "numerical:tensor([[2.0000, 0.0000],\n        [0.0000, 4.0000]], dtype=torch.float64)\n"
        "analytical:tensor([[3., 0.],\n        [0., 3.]], dtype=torch.float64)\n"
    )
    assert x.tolist() == [1.0, 2.0]
    assert gradcheck(Wrong.apply, (x,), raise_exception=False) is False


def test_gradcheck_of_complex_inputs_and_second_derivatives():
    z = torch.tensor([1 + 1j, 2.0], dtype=torch.complex128, requires_grad=True)
    assert gradcheck(torch.sin, (z,))
    assert gradgradcheck(torch.exp, (z,))
    assert said(lambda: gradcheck(Wrong.apply, (z,))).startswith(
        "While considering the imaginary part of complex outputs only, Jacobian mismatch"
    )
    assert said(lambda: gradcheck(torch.sin, (z.detach(),))).startswith("gradcheck expects at least one input tensor")
