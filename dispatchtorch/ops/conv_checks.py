"""What can be wrong with the arguments of a convolution, in torch's words and order."""

from __future__ import annotations

from collections.abc import Sequence

from dispatchtorch.tensor.tensor import Tensor

__all__ = ["check_convolution", "expand"]

Ints = tuple[int, ...]


def expand(value: int | Sequence[int], count: int, name: str) -> Ints:
    """Returns one number a dimension; RuntimeError for another count."""
    values = (value,) if isinstance(value, int) else tuple(value)
    if len(values) == 1:
        return values * count
    if len(values) != count:
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {count} values to match the convolution "
            f"dimensions, but got {name}={list(values)}"
        )
    return values


_NATIVE = {
    "float32": "float", "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16", "int64": "long int",
    "int32": "int", "int16": "short", "int8": "signed char", "uint8": "unsigned char",
    "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}  # fmt: skip


def _by(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))


def _check_dtypes(input: Tensor, weight: Tensor, bias: Tensor | None, transposed: bool) -> None:
    mine, other = input._key.dtype, weight._key.dtype
    if bias is not None and bias._key.dtype is not mine:
        names = [_NATIVE.get(t.name, t.name) for t in (mine, bias._key.dtype)]
        raise RuntimeError(f"Input type ({names[0]}) and bias type ({names[1]}) should be the same")
    if mine is not other:
        raise RuntimeError(f"expected scalar type {mine.legacy} but found {other.legacy}")
    if mine.category == 0:
        n = max(len(weight._a.shape) - 2, 2)
        kernel = f"slow_conv_transpose{n}d_out_cpu" if transposed else f"slow_conv{n}d_cpu"
        raise NotImplementedError(f"\"{kernel}\" not implemented for 'Bool'")


def _check_settings(stride: Ints, padding: Ints, dilation: Ints, output_padding: Ints, groups: int) -> None:
    if any(p < 0 for p in padding):
        raise RuntimeError("negative padding is not supported")
    if any(p < 0 for p in output_padding):
        raise RuntimeError("negative output_padding is not supported")
    if any(s <= 0 for s in stride):
        raise RuntimeError("non-positive stride is not supported")
    if any(d == 0 for d in dilation):
        raise RuntimeError(f"dilation should be greater than zero, but got {list(dilation)}")
    if any(d < 0 for d in dilation):
        raise RuntimeError("dilation should be greater than zero")
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")


def _check_channels(shape: Ints, sizes: Ints, bias: Tensor | None, transposed: bool, groups: int) -> None:
    if sizes[0] < groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but got weight of size "
            f"{list(sizes)} instead"
        )
    if sizes[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of "
            f"size [{list(sizes)}] instead"
        )
    wanted = sizes[0] if transposed else sizes[1] * groups
    if shape[1] != wanted:
        what = f"transposed={int(transposed)}" if transposed else f"groups={groups}"
        raise RuntimeError(
            f"Given {what}, weight of size {list(sizes)}, expected input{list(shape)} to have {wanted} channels, but "
            f"got {shape[1]} channels instead"
        )
    outs = sizes[1] * groups if transposed else sizes[0]
    if bias is not None and tuple(bias._a.shape) != (outs,):
        raise RuntimeError(
            f"Given {'transposed=1' if transposed else ''}{', ' if transposed else ''}weight of size {list(sizes)}, "
            f"expected bias to be 1-dimensional with {outs} elements, but got bias of size "
            f"{list(bias._a.shape)} instead"
        )


_AXES = {1: ("width",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def _check_sizes(shape: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> None:
    padded = [n + 2 * p for n, p in zip(shape[2:], padding, strict=True)]
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    if any(have < want for have, want in zip(padded, reach, strict=True)):
        raise RuntimeError(
            f"Calculated padded input size per channel: ({_by(padded)}). Kernel size: ({_by(reach)}). Kernel size "
            "can't be greater than actual input size"
        )
    if 0 in kernel:
        text = " ".join(f"kernel_{axis}: {k}" for axis, k in zip(_AXES[len(kernel)], kernel, strict=True))
        raise RuntimeError(f"kernel size should be greater than zero, but got {text}")
    if 0 in shape[2:]:
        raise RuntimeError(f"Only zero batch or zero channel inputs are supported, but got input shape: {list(shape)}")


def _check_transposed(
    shape: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, output_padding: Ints
) -> None:
    if any(o >= max(s, d) for o, s, d in zip(output_padding, stride, dilation, strict=True)):
        axes = _AXES[len(kernel)] if len(kernel) > 1 else _AXES[2]
        named = (("output_padding", output_padding), ("stride", stride), ("dilation", dilation))
        lone = (1,) if len(kernel) == 1 else ()
        text = " ".join(
            f"{name}_{axis}: {n}"
            for name, values in named
            for axis, n in zip(axes, ((0,) if lone and name == "output_padding" else lone) + values, strict=True)
        )
        raise RuntimeError(f"output padding must be smaller than either stride or dilation, but got {text}")
    outs = [
        (n - 1) * s - 2 * p + d * (k - 1) + o + 1
        for n, s, p, d, k, o in zip(shape[2:], stride, padding, dilation, kernel, output_padding, strict=True)
    ]
    if any(n < 1 for n in outs):
        raise RuntimeError(
            f"Given input size per channel: ({_by(shape[2:])}). Calculated output size per channel: ({_by(outs)}). "
            "Output size is too small"
        )


def check_convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    transposed: bool,
    output_padding: Ints,
    groups: int,
) -> None:
    """Raises torch's error for a convolution that it refuses."""
    shape, sizes = tuple(input._a.shape), tuple(weight._a.shape)
    _check_settings(stride, padding, dilation, output_padding, groups)
    _check_channels(shape, sizes, bias, transposed, groups)
    if transposed:
        _check_transposed(shape, sizes[2:], stride, padding, dilation, output_padding)
    else:
        _check_sizes(shape, sizes[2:], stride, padding, dilation)
    _check_dtypes(input, weight, bias, transposed)
