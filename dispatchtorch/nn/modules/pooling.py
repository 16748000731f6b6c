"""Pooling layers: the settings of a function of ``torch.nn.functional`` as an object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from dispatchtorch.nn.functional import pool as F
from dispatchtorch.nn.modules.module import Module
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d",
]  # fmt: skip

IntOrInts = int | tuple[int, ...]
Sizes = int | None | Sequence[int | None]


class _MaxPoolNd(Module):
    """The settings of a maximum over windows."""

    __constants__: ClassVar[list[str]] = [
        "kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode",
    ]  # fmt: skip

    def __init__(
        self,
        kernel_size: IntOrInts,
        stride: IntOrInts | None = None,
        padding: IntOrInts = 0,
        dilation: IntOrInts = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        """Returns the settings."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class _AvgPoolNd(Module):
    """The settings of a mean over windows."""

    __constants__: ClassVar[list[str]] = ["kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"]
    kernel_size: IntOrInts
    stride: IntOrInts
    padding: IntOrInts

    def extra_repr(self) -> str:
        """Returns the settings."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AdaptivePoolNd(Module):
    """The number of windows that cover the input."""

    __constants__: ClassVar[list[str]] = ["output_size"]

    def __init__(self, output_size: Sizes) -> None:
        super().__init__()
        self.output_size = output_size

    def extra_repr(self) -> str:
        """Returns the number of windows."""
        return f"output_size={self.output_size}"


class _AdaptiveAvgPoolNd(_AdaptivePoolNd):
    """Means over as many windows as are asked for."""


class _AdaptiveMaxPoolNd(_AdaptivePoolNd):
    """The number of windows, and whether places are returned."""

    def __init__(self, output_size: Sizes, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices


class MaxPool1d(_MaxPoolNd):
    """The largest of each window of (N, C, L)."""

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Returns the maxima, and their flat places where these were asked for."""
        return F.max_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )


class MaxPool2d(_MaxPoolNd):
    """The largest of each window of (N, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Returns the maxima, and their flat places where these were asked for."""
        return F.max_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )


class MaxPool3d(_MaxPoolNd):
    """The largest of each window of (N, C, D, H, W)."""

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Returns the maxima, and their flat places where these were asked for."""
        return F.max_pool3d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )


class AvgPool1d(_AvgPoolNd):
    """The mean of each window of (N, C, L)."""

    def __init__(
        self,
        kernel_size: IntOrInts,
        stride: IntOrInts | None = None,
        padding: IntOrInts = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = _single(kernel_size)
        self.stride = _single(stride if stride is not None else kernel_size)
        self.padding = _single(padding)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """Returns the means."""
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


def _single(value: IntOrInts) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


class _AvgPoolWide(_AvgPoolNd):
    """The settings that two and three dimensions have."""

    def __init__(
        self,
        kernel_size: IntOrInts,
        stride: IntOrInts | None = None,
        padding: IntOrInts = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override


class AvgPool2d(_AvgPoolWide):
    """The mean of each window of (N, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        """Returns the means."""
        return F.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AvgPool3d(_AvgPoolWide):
    """The mean of each window of (N, C, D, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        """Returns the means."""
        return F.avg_pool3d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """The means of so many windows that cover (N, C, L)."""

    def forward(self, input: Tensor) -> Tensor:
        """Returns the means."""
        return F.adaptive_avg_pool1d(input, self.output_size)  # type: ignore[arg-type]  # None is refused as torch does


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """The largest of so many windows that cover (N, C, L)."""

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Returns the maxima, and their flat places where these were asked for."""
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """The means of so many windows that cover (N, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        """Returns the means."""
        return F.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """The largest of so many windows that cover (N, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Returns the maxima, and their flat places where these were asked for."""
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """The means of so many windows that cover (N, C, D, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        """Returns the means."""
        return F.adaptive_avg_pool3d(input, self.output_size)


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """The largest of so many windows that cover (N, C, D, H, W)."""

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Returns the maxima, and their flat places where these were asked for."""
        return F.adaptive_max_pool3d(input, self.output_size, self.return_indices)
