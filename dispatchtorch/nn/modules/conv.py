"""Convolution layers: weights drawn as torch draws them, and the function that uses them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from dispatchtorch.nn import init
from dispatchtorch.nn.factory import empty_parameter
from dispatchtorch.nn.functional import conv as F
from dispatchtorch.nn.functional.padding import pad
from dispatchtorch.nn.modules.lazy import LazyModuleMixin
from dispatchtorch.nn.modules.module import Module
from dispatchtorch.nn.parameter import UninitializedParameter
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "LazyConv1d", "LazyConv2d",
    "LazyConv3d", "LazyConvTranspose1d", "LazyConvTranspose2d", "LazyConvTranspose3d",
]  # fmt: skip

Ints = tuple[int, ...]
IntOrInts = int | Sequence[int]


def _each(value: IntOrInts, n: int) -> Ints:
    return (value,) * n if isinstance(value, int) else tuple(value)


class _ConvNd(Module):
    """The weights and settings of a convolution, in as many dimensions as the kernel has."""

    __constants__: ClassVar[list[str]] = [
        "stride", "padding", "dilation", "groups", "padding_mode", "output_padding", "in_channels", "out_channels",
        "kernel_size",
    ]  # fmt: skip
    weight: Tensor
    bias: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints,
        padding: Ints | str,
        dilation: Ints,
        transposed: bool,
        output_padding: Ints,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        _check(in_channels, out_channels, groups, padding, stride, padding_mode)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding, self.dilation = kernel_size, stride, padding, dilation
        self.transposed, self.output_padding = transposed, output_padding
        self.groups = groups
        self.padding_mode = padding_mode
        self._reversed_padding_repeated_twice = self._around()
        outer, inner = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        self.weight = empty_parameter(outer, inner // groups, *kernel_size, device=device, dtype=dtype)
        if bias:
            self.bias = empty_parameter(out_channels, device=device, dtype=dtype)
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _around(self) -> Sequence[int]:
        """Returns the padding as `pad` takes it: from the last dimension on, before and behind."""
        if not isinstance(self.padding, str):
            return tuple([p for p in reversed(self.padding) for _ in range(2)])
        sides = [0, 0] * len(self.kernel_size)
        if self.padding == "same":
            for i, (d, k) in enumerate(reversed(list(zip(self.dilation, self.kernel_size, strict=False)))):
                total = d * (k - 1)
                sides[2 * i], sides[2 * i + 1] = total // 2, total - total // 2
        return sides

    def reset_parameters(self) -> None:
        """Fills weight and bias uniformly within 1 / sqrt(number of inputs of one output)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in != 0:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        """Returns the settings that differ from the usual."""
        n = len(self.kernel_size)
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * n:
            text += f", padding={self.padding}"
        if self.dilation != (1,) * n:
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * n:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


def _check(
    in_channels: int, out_channels: int, groups: int, padding: IntOrInts | str, stride: Ints, padding_mode: str
) -> None:
    if groups <= 0:
        raise ValueError("groups must be a positive integer")
    if in_channels % groups:
        raise ValueError("in_channels must be divisible by groups")
    if out_channels % groups:
        raise ValueError("out_channels must be divisible by groups")
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ValueError(f"Invalid padding string {padding!r}, should be one of {{'valid', 'same'}}")
        if padding == "same" and any(s != 1 for s in stride):
            raise ValueError("padding='same' is not supported for strided convolutions")
    if padding_mode not in ("zeros", "reflect", "replicate", "circular"):
        raise ValueError(
            "padding_mode must be one of {'zeros', 'reflect', 'replicate', 'circular'}, but got "
            f"padding_mode={padding_mode!r}"
        )


class _PlainNd(_ConvNd):
    """A convolution that is not transposed, in ``count`` dimensions."""

    count: ClassVar[int]
    function: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrInts,
        stride: IntOrInts = 1,
        padding: IntOrInts | str = 0,
        dilation: IntOrInts = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        n = self.count
        super().__init__(
            in_channels, out_channels, _each(kernel_size, n), _each(stride, n),
            padding if isinstance(padding, str) else _each(padding, n), _each(dilation, n), False, _each(0, n),
            groups, bias, padding_mode, device, dtype,
        )  # fmt: skip

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Returns the convolution with another weight, as layers that change theirs on the way ask for it."""
        padding: Ints | str = self.padding
        if self.padding_mode != "zeros":
            input, padding = pad(input, self._reversed_padding_repeated_twice, self.padding_mode), (0,) * self.count
        return self.function(input, weight, bias, self.stride, padding, self.dilation, self.groups)

    def forward(self, input: Tensor) -> Tensor:
        """Returns the convolution."""
        return self._conv_forward(input, self.weight, self.bias)


class _ConvTransposeNd(_ConvNd):
    """What transposed convolutions share: which sizes they can give."""

    def _output_padding(
        self,
        input: Tensor,
        output_size: Sequence[int] | None,
        stride: Sequence[int],
        padding: Sequence[int],
        kernel_size: Sequence[int],
        num_spatial_dims: int,
        dilation: Sequence[int] | None = None,
    ) -> Ints:
        """Returns the output padding that leads to a size asked for; ValueError where none does."""
        n = num_spatial_dims
        if output_size is None:
            return _each(self.output_padding, n)
        asked = list(output_size)
        lead = 2 if input.dim() == n + 2 else 1
        if len(asked) == n + lead:
            asked = asked[lead:]
        if len(asked) != n:
            raise ValueError(
                f"ConvTranspose{n}D: for {input.dim()}D input, output_size must have {n} or {n + lead} elements (got "
                f"{len(asked)})"
            )
        low = [
            (input.size(i + lead) - 1) * s - 2 * p + d * (k - 1) + 1
            for i, (s, p, d, k) in enumerate(
                zip(stride, padding, (1,) * n if dilation is None else dilation, kernel_size, strict=True)
            )
        ]
        high = [m + s - 1 for m, s in zip(low, stride, strict=True)]
        if any(size < a or size > b for size, a, b in zip(asked, low, high, strict=True)):
            raise ValueError(
                f"requested an output size of {list(output_size)}, but valid sizes range from {low} to {high} (for an "
                f"input of {input.size()[lead:]})"
            )
        return tuple([size - a for size, a in zip(asked, low, strict=True)])


class _TransposedNd(_ConvTransposeNd):
    """A transposed convolution in ``count`` dimensions."""

    count: ClassVar[int]
    function: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrInts,
        stride: IntOrInts = 1,
        padding: IntOrInts = 0,
        output_padding: IntOrInts = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: IntOrInts = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError('Only "zeros" padding mode is supported for _ConvTransposeNd')
        n = self.count
        super().__init__(
            in_channels, out_channels, _each(kernel_size, n), _each(stride, n), _each(padding, n), _each(dilation, n),
            True, _each(output_padding, n), groups, bias, padding_mode, device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Returns the transposed convolution, of the size asked for."""
        sides: Any = self.padding  # numbers: a word is refused before
        extra = self._output_padding(
            input, output_size, self.stride, sides, self.kernel_size, self.count, self.dilation
        )
        return self.function(input, self.weight, self.bias, self.stride, sides, extra, self.groups, self.dilation)


class Conv1d(_PlainNd):
    """Correlates (N, C, L) with learnt kernels."""

    count: ClassVar[int] = 1
    function = staticmethod(F.conv1d)


class Conv2d(_PlainNd):
    """Correlates (N, C, H, W) with learnt kernels."""

    count: ClassVar[int] = 2
    function = staticmethod(F.conv2d)


class Conv3d(_PlainNd):
    """Correlates (N, C, D, H, W) with learnt kernels."""

    count: ClassVar[int] = 3
    function = staticmethod(F.conv3d)


class ConvTranspose1d(_TransposedNd):
    """The adjoint of `Conv1d`, with learnt kernels."""

    count: ClassVar[int] = 1
    function = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_TransposedNd):
    """The adjoint of `Conv2d`, with learnt kernels."""

    count: ClassVar[int] = 2
    function = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_TransposedNd):
    """The adjoint of `Conv3d`, with learnt kernels."""

    count: ClassVar[int] = 3
    function = staticmethod(F.conv_transpose3d)


class _LazyConvXdMixin(LazyModuleMixin):
    """A convolution that learns from its first input how many channels come in."""

    groups: int
    transposed: bool
    in_channels: int
    out_channels: int
    kernel_size: Ints
    count: ClassVar[int]

    def _wait(self, out_channels: int, bias: bool, device: Any, dtype: Any) -> None:
        """Puts parameters without a shape in the place of those that were made."""
        me: Any = self
        me.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_channels = out_channels
        if bias:
            me.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Fills the parameters, once they are there."""
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()  # type: ignore[misc]  # the convolution's

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        """Makes and fills the parameters for the channels of an input."""
        if not self.has_uninitialized_params():
            return
        me: Any = self
        self.in_channels = self._get_in_channels(input)
        if self.in_channels % self.groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        inner = self.out_channels if self.transposed else self.in_channels
        outer = self.in_channels if self.transposed else self.out_channels
        me.weight.materialize((outer, inner // self.groups, *self.kernel_size))
        if me.bias is not None:
            me.bias.materialize((self.out_channels,))
        self.reset_parameters()

    def _get_in_channels(self, input: Tensor) -> int:
        n = self._get_num_spatial_dims()
        if input.dim() not in (n + 1, n + 2):
            raise RuntimeError(
                f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {type(self).__name__}, but got input of "
                f"size: {input.shape}"
            )
        return int(input.shape[1] if input.dim() == n + 2 else input.shape[0])

    def _get_num_spatial_dims(self) -> int:
        return self.count


class _LazyPlain(_LazyConvXdMixin, _PlainNd):
    """A lazy convolution that is not transposed."""

    def __init__(
        self,
        out_channels: int,
        kernel_size: IntOrInts,
        stride: IntOrInts = 1,
        padding: IntOrInts = 0,
        dilation: IntOrInts = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode, device=device, dtype=dtype
        )
        self._wait(out_channels, bias, device, dtype)


class _LazyTransposed(_LazyConvXdMixin, _TransposedNd):
    """A lazy transposed convolution."""

    def __init__(
        self,
        out_channels: int,
        kernel_size: IntOrInts,
        stride: IntOrInts = 1,
        padding: IntOrInts = 0,
        output_padding: IntOrInts = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: IntOrInts = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation, padding_mode, device, dtype
        )
        self._wait(out_channels, bias, device, dtype)


class LazyConv1d(_LazyPlain, Conv1d):
    """`Conv1d` that learns ``in_channels`` from its first input."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyPlain, Conv2d):
    """`Conv2d` that learns ``in_channels`` from its first input."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyPlain, Conv3d):
    """`Conv3d` that learns ``in_channels`` from its first input."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyTransposed, ConvTranspose1d):
    """`ConvTranspose1d` that learns ``in_channels`` from its first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyTransposed, ConvTranspose2d):
    """`ConvTranspose2d` that learns ``in_channels`` from its first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyTransposed, ConvTranspose3d):
    """`ConvTranspose3d` that learns ``in_channels`` from its first input."""

    cls_to_become = ConvTranspose3d
