"""Windows of a picture as columns, and columns added up where their windows lie; each is the other's derivative."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dispatchtorch.dispatch.table import composite, primitive
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["col2im", "im2col"]

Ints = tuple[int, ...]
IntOrInts = int | Sequence[int]


@primitive(
    grad={
        "input": lambda g, input_shape, kernel, dilation, padding, stride: _col2im(
            g, input_shape[-2:], kernel, dilation, padding, stride
        )
    },
    node="Im2ColBackward0",
)
def _im2col(input: Tensor, kernel: Ints, dilation: Ints, padding: Ints, stride: Ints) -> Tensor:
    """Returns the windows of (N, C, H, W) as (N, C * places, windows)."""
    ...


@primitive(
    grad={"input": lambda g, kernel, dilation, padding, stride: _im2col(g, kernel, dilation, padding, stride)},
    node="Col2ImBackward0",
)
def _col2im(input: Tensor, sizes: Ints, kernel: Ints, dilation: Ints, padding: Ints, stride: Ints) -> Tensor:
    """Returns columns (N, C * places, windows) added up in a picture of these sizes."""
    ...


def _pair(value: IntOrInts, word: str) -> Ints:
    pair = (value, value) if isinstance(value, int) else tuple([int(v) for v in value])
    if len(pair) != 2:
        raise RuntimeError(f"It is expected {word} equals to 2, but got size {len(pair)}")
    return pair


def _check_windows(kernel: Ints, dilation: Ints, padding: Ints, stride: Ints) -> None:
    for word, (h, w), least in (("kernel size", kernel, 1), ("dilation", dilation, 1)):
        if h < least or w < least:
            name = word.replace(" size", "")
            raise RuntimeError(f"{word} should be greater than zero, but got {name}_height: {h} {name}_width: {w}")
    if padding[0] < 0 or padding[1] < 0:
        raise RuntimeError(f"padding should be non-negative, but got pad_height: {padding[0]} pad_width: {padding[1]}")
    if stride[0] < 1 or stride[1] < 1:
        raise RuntimeError(
            f"stride should be greater than zero, but got stride_height: {stride[0]} stride_width: {stride[1]}"
        )


def _counts(sizes: Ints, kernel: Ints, dilation: Ints, padding: Ints, stride: Ints) -> Ints:
    return tuple(
        [
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, d, p, s in zip(sizes, kernel, dilation, padding, stride, strict=True)
        ]
    )


def _check_dtype(input: Tensor, name: str) -> None:
    if input._key.dtype.category == 1:
        raise NotImplementedError(f"\"{name}\" not implemented for '{input._key.dtype.legacy}'")


def _text(pair: Ints) -> str:
    return f"({pair[0]}, {pair[1]})"


def _im_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(2, 3, 5, 4), (2, 3), (1, 1), (0, 1), (2, 1)))
    yield Sample((make(2, 5, 6), 2, 2, 1, 1))


@composite(function=False, samples=_im_samples)
def im2col(input: Tensor, kernel_size: IntOrInts, dilation: IntOrInts, padding: IntOrInts, stride: IntOrInts) -> Tensor:
    """Returns the windows of (N, C, H, W) or (C, H, W) as columns."""
    kernel, gaps = _pair(kernel_size, "kernel_size"), _pair(dilation, "dilation")
    pads, steps = _pair(padding, "padding"), _pair(stride, "stride")
    _check_windows(kernel, gaps, pads, steps)
    shape = [int(n) for n in input._a.shape]
    batched = len(shape) == 4
    if len(shape) not in (3, 4) or 0 in shape[1 if batched else 0 :]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, "
            f"but got: {shape}"
        )
    counts = _counts(tuple(shape[-2:]), kernel, gaps, pads, steps)
    if min(counts) < 1:
        raise RuntimeError(
            f"Given input with spatial size {_text(tuple(shape[-2:]))}, kernel_size={_text(kernel)}, "
            f"dilation={_text(gaps)}, padding={_text(pads)}, stride={_text(steps)}, calculated shape of the array of "
            f"sliding blocks as {_text(counts)}, but its components must be at least one."
        )
    _check_dtype(input, "im2col_out_cpu")
    out = _im2col(input if batched else input.unsqueeze(0), kernel, gaps, pads, steps)
    return out if batched else out.squeeze(0)


def _col_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(2, 12, 6), (5, 4), (2, 2), (1, 1), (0, 0), (2, 1)))
    yield Sample((make(8, 4), 4, 2, 2, 0, 1))


@composite(function=False, samples=_col_samples)
def col2im(
    input: Tensor,
    output_size: IntOrInts,
    kernel_size: IntOrInts,
    dilation: IntOrInts,
    padding: IntOrInts,
    stride: IntOrInts,
) -> Tensor:
    """Returns columns (N, C * places, windows), or without N, added up in a picture of ``output_size``."""
    sizes, kernel, gaps = (
        _pair(output_size, "output_size"),
        _pair(kernel_size, "kernel_size"),
        _pair(dilation, "dilation"),
    )
    pads, steps = _pair(padding, "padding"), _pair(stride, "stride")
    _check_windows(kernel, gaps, pads, steps)
    shape = [int(n) for n in input._a.shape]
    batched = len(shape) == 3
    if len(shape) not in (2, 3) or 0 in shape[1 if batched else 0 :]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for "
            f"input, but got: {shape}"
        )
    places = kernel[0] * kernel[1]
    if shape[-2] % places:
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got "
            f"input.size(1)={shape[-2]} and kernel_size={_text(kernel)}."
        )
    counts = _counts(sizes, kernel, gaps, pads, steps)
    told = (
        f"Given output_size={_text(sizes)}, kernel_size={_text(kernel)}, dilation={_text(gaps)}, "
        f"padding={_text(pads)}, stride={_text(steps)}, "
    )
    if shape[-1] != counts[0] * counts[1]:
        raise RuntimeError(
            f"{told}expected size of input's dimension 2 to match the calculated number of sliding blocks "
            f"{counts[0]} * {counts[1]} = {counts[0] * counts[1]}, but got input.size(2)={shape[-1]}."
        )
    if min(counts) < 1:
        raise RuntimeError(
            f"{told}calculated shape of the array of sliding blocks as {_text(counts)}, which is too small "
            "(non-positive)"
        )
    if min(sizes) < 1:
        raise RuntimeError(f"Expected output spatial size to be positive, but got: output_size={_text(sizes)}.")
    _check_dtype(input, "col2im_out_cpu")
    out = _col2im(input if batched else input.unsqueeze(0), sizes, kernel, gaps, pads, steps)
    return out if batched else out.squeeze(0)
