"""Sampling pictures at given places, and rearranging channels and neighbourhoods."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from dispatchtorch.ops.fold import col2im, im2col
from dispatchtorch.ops.grid import affine_grid_generator, grid_sampler
from dispatchtorch.ops.shuffle import channel_shuffle, native_channel_shuffle, pixel_shuffle, pixel_unshuffle
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "affine_grid", "channel_shuffle", "fold", "grid_sample", "native_channel_shuffle", "pixel_shuffle",
    "pixel_unshuffle", "unfold",
]  # fmt: skip

IntOrInts = int | Sequence[int]

_MODES = {"bilinear": 0, "nearest": 1, "bicubic": 2}
_PADDINGS = {"zeros": 0, "border": 1, "reflection": 2}


def _aligned(align_corners: bool | None) -> bool:
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please "
            "specify align_corners=True if the old behavior is desired. See the documentation of grid_sample for "
            "details.",
            stacklevel=3,
        )
        return False
    return align_corners


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Returns (N, C, ...) read at the places, from -1 to 1, that the grid (N, ..., 2 or 3) names; x comes first there.

    ``mode``: "bilinear" (in three dimensions trilinear), "nearest", "bicubic". ``padding_mode``, for what lies
    outside: "zeros", "border", "reflection".
    """
    if mode not in _MODES:
        raise ValueError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'"
        )
    if padding_mode not in _PADDINGS:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
            f"'{padding_mode}'"
        )
    return grid_sampler(input, grid, _MODES[mode], _PADDINGS[padding_mode], _aligned(align_corners))


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """Returns the grid for `grid_sample` that maps an output of ``size`` by affine matrices (N, 2, 3) or (N, 3, 4)."""
    align = _aligned(align_corners)
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    sides = {4: 2, 5: 3}.get(len(size))
    if sides is None:
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size "
            f"{size}."
        )
    if theta.dim() != 3 or theta.shape[-2] != sides or theta.shape[-1] != sides + 1:
        raise ValueError(
            f"Expected a batch of {sides}D affine matrices of shape Nx{sides}x{sides + 1} for size {size}. Got "
            f"{theta.shape}."
        )
    if align and min(size[-sides:]) == 1:
        warnings.warn(
            "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when align_corners=True. This "
            "is not an intended use case of affine_grid. See the documentation of affine_grid for details.",
            stacklevel=2,
        )
    elif min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    return affine_grid_generator(theta, size, align)


def unfold(
    input: Tensor, kernel_size: IntOrInts, dilation: IntOrInts = 1, padding: IntOrInts = 0, stride: IntOrInts = 1
) -> Tensor:
    """Returns the windows of (N, C, H, W) as columns: (N, C * places, windows)."""
    return im2col(input, kernel_size, dilation, padding, stride)


def fold(
    input: Tensor,
    output_size: IntOrInts,
    kernel_size: IntOrInts,
    dilation: IntOrInts = 1,
    padding: IntOrInts = 0,
    stride: IntOrInts = 1,
) -> Tensor:
    """Returns the sum of windows, each column of (N, C * places, windows) one, where they lie: (N, C, H, W)."""
    return col2im(input, output_size, kernel_size, dilation, padding, stride)
