"""Convolution layers: weights drawn as torch draws them, and the function that uses them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from dispatchtorch.nn import init
from dispatchtorch.nn.factory import empty_parameter
from dispatchtorch.nn.functional import conv as F
from dispatchtorch.nn.functional.padding import pad
from dispatchtorch.nn.modules.module import Module
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]

Ints = tuple[int, ...]
IntOrInts = int | Sequence[int]


def _each(value: IntOrInts, n: int) -> Ints:
    return (value,) * n if isinstance(value, int) else tuple(value)


class _ConvNd(Module):
    """The weights and settings of a convolution in ``count`` dimensions."""

    __constants__: ClassVar[list[str]] = [
        "stride", "padding", "dilation", "groups", "padding_mode", "output_padding", "in_channels", "out_channels",
        "kernel_size",
    ]  # fmt: skip
    count: ClassVar[int]
    weight: Tensor
    bias: Tensor | None

    def _set(
        self,
        channels: tuple[int, int],
        kernel_size: IntOrInts,
        stride: IntOrInts,
        padding: IntOrInts | str,
        dilation: IntOrInts,
        transposed: bool,
        output_padding: IntOrInts,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
    ) -> None:
        n = self.count
        steps = _each(stride, n)
        _check(channels, groups, padding, steps, padding_mode)
        self.in_channels, self.out_channels = channels
        self.kernel_size, self.stride, self.dilation = _each(kernel_size, n), steps, _each(dilation, n)
        self.padding = padding if isinstance(padding, str) else _each(padding, n)
        self.transposed = transposed
        self.output_padding = _each(output_padding, n)
        self.groups = groups
        self.padding_mode = padding_mode
        self._reversed_padding_repeated_twice = self._around()
        outer, inner = channels if transposed else channels[::-1]
        self.weight = empty_parameter(outer, inner // groups, *self.kernel_size, device=device, dtype=dtype)
        if bias:
            self.bias = empty_parameter(self.out_channels, device=device, dtype=dtype)
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _around(self) -> Sequence[int]:
        """Returns the padding as `pad` takes it: from the last dimension on, before and behind."""
        if not isinstance(self.padding, str):
            return tuple([p for p in reversed(self.padding) for _ in range(2)])
        sides = [0, 0] * self.count
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
        n = self.count
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

    def _padded(self, input: Tensor) -> tuple[Tensor, IntOrInts | str]:
        """Returns the input, padded where the mode is not "zeros", and the padding that is left to do."""
        if self.padding_mode == "zeros":
            return input, self.padding
        return pad(input, self._reversed_padding_repeated_twice, self.padding_mode), 0


def _check(channels: tuple[int, int], groups: int, padding: IntOrInts | str, stride: Ints, padding_mode: str) -> None:
    if groups <= 0:
        raise ValueError("groups must be a positive integer")
    if channels[0] % groups:
        raise ValueError("in_channels must be divisible by groups")
    if channels[1] % groups:
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
    """A convolution that is not transposed."""

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
        super().__init__()
        self._set(
            (in_channels, out_channels), kernel_size, stride, padding, dilation, False, 0, groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip


class _TransposedNd(_ConvNd):
    """A transposed convolution."""

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
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        super().__init__()
        self._set(
            (in_channels, out_channels), kernel_size, stride, padding, dilation, True, output_padding, groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip

    def _sides(self) -> Ints:
        """Returns the padding, which is never a word here."""
        sides: Any = self.padding
        return sides  # type: ignore[no-any-return]  # numbers, as `_set` was given them

    def _extra(self, input: Tensor, output_size: Sequence[int] | None) -> Ints:
        """Returns the output padding that leads to a size asked for; ValueError where none does."""
        n = self.count
        if output_size is None:
            return self.output_padding
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
                zip(self.stride, self._sides(), self.dilation, self.kernel_size, strict=True)
            )
        ]
        high = [m + s - 1 for m, s in zip(low, self.stride, strict=True)]
        if any(size < a or size > b for size, a, b in zip(asked, low, high, strict=True)):
            raise ValueError(
                f"requested an output size of {list(output_size)}, but valid sizes range from {low} to {high} (for an "
                f"input of {input.size()[lead:]})"
            )
        return tuple([size - a for size, a in zip(asked, low, strict=True)])


class Conv1d(_PlainNd):
    """Correlates (N, C, L) with learnt kernels."""

    count: ClassVar[int] = 1

    def forward(self, input: Tensor) -> Tensor:
        """Returns the convolution."""
        x, padding = self._padded(input)
        return F.conv1d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class ConvTranspose1d(_TransposedNd):
    """The adjoint of `Conv1d`, with learnt kernels."""

    count: ClassVar[int] = 1

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Returns the transposed convolution, of the size asked for."""
        extra = self._extra(input, output_size)
        return F.conv_transpose1d(
            input,
            self.weight,
            self.bias,
            self.stride,
            self._sides(),
            extra,
            self.groups,
            self.dilation,
        )


class Conv2d(_PlainNd):
    """Correlates (N, C, H, W) with learnt kernels."""

    count: ClassVar[int] = 2

    def forward(self, input: Tensor) -> Tensor:
        """Returns the convolution."""
        x, padding = self._padded(input)
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class ConvTranspose2d(_TransposedNd):
    """The adjoint of `Conv2d`, with learnt kernels."""

    count: ClassVar[int] = 2

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Returns the transposed convolution, of the size asked for."""
        extra = self._extra(input, output_size)
        return F.conv_transpose2d(
            input,
            self.weight,
            self.bias,
            self.stride,
            self._sides(),
            extra,
            self.groups,
            self.dilation,
        )


class Conv3d(_PlainNd):
    """Correlates (N, C, D, H, W) with learnt kernels."""

    count: ClassVar[int] = 3

    def forward(self, input: Tensor) -> Tensor:
        """Returns the convolution."""
        x, padding = self._padded(input)
        return F.conv3d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class ConvTranspose3d(_TransposedNd):
    """The adjoint of `Conv3d`, with learnt kernels."""

    count: ClassVar[int] = 3

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Returns the transposed convolution, of the size asked for."""
        extra = self._extra(input, output_size)
        return F.conv_transpose3d(
            input,
            self.weight,
            self.bias,
            self.stride,
            self._sides(),
            extra,
            self.groups,
            self.dilation,
        )
