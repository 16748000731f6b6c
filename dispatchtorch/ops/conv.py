"""Convolution in one to three dimensions. Two bilinear primitives close the family under differentiation.

``_convolution`` (plain or transposed) and ``_convolution_weight``, the gradient of its weight: each derivative is one
of the two again. Must not know how a backend computes them, nor modules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dispatchtorch.dispatch.table import composite, primitive
from dispatchtorch.ops.conv_checks import check_convolution, expand
from dispatchtorch.ops.matmul import conj
from dispatchtorch.ops.pad import constant_pad_nd
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "convolution",
]  # fmt: skip

Ints = tuple[int, ...]
IntOrInts = int | Sequence[int]


# --- the closed set ---------------------------------------------------------------------------------------------------


def _crop(t: Tensor, sizes: Ints) -> Tensor:
    """Returns the leading part of the spatial dimensions; the tensor itself where it has these sizes."""
    for dim, size in enumerate(sizes, 2):
        if t._a.shape[dim] != size:
            t = t.narrow(dim, 0, size)
    return t


def _spread(g: Tensor, weight: Tensor, stride: Ints, padding: Ints, dilation: Ints, groups: int, sizes: Ints) -> Tensor:
    """Returns the transposed convolution whose result has these spatial sizes."""
    kernel = weight._a.shape[2:]
    extra = tuple(
        [
            size - ((n - 1) * s - 2 * p + d * (k - 1) + 1)
            for size, n, s, p, d, k in zip(sizes, g._a.shape[2:], stride, padding, dilation, kernel, strict=True)
        ]
    )
    return _convolution(g, weight, stride, padding, dilation, True, extra, groups)


def _gather(x: Tensor, weight: Tensor, stride: Ints, padding: Ints, dilation: Ints, groups: int, sizes: Ints) -> Tensor:
    """Returns the plain convolution, cut to these spatial sizes."""
    none = (0,) * len(stride)
    return _crop(_convolution(x, weight, stride, padding, dilation, False, none, groups), sizes)


def _input_gradient(
    g: Tensor,
    weight: Tensor,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    transposed: bool,
    groups: int,
    input_shape: Ints,
) -> Tensor:
    back = _gather if transposed else _spread
    return back(g, conj(weight), stride, padding, dilation, groups, input_shape[2:])


def _weight_gradient(
    g: Tensor,
    input: Tensor,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    transposed: bool,
    groups: int,
    weight_shape: Ints,
) -> Tensor:
    first, second = (g, conj(input)) if transposed else (conj(input), g)
    return _convolution_weight(first, second, weight_shape[2:], stride, padding, dilation, groups)


def _samples(make: Maker) -> Iterator[Sample]:
    two, one, none = (2, 2), (1, 1), (0, 0)
    yield Sample((make(2, 3, 6, 5), make(4, 3, 3, 2), one, none, one, False, none, 1, make(4)))
    yield Sample((make(2, 3, 7, 6), make(4, 3, 3, 3), two, one, one, False, none, 1))
    yield Sample((make(1, 4, 7, 7), make(6, 2, 2, 3), (2, 1), (0, 2), (2, 1), False, none, 2, make(6)))
    yield Sample((make(2, 3, 6, 6), make(3, 1, 3, 3), one, one, one, False, none, 3, make(3)))
    yield Sample((make(2, 2, 8), make(3, 2, 3), (2,), (1,), (1,), False, (0,), 1, make(3)))
    yield Sample(
        (make(1, 2, 4, 5, 4), make(2, 2, 2, 3, 2), (1, 2, 1), (1, 0, 0), (1,) * 3, False, (0,) * 3, 1, make(2))
    )
    yield Sample((make(2, 4, 3, 4), make(4, 3, 3, 2), two, one, one, True, (1, 0), 1, make(3)))
    yield Sample((make(1, 4, 3, 3), make(4, 2, 2, 2), one, none, two, True, one, 2))
    yield Sample((make(2, 2, 4), make(2, 3, 3), (3,), (0,), (1,), True, (2,), 1, make(3)))


@primitive(
    grad={
        "input": _input_gradient,
        "weight": _weight_gradient,
        "bias": lambda g: g.sum((0, *range(2, g.ndim))),
    },
    node="ConvolutionBackward0",
    samples=_samples,
)
def _convolution(
    input: Tensor,
    weight: Tensor,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    transposed: bool,
    output_padding: Ints,
    groups: int,
    bias: Tensor | None = None,
) -> Tensor:
    """Returns the correlation of input and weight, or with ``transposed`` its adjoint, plus bias."""
    ...


def _weight_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(2, 3, 6, 5), make(2, 4, 4, 4), (3, 2), (1, 1), (0, 0), (1, 1), 1))
    yield Sample((make(1, 4, 7), make(1, 6, 3), (3,), (2,), (1,), (2,), 2))


@primitive(
    grad={
        "input": lambda g, cotangent, stride, padding, dilation, groups, input_shape: _spread(
            conj(cotangent), g, stride, padding, dilation, groups, input_shape[2:]
        ),
        "cotangent": lambda g, input, stride, padding, dilation, groups, cotangent_shape: _gather(
            conj(input), g, stride, padding, dilation, groups, cotangent_shape[2:]
        ),
    },
    node="ConvolutionBackwardBackward0",
    samples=_weight_samples,
)
def _convolution_weight(
    input: Tensor, cotangent: Tensor, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> Tensor:
    """Returns the gradient of a plain convolution's weight, given the input and the result's cotangent."""
    ...


# --- the public functions ---------------------------------------------------------------------------------------------


def _whole_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(2, 3, 6), make(4, 3, 3), make(4), [2], [1], [1], False, [0], 1))
    yield Sample((make(1, 4, 3, 3), make(4, 1, 2, 2), None, [2, 2], [0, 0], [1, 1], True, [1, 0], 2))


@composite(samples=_whole_samples)
def convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Tensor:
    """Returns the convolution of a batch with everything spelt out; the other functions end here."""
    n = len(weight._a.shape) - 2
    if n < 1:
        raise RuntimeError("weight should have at least three dimensions")
    if len(input._a.shape) != n + 2:
        raise RuntimeError(
            f"Expected {n + 2}-dimensional input for {n + 2}-dimensional weight{list(weight._a.shape)}, but got "
            f"{len(input._a.shape)}-dimensional input of size {list(input._a.shape)} instead"
        )
    steps, pads = expand(stride, n, "stride"), expand(padding, n, "padding")
    gaps, extra = expand(dilation, n, "dilation"), expand(output_padding, n, "output_padding")
    check_convolution(input, weight, bias, steps, pads, gaps, transposed, extra, groups)
    return _convolution(input, weight, steps, pads, gaps, transposed, extra, groups, bias)


def _batched(input: Tensor, n: int, name: str) -> tuple[Tensor, bool]:
    """Returns the input with a batch dimension, and whether it was added."""
    ndim = len(input._a.shape)
    if ndim not in (n + 1, n + 2):
        raise RuntimeError(
            f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {name}, but got input of size: "
            f"{list(input._a.shape)}"
        )
    return (input.unsqueeze(0), True) if ndim == n + 1 else (input, False)


def _same(input: Tensor, weight: Tensor, stride: Ints, dilation: Ints) -> tuple[Tensor, Ints]:
    """Returns the input, padded on the far side where the padding is odd, and the padding on both sides."""
    if any(s != 1 for s in stride):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    totals = [d * (k - 1) for d, k in zip(dilation, weight._a.shape[2:], strict=False)]
    if any(t % 2 for t in totals):
        input = constant_pad_nd(input, [side for t in reversed(totals) for side in (0, t % 2)], 0)
    return input, tuple([t // 2 for t in totals])


def _plain(
    n: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: IntOrInts,
    padding: IntOrInts | str,
    dilation: IntOrInts,
    groups: int,
) -> Tensor:
    x, added = _batched(input, n, f"conv{n}d")
    steps, gaps = _listed(stride, n), _listed(dilation, n)
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise RuntimeError(f"Invalid padding string: '{padding}'")
        x, pads = _same(x, weight, steps, gaps) if padding == "same" else (x, (0,) * n)
    else:
        pads = _listed(padding, n)
    out = convolution(x, weight, bias, steps, pads, gaps, False, (0,) * n, groups)
    return out.squeeze(0) if added else out


def _listed(value: IntOrInts, n: int) -> Ints:
    return (value,) * n if isinstance(value, int) else tuple(value)


def _adjoint(
    n: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: IntOrInts,
    padding: IntOrInts,
    output_padding: IntOrInts,
    groups: int,
    dilation: IntOrInts,
) -> Tensor:
    x, added = _batched(input, n, f"conv_transpose{n}d")
    steps, pads, gaps, extra = [_listed(v, n) for v in (stride, padding, dilation, output_padding)]
    out = convolution(x, weight, bias, steps, pads, gaps, True, extra, groups)
    return out.squeeze(0) if added else out


def _plain_samples(n: int) -> Any:
    def sampler(make: Maker) -> Iterator[Sample]:
        side = (5, 4, 3)[:n]
        yield Sample((make(2, 2, *side), make(3, 2, *(3,) * n), make(3)), {"padding": 1})
        yield Sample((make(2, *side), make(2, 2, *(2,) * n)), {"stride": 2})
        yield Sample((make(1, 4, *side), make(2, 2, *(2,) * n)), {"padding": "same", "groups": 2})

    return sampler


def _adjoint_samples(n: int) -> Any:
    def sampler(make: Maker) -> Iterator[Sample]:
        side = (3, 2, 2)[:n]
        yield Sample((make(1, 2, *side), make(2, 2, *(2,) * n), make(2)), {"stride": 2, "output_padding": 1})
        yield Sample((make(4, *side), make(4, 1, *(2,) * n), None), {"padding": 1, "groups": 2, "dilation": 2})

    return sampler


@composite(samples=_plain_samples(1))
def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: IntOrInts = 1,
    padding: IntOrInts | str = 0,
    dilation: IntOrInts = 1,
    groups: int = 1,
) -> Tensor:
    """Returns the correlation of (N, C, L) with (O, C / groups, K)."""
    return _plain(1, input, weight, bias, stride, padding, dilation, groups)


@composite(samples=_plain_samples(2))
def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: IntOrInts = 1,
    padding: IntOrInts | str = 0,
    dilation: IntOrInts = 1,
    groups: int = 1,
) -> Tensor:
    """Returns the correlation of (N, C, H, W) with (O, C / groups, K, K)."""
    return _plain(2, input, weight, bias, stride, padding, dilation, groups)


@composite(samples=_plain_samples(3))
def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: IntOrInts = 1,
    padding: IntOrInts | str = 0,
    dilation: IntOrInts = 1,
    groups: int = 1,
) -> Tensor:
    """Returns the correlation of (N, C, D, H, W) with (O, C / groups, K, K, K)."""
    return _plain(3, input, weight, bias, stride, padding, dilation, groups)


@composite(samples=_adjoint_samples(1))
def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: IntOrInts = 1,
    padding: IntOrInts = 0,
    output_padding: IntOrInts = 0,
    groups: int = 1,
    dilation: IntOrInts = 1,
) -> Tensor:
    """Returns the adjoint of `conv1d`: (N, C, L) with (C, O / groups, K)."""
    return _adjoint(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


@composite(samples=_adjoint_samples(2))
def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: IntOrInts = 1,
    padding: IntOrInts = 0,
    output_padding: IntOrInts = 0,
    groups: int = 1,
    dilation: IntOrInts = 1,
) -> Tensor:
    """Returns the adjoint of `conv2d`: (N, C, H, W) with (C, O / groups, K, K)."""
    return _adjoint(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


@composite(samples=_adjoint_samples(3))
def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: IntOrInts = 1,
    padding: IntOrInts = 0,
    output_padding: IntOrInts = 0,
    groups: int = 1,
    dilation: IntOrInts = 1,
) -> Tensor:
    """Returns the adjoint of `conv3d`: (N, C, D, H, W) with (C, O / groups, K, K, K)."""
    return _adjoint(3, input, weight, bias, stride, padding, output_padding, groups, dilation)


@composite(samples=lambda make: iter((Sample((make(5, 2, 3), make(2, 3, 4), make(4), 1)),)))
def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """Returns the correlation of (time, batch, channels) with (K, channels, O)."""
    if len(input._a.shape) != 3:
        raise RuntimeError("Input must have 3 dims: time, batch, in_channel")
    if len(weight._a.shape) != 3:
        raise RuntimeError("Weight tensor must have 3 dims: kernel_width, in_channels, out_channels.")
    if len(bias._a.shape) != 1:
        raise RuntimeError("Bias must be 1-D")
    if int(input._a.shape[2]) != int(weight._a.shape[1]):
        raise RuntimeError("Input dim 2 (input channels) is not == dim 1 in the weight tensor")
    if int(weight._a.shape[2]) != int(bias._a.shape[0]):
        raise RuntimeError("Bias size must equal dim 2 in the weight tensor (output channels).")
    out = _convolution(input.permute(1, 2, 0), weight.permute(2, 1, 0), (1,), (pad,), (1,), False, (0,), 1, bias)
    return out.permute(2, 0, 1)
