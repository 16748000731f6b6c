"""Convolution, pooling and padding on literal numbers; their derivatives against differences, in float64."""

from collections.abc import Callable

import pytest

import dispatchtorch as torch
from dispatchtorch import nn
from dispatchtorch.autograd.gradcheck import gradcheck, gradgradcheck
from dispatchtorch.nn import functional as F

Tensor = torch.Tensor


def counted(*shape: int) -> Tensor:
    """Returns 0, 1, 2, ... in this shape."""
    size = 1
    for n in shape:
        size *= n
    return torch.arange(float(size)).reshape(shape)


def test_a_correlation_by_hand() -> None:
    out = F.conv1d(counted(1, 1, 5), torch.tensor([[[1.0, 0.0, -1.0]]]), torch.tensor([10.0]))
    assert out.tolist() == [[[8.0, 8.0, 8.0]]]
    assert F.conv1d(counted(1, 5), torch.tensor([[[1.0, 1.0]]]), padding="same").tolist() == [[1.0, 3.0, 5.0, 7.0, 4.0]]


def test_a_transposed_convolution_is_the_adjoint() -> None:
    weight = torch.tensor([[[1.0, 2.0, 3.0]]])
    out = F.conv_transpose1d(torch.tensor([[[1.0, 10.0]]]), weight, stride=2, output_padding=1)
    assert out.tolist() == [[[1.0, 2.0, 13.0, 20.0, 30.0, 0.0]]]


def test_the_node_has_torchs_name() -> None:
    out = F.conv2d(counted(1, 1, 3, 3).requires_grad_(), torch.ones(1, 1, 2, 2))
    assert out.grad_fn.name() == "ConvolutionBackward0"
    assert F.max_pool2d(out, 2).grad_fn.name() == "MaxPool2DWithIndicesBackward0"
    assert F.avg_pool1d(out[0], 2).grad_fn.name() == "SqueezeBackward1"


def test_weights_are_drawn_as_torch_draws_them() -> None:
    torch.manual_seed(0)
    layer = nn.Conv1d(1, 1, 2)
    assert repr(layer) == "Conv1d(1, 1, kernel_size=(2,), stride=(1,))"
    assert [round(v, 4) for v in layer.weight.flatten().tolist()] == [-0.0053, 0.3793]
    assert [round(v, 4) for v in layer.bias.tolist()] == [-0.5820]


def test_padding_modes() -> None:
    row = counted(1, 3)
    assert F.pad(row, (2, 1), "reflect").tolist() == [[2.0, 1.0, 0.0, 1.0, 2.0, 1.0]]
    assert F.pad(row, (2, 1), "replicate").tolist() == [[0.0, 0.0, 0.0, 1.0, 2.0, 2.0]]
    assert F.pad(row, (2, 1), "circular").tolist() == [[1.0, 2.0, 0.0, 1.0, 2.0, 0.0]]
    assert F.pad(row, (-1, 1), value=7.0).tolist() == [[1.0, 2.0, 7.0]]
    assert repr(nn.ReflectionPad2d(1)) == "ReflectionPad2d((1, 1, 1, 1))"


def test_the_largest_and_where_it_lies() -> None:
    out, where = F.max_pool2d(counted(1, 4, 4), 3, 2, 1, return_indices=True)
    assert out.tolist() == [[[5.0, 7.0], [13.0, 15.0]]]
    assert where.tolist() == [[[5, 7], [13, 15]]]
    assert F.max_pool1d(torch.tensor([[1.0, float("nan"), 3.0]]), 3).isnan().all()


def test_means_of_windows() -> None:
    row = counted(1, 5)
    assert F.avg_pool1d(row, 2, 2, 1).tolist() == [[0.0, 1.5, 3.5]]
    assert F.avg_pool1d(row, 2, 2, 0, True).tolist() == [[0.5, 2.5, 4.0]]
    assert F.adaptive_avg_pool1d(row, 3).tolist() == [[0.5, 2.0, 3.5]]
    assert nn.AdaptiveAvgPool2d((1, None))(counted(1, 2, 2)).tolist() == [[[1.0, 2.0]]]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: F.conv2d(torch.ones(1, 3, 8, 8), torch.ones(4, 2, 3, 3)), "to have 2 channels, but got 3 channels"),
        (lambda: F.conv2d(torch.ones(1, 3, 2, 2), torch.ones(4, 3, 3, 3)), "Kernel size can't be greater than actual"),
        (lambda: F.conv1d(torch.ones(3), torch.ones(4, 3, 3)), r"Expected 2D \(unbatched\) or 3D \(batched\) input"),
        (lambda: F.max_pool2d(torch.ones(1, 2, 2), 3), r"Calculated output size: \(1x0x0\). Output size is too small"),
        (lambda: F.pad(torch.ones(1, 3), (3, 0), "reflect"), "Padding size should be less than the corresponding"),
    ],
)
def test_refusals(call: Callable[[], object], text: str) -> None:
    with pytest.raises(RuntimeError, match=text):
        call()


CASES: dict[str, tuple[Callable[..., Tensor], tuple[tuple[int, ...], ...]]] = {
    "conv2d": (lambda x, w, b: F.conv2d(x, w, b, 2, 1), ((1, 2, 5, 4), (2, 2, 3, 3), (2,))),
    "grouped": (lambda x, w: F.conv1d(x, w, dilation=2, groups=2), ((2, 4, 6), (4, 2, 2))),
    "depthwise": (lambda x, w: F.conv2d(x, w, padding=1, groups=2), ((2, 2, 3, 3), (2, 1, 3, 3))),
    "transposed": (
        lambda x, w, b: F.conv_transpose2d(x, w, b, 2, 1, 1, 1), ((1, 2, 2, 3), (2, 1, 3, 3), (1,)),
    ),
    "max_pool2d": (lambda x: F.max_pool2d(x, 3, 2, 1), ((1, 2, 5, 4),)),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 3, 2, 1, True, False), ((1, 2, 5, 4),)),
    "adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(x, (3, 2)), ((1, 2, 5, 4),)),
    "reflect": (lambda x: F.pad(x, (2, 1), "reflect"), ((2, 4),)),
    "circular": (lambda x: F.pad(x, (2, -1), "circular"), ((2, 4),)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_derivatives_are_what_differences_say(name: str) -> None:
    function, shapes = CASES[name]
    torch.manual_seed(0)
    given = [torch.randn(*shape, dtype=torch.float64).requires_grad_() for shape in shapes]
    assert gradcheck(function, given)
    assert gradgradcheck(function, given)


def test_second_derivative_of_a_complex_convolution():
    torch.manual_seed(0)
    x = torch.randn(1, 2, 4, dtype=torch.complex128, requires_grad=True)
    w = torch.randn(2, 2, 2, dtype=torch.complex128, requires_grad=True)
    for function in (torch.nn.functional.conv1d, torch.nn.functional.conv_transpose1d):
        assert torch.autograd.gradgradcheck(function, (x, w))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int32])
def test_windows_that_step_over_the_whole_input_give_the_lowest_number_and_no_gradient(dtype):
    x = torch.tensor([[[[3, 1], [2, 4]]] * 2]).to(dtype)
    out, places = F.max_pool2d(x, 2, 1, 1, 3, return_indices=True)
    lowest = -torch.inf if dtype.is_floating_point else torch.iinfo(dtype).min
    assert out.flatten().tolist() == [lowest] * 2
    assert places.flatten().tolist() == [6, 6]  # torch's places, beyond the input
    if dtype.is_floating_point:
        x.requires_grad_()
        F.max_pool2d(x, 2, 1, 1, 3).sum().backward()
        assert x.grad.count_nonzero() == 0


def test_padding_is_at_most_half_of_the_window_without_its_dilation():
    with pytest.raises(RuntimeError, match="half of kernel size, but got padW = 2, padH = 2, kW = 3, kH = 3"):
        F.max_pool2d(torch.zeros(1, 1, 8, 8), 3, 1, 2, 3)
    with pytest.raises(RuntimeError, match="got padW = 2, padH = 0, kW = 3, kH = 1"):
        F.max_pool1d(torch.zeros(1, 1, 8), 3, 1, 2, 3, return_indices=True)
    with pytest.raises(RuntimeError, match="got kT: 3 kW: 3 kH: 3 padT: 2 padW: 2 padH: 2"):
        F.max_pool3d(torch.zeros(1, 1, 8, 8, 8), 3, 1, 2, 3)
