"""Elementwise ops: promotion, operators, kinks, refusals, in torch's numbers and words."""

from __future__ import annotations

import math

import pytest

import dispatchtorch as torch


def t(values, **kwargs):
    return torch.tensor(values, **kwargs)


@pytest.mark.parametrize(
    ("result", "dtype"),
    [
        (lambda: t([1]) + 1.5, "float32"),
        (lambda: t([1]) + t(1.5, dtype=torch.float64), "float64"),
        (lambda: t([1.0]) + t(1.5, dtype=torch.float64), "float32"),
        (lambda: t([True]) + 1, "int64"),
        (lambda: t([1]) / 2, "float32"),
        (lambda: t([1]) // 2, "int64"),
        (lambda: t([1], dtype=torch.int8) == 1.5, "bool"),
        (lambda: t([1.0]) * 1j, "complex64"),
        (lambda: t([1 + 1j]).abs(), "float32"),
        (lambda: torch.where(t([True]), 1, 2.5), "float32"),
        (lambda: torch.exp(t([1])), "float32"),
    ],
)
def test_a_result_has_torchs_dtype(result, dtype):
    assert result().dtype is getattr(torch, dtype)


def test_numbers_wrap_in_small_integers():
    small = t([1, 2], dtype=torch.uint8)
    assert (small - 2).tolist() == [255, 0]
    assert (small + 300).tolist() == [45, 46]
    assert (small == 257).tolist() == [True, False]


def test_division_and_remainders_follow_their_signs():
    a, b = t([-7, 7, -7, 7]), t([3, -3, -3, 3])
    assert (a // b).tolist() == [-3, -3, 2, 2]
    assert (a % b).tolist() == [2, -2, -1, 1]
    assert torch.fmod(a, b).tolist() == [-1, 1, -1, 1]
    assert torch.div(a, b, rounding_mode="trunc").tolist() == [-2, -2, 2, 2]


def test_operators_with_a_number_on_the_left():
    x = t([1.0, 2.0])
    assert (3 - x).tolist() == [2.0, 1.0]
    assert (3 / x).tolist() == [3.0, 1.5]
    assert (3**x).tolist() == [3.0, 9.0]
    assert (3 // x).tolist() == [3.0, 1.0]
    assert (3 % x).tolist() == [0.0, 1.0]
    assert (1 << t([1, 2])).tolist() == [2, 4]


def test_comparison_with_what_is_no_number():
    x = t([1.0])
    assert (x == "a") is False
    assert (x != None) is True  # noqa: E711 - the operator is what is tested
    with pytest.raises(TypeError, match=r"unsupported operand type\(s\) for \+: 'Tensor' and 'str'"):
        x + "a"


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: t([True]) - t([True]), RuntimeError, "Subtraction, the `-` operator, with two bool tensors"),
        (lambda: 1 - t([True]), RuntimeError, "Subtraction, the `-` operator, with a bool tensor"),
        (lambda: -t([True]), RuntimeError, "Negation, the `-` operator, on a bool tensor"),
        (lambda: t([1]) // 0, RuntimeError, "ZeroDivisionError"),
        (lambda: t([1]) % t([0]), RuntimeError, "ZeroDivisionError"),
        (lambda: t([2]) ** -1, RuntimeError, "Integers to negative integer powers are not allowed."),
        (lambda: t([1.0]) & t([1.0]), NotImplementedError, "\"bitwise_and_cpu\" not implemented for 'Float'"),
        (lambda: ~t([1.0]), TypeError, "only implemented on integer and Boolean-type tensors"),
        (lambda: torch.maximum(t([1.0]), 2), TypeError, r"argument 'other' \(position 2\) must be Tensor, not int"),
        (lambda: torch.clamp(t([1.0])), RuntimeError, "At least one of 'min' or 'max' must not be None"),
        (lambda: t([1]).add_(1.5), RuntimeError, "result type Float can't be cast to the desired output type Long"),
        (
            lambda: t([1.0, 2.0]) + t([1.0, 2.0, 3.0]),
            RuntimeError,
            r"tensor a \(2\) must match the size of tensor b \(3\)",
        ),
    ],
)
def test_refusals_in_torchs_words(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize(
    ("call", "at", "slope"),
    [
        (torch.abs, [0.0, -2.0], [0.0, -1.0]),
        (torch.relu, [0.0, 2.0], [0.0, 1.0]),
        (lambda x: torch.clamp(x, 0, 1), [0.0, 1.0, 2.0], [1.0, 1.0, 0.0]),
        (lambda x: torch.maximum(x, t([1.0, 0.0])), [1.0, 5.0], [0.5, 1.0]),
        (lambda x: x**0, [0.0, 3.0], [0.0, 0.0]),
        (lambda x: x**2, [0.0, 3.0], [0.0, 6.0]),
        (torch.sign, [0.0, 3.0], [0.0, 0.0]),
        (lambda x: torch.where(x > 0, x * 2, 0.0), [-1.0, 1.0], [0.0, 2.0]),
        (lambda x: x.masked_fill(x < 0, 7.0), [-1.0, 1.0], [0.0, 1.0]),
    ],
)
def test_slopes_at_the_kinks(call, at, slope):
    x = t(at, requires_grad=True)
    call(x).sum().backward()
    assert x.grad.tolist() == slope


def test_second_derivatives():
    x = t([0.5, -1.0], dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(torch.tanh(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    expected = [-2 * math.tanh(v) * (1 - math.tanh(v) ** 2) for v in (0.5, -1.0)]
    assert second.tolist() == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize(
    ("function", "reference", "points"),
    [
        (torch.erf, math.erf, [-3.0, -0.3, 0.0, 0.9, 1.1, 5.0]),
        (torch.erfc, math.erfc, [-3.0, 0.3, 0.8, 5.0, 20.0]),
        (torch.lgamma, math.lgamma, [0.1, 1.0, 1.5, 2.0, 2.5, 9.0, 50.0, -0.5]),
    ],
)
def test_special_functions_to_the_last_digits(function, reference, points):
    for dtype, tolerance in ((torch.float64, 5e-15), (torch.float32, 4e-7)):
        got = function(t(points, dtype=dtype)).tolist()
        assert got == pytest.approx([reference(p) for p in points], rel=tolerance, abs=1e-38)


def test_erfinv_and_digamma_at_known_points():
    assert torch.erfinv(t([0.5], dtype=torch.float64)).item() == pytest.approx(0.4769362762044699, rel=1e-14)
    assert torch.digamma(t([1.0], dtype=torch.float64)).item() == pytest.approx(-0.5772156649015329, rel=1e-14)
    assert torch.polygamma(1, t([1.0], dtype=torch.float64)).item() == pytest.approx(math.pi**2 / 6, rel=1e-14)


def test_large_masks_select_as_small_ones_do():
    x = torch.arange(10000, dtype=torch.float32).reshape(100, 100)
    mask = x % 3 == 0
    picked = torch.where(mask, x, -1.0)
    assert picked[0, :4].tolist() == [0.0, -1.0, -1.0, 3.0]
    assert x.masked_fill(mask[0], math.inf)[1, :3].tolist() == [math.inf, 101.0, 102.0]
