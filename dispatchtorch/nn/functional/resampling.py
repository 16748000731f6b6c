"""`interpolate` and its older names: what is checked and said; how numbers are made is `ops.resample`'s."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Final

from dispatchtorch.nn.functional.pool import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from dispatchtorch.ops.resample import resample
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["interpolate", "upsample", "upsample_bilinear", "upsample_nearest"]

IntOrInts = int | Sequence[int]
FloatOrFloats = float | Sequence[float]

_AREA: Final = {3: adaptive_avg_pool1d, 4: adaptive_avg_pool2d, 5: adaptive_avg_pool3d}
_KINDS: Final = {
    "nearest": "nearest", "nearest-exact": "exact", "linear": "linear", "bilinear": "linear", "trilinear": "linear",
    "bicubic": "cubic", "lanczos": "lanczos",
}  # fmt: skip
_NDIM: Final = {"linear": 3, "bilinear": 4, "trilinear": 5}
_KERNELS: Final = {
    "nearest": "compute_indices_weights_nearest", "nearest-exact": "compute_indices_weights_nearest",
    "linear": "compute_indices_weights_linear", "trilinear": "compute_indices_weights_linear",
    "bilinear": "upsample_bilinear2d_channels_last", "bicubic": "compute_indices_weights_cubic",
}  # fmt: skip


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, Tensor) and not value.is_floating_point())


def _sizes(input: Tensor, size: Any, dim: int) -> tuple[Any, ...]:
    if not isinstance(size, (list, tuple)):
        return (size,) * dim
    if len(size) != dim:
        raise ValueError(
            "Input and output must have the same number of spatial dimensions, but got input with spatial dimensions "
            f"of {list(input.shape[2:])} and output size of {size}. Please provide input tensor in (N, C, d1, d2, "
            "...,dK) format and output size in (o1, o2, ...,oK) format."
        )
    if not all(_is_whole(x) for x in size):
        raise TypeError(
            "expected size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, int, int], but got size "
            f"with types {[type(x) for x in size]}"
        )
    return tuple(size)


def _scales(input: Tensor, scale_factor: Any, dim: int) -> tuple[float, ...]:
    if not isinstance(scale_factor, (list, tuple)):
        return (scale_factor,) * dim
    if len(scale_factor) != dim:
        raise ValueError(
            "Input and scale_factor must have the same number of spatial dimensions, but got input with spatial "
            f"dimensions of {list(input.shape[2:])} and scale_factor of shape {scale_factor}. Please provide input "
            "tensor in (N, C, d1, d2, ...,dK) format and scale_factor in (s1, s2, ...,sK) format."
        )
    return tuple(scale_factor)


def _refuse_mode(ndim: int, mode: str) -> None:
    wanted = _NDIM.get(mode)
    if wanted is not None and ndim in (3, 4, 5):
        raise NotImplementedError(f"Got {ndim}D input, but {mode} mode needs {wanted}D input")
    raise NotImplementedError(
        f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {ndim}D) for the modes: nearest | linear | "
        f"bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got {mode})"
    )


def _fits(ndim: int, mode: str) -> bool:
    if mode in ("nearest", "nearest-exact", "area"):
        return ndim in (3, 4, 5)
    return ndim == (4 if mode in ("bicubic", "lanczos") else _NDIM.get(mode, -1))


def _check_numbers(input: Tensor, sizes: Sequence[int], mode: str, antialias: bool) -> None:
    shape, n = list(input.shape), len(sizes)
    if 0 in shape[2:] or any(s <= 0 for s in sizes):
        listed = ", ".join(f"{a}: {s}" for a, s in zip("DHW"[-n:], shape[2:], strict=True))
        wanted = ", ".join(f"{a}: {s}" for a, s in zip("DHW"[-n:], sizes, strict=True))
        if n == 1:
            listed, wanted = f"W: {shape[2]}", f"W: {sizes[0]}"
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input ({listed}) output ({wanted})"
        )
    if 0 in shape[1:]:
        raise RuntimeError(f"Non-empty {n + 2}D data tensor expected but got a tensor with sizes {shape}")
    dtype = input.dtype
    is_byte = str(dtype) == "torch.uint8"
    if not (dtype.is_floating_point or (is_byte and mode not in ("linear", "trilinear"))):
        name = "compute_indices_weights_aa" if antialias else _KERNELS.get(mode, mode)
        raise NotImplementedError(f"\"{name}\" not implemented for '{dtype.legacy}'")


def interpolate(
    input: Tensor,
    size: IntOrInts | None = None,
    scale_factor: FloatOrFloats | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Returns (N, C, ...) resized to ``size``, or by ``scale_factor``, one to three spatial dimensions.

    ``mode``: "nearest", "nearest-exact", "area", for 3-dimensional inputs "linear", for 4 "bilinear", "bicubic" and
    "lanczos", for 5 "trilinear". ``antialias`` widens the filter where a picture shrinks.

    >>> torch.nn.functional.interpolate(torch.tensor([[[1.0, 3.0]]]), size=4, mode="linear")
    tensor([[[1.0000, 1.5000, 2.5000, 3.0000]]])
    """
    if mode in ("nearest", "area", "nearest-exact"):
        if align_corners is not None:
            raise ValueError(
                "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | "
                "trilinear"
            )
    elif align_corners is None:
        align_corners = False
    dim = input.dim() - 2
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    if recompute_scale_factor and size is not None:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    factors: tuple[float | None, ...] = (None,) * max(dim, 0)
    if size is not None:
        sizes = _sizes(input, size, dim)
    else:
        given = _scales(input, scale_factor, dim)
        sizes = tuple([int(n * f) for n, f in zip(input.shape[2:], given, strict=True)])
        if not recompute_scale_factor and mode != "area":
            factors = tuple([float(f) for f in given])
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and input.ndim == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"
        )
    if not _fits(input.ndim, mode):
        _refuse_mode(input.ndim, mode)
    if mode == "lanczos" and align_corners:
        raise ValueError("Lanczos mode does not support align_corners=True")
    if mode == "lanczos" and not antialias:
        raise ValueError("Lanczos mode requires antialias=True")
    sizes = tuple([int(s) for s in sizes])
    if mode == "area":
        return _AREA[input.ndim](input, sizes)
    _check_numbers(input, sizes, mode, antialias)
    return resample(input, sizes, _KINDS[mode], bool(align_corners), factors, antialias)


def upsample(
    input: Tensor,
    size: IntOrInts | None = None,
    scale_factor: FloatOrFloats | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """Returns `interpolate` of the arguments, with a warning to use that."""
    warnings.warn("`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: IntOrInts | None = None, scale_factor: FloatOrFloats | None = None) -> Tensor:
    """Returns `interpolate` by nearest neighbours, with a warning to use that."""
    warnings.warn(
        "`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2
    )
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(
    input: Tensor, size: IntOrInts | None = None, scale_factor: FloatOrFloats | None = None
) -> Tensor:
    """Returns `interpolate` between four neighbours with corners aligned, with a warning to use that."""
    warnings.warn(
        "`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2
    )
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)
