"""Pooling of ``torch.nn.functional``: the largest or the mean of windows, perhaps with the places of the largest."""

from __future__ import annotations

from collections.abc import Sequence

from dispatchtorch.dispatch.destination import fill
from dispatchtorch.ops import pooling as ops
from dispatchtorch.ops.pooling import adaptive_avg_pool1d, avg_pool1d
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d",
    "adaptive_max_pool3d_with_indices",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
    "max_pool3d",
    "max_pool3d_with_indices",
]  # fmt: skip

IntOrInts = int | Sequence[int]
Sizes = int | None | Sequence[int | None]


def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: IntOrInts = 0,
    dilation: IntOrInts = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """Returns the largest of each window of (N, C, L), and its flat place there."""
    return ops.max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool1d(
    input: Tensor,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: IntOrInts = 0,
    dilation: IntOrInts = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Returns the largest of each window of (N, C, L); with ``return_indices`` its flat place too."""
    found = ops.max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)
    return found if return_indices else found[0]


def max_pool2d_with_indices(
    input: Tensor,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: IntOrInts = 0,
    dilation: IntOrInts = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """Returns the largest of each window of (N, C, H, W), and its flat place there."""
    return ops.max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(
    input: Tensor,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: IntOrInts = 0,
    dilation: IntOrInts = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Returns the largest of each window of (N, C, H, W); with ``return_indices`` its flat place too."""
    found = ops.max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode)
    return found if return_indices else found[0]


def max_pool3d_with_indices(
    input: Tensor,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: IntOrInts = 0,
    dilation: IntOrInts = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """Returns the largest of each window of (N, C, D, H, W), and its flat place there."""
    return ops.max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d(
    input: Tensor,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: IntOrInts = 0,
    dilation: IntOrInts = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Returns the largest of each window of (N, C, D, H, W); with ``return_indices`` its flat place too."""
    found = ops.max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode)
    return found if return_indices else found[0]


def avg_pool2d(
    input: Tensor,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: IntOrInts = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Returns the mean of each window of (N, C, H, W), or its sum over a given divisor."""
    found = ops.avg_pool(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    return found if out is None else fill("avg_pool2d", found, out, (input,))


def adaptive_avg_pool2d(input: Tensor, output_size: Sizes) -> Tensor:
    """Returns the means of ``output_size`` windows that cover (N, C, H, W); None keeps a dimension."""
    return ops.adaptive_avg(2, input, output_size)


def avg_pool3d(
    input: Tensor,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: IntOrInts = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Returns the mean of each window of (N, C, D, H, W), or its sum over a given divisor."""
    found = ops.avg_pool(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    return found if out is None else fill("avg_pool3d", found, out, (input,))


def adaptive_avg_pool3d(input: Tensor, output_size: Sizes) -> Tensor:
    """Returns the means of ``output_size`` windows that cover (N, C, D, H, W); None keeps a dimension."""
    return ops.adaptive_avg(3, input, output_size)


def adaptive_max_pool1d(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """Returns the largest of ``output_size`` windows that cover (N, C, L); perhaps their flat places too."""
    found = ops.adaptive_max(1, input, output_size)
    return found if return_indices else found[0]


def adaptive_max_pool2d(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """Returns the largest of ``output_size`` windows that cover (N, C, H, W); perhaps their flat places too."""
    found = ops.adaptive_max(2, input, output_size)
    return found if return_indices else found[0]


def adaptive_max_pool3d(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """Returns the largest of ``output_size`` windows that cover (N, C, D, H, W); perhaps their flat places too."""
    found = ops.adaptive_max(3, input, output_size)
    return found if return_indices else found[0]


def adaptive_max_pool1d_with_indices(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """Returns the largest of ``output_size`` windows that cover (N, C, L), and their flat places."""
    return ops.adaptive_max(1, input, output_size)


def adaptive_max_pool2d_with_indices(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """Returns the largest of ``output_size`` windows that cover (N, C, H, W), and their flat places."""
    return ops.adaptive_max(2, input, output_size)


def adaptive_max_pool3d_with_indices(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """Returns the largest of ``output_size`` windows that cover (N, C, D, H, W), and their flat places."""
    return ops.adaptive_max(3, input, output_size)
