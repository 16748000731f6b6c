"""Pooling beyond maximum and mean: p-norms, windows at random places, and the way back from a maximum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispatchtorch._base.dtypes import int64
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.nn.functional.pool import avg_pool1d, avg_pool2d, avg_pool3d, max_pool1d, max_pool2d, max_pool3d
from dispatchtorch.ops.fractional import fractional_max_pool
from dispatchtorch.ops.index import within
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "fractional_max_pool2d", "fractional_max_pool2d_with_indices", "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices", "lp_pool1d", "lp_pool2d", "lp_pool3d", "max_unpool1d", "max_unpool2d",
    "max_unpool3d",
]  # fmt: skip

IntOrInts = int | Sequence[int]
FloatOrFloats = float | Sequence[float]

_MAX = {1: max_pool1d, 2: max_pool2d, 3: max_pool3d}
_MEAN: dict[int, Any] = {1: avg_pool1d, 2: avg_pool2d, 3: avg_pool3d}


def _several(value: Any, n: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,) * n


# --- p-norms ----------------------------------------------------------------------------------------------------------


def _lp_pool(
    n: int, input: Tensor, norm_type: float, kernel_size: IntOrInts, stride: IntOrInts | None, ceil_mode: bool
) -> Tensor:
    if abs(norm_type) == float("inf"):
        sign = 1 if norm_type > 0 else -1
        found = _MAX[n](input.abs() * sign, kernel_size, stride, 0, 1, ceil_mode)
        return found * sign  # type: ignore[return-value]  # without indices it is one tensor
    count = 1
    for k in _several(kernel_size, n):
        count *= k
    mean: Tensor = _MEAN[n](input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    return (mean.sign() * mean.abs().relu()).mul(count).pow(1.0 / norm_type)


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: int, stride: IntOrInts | None = None, ceil_mode: bool = False
) -> Tensor:
    """Returns the p-norm of each window of (N, C, L)."""
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: IntOrInts, stride: IntOrInts | None = None, ceil_mode: bool = False
) -> Tensor:
    """Returns the p-norm of each window of (N, C, H, W)."""
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: IntOrInts, stride: IntOrInts | None = None, ceil_mode: bool = False
) -> Tensor:
    """Returns the p-norm of each window of (N, C, D, H, W)."""
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)


# --- the way back -----------------------------------------------------------------------------------------------------


def _unpooled_sizes(
    input: Tensor, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int], output_size: Any
) -> list[int]:
    n = len(kernel)
    usual = [
        (int(have) - 1) * s + k - 2 * p for have, k, s, p in zip(input.shape[-n:], kernel, stride, padding, strict=True)
    ]
    sizes = usual
    if output_size is not None:
        sizes = list(output_size)
        if len(sizes) == n + 2:
            sizes = sizes[2:]
        if len(sizes) != n:
            raise ValueError(
                f"output_size should be a sequence containing {n} or {n + 2} elements, but it has a length of "
                f"'{len(sizes)}'"
            )
        for d in range(n):
            low, high = usual[d] - stride[d], usual[d] + stride[d]
            if not low < sizes[d] < high:
                shown = output_size[2:] if len(output_size) == n + 2 else output_size
                raise ValueError(f'invalid output_size "{shown}" (dim {d} must be between {low} and {high})')
    for d, size in enumerate(sizes):
        if size < 0:
            raise ValueError(
                "max_unpooling: output_size must contain non-negative spatial dimensions, but got "
                f"output_size[{d}]={size}"
            )
    return sizes


def _check_unpool(n: int, input: Tensor, indices: Tensor) -> None:
    if indices.dtype is not int64:
        raise RuntimeError(f"elements in indices should be type int64 but got: {indices.dtype.legacy}")
    if input.dim() not in (n + 1, n + 2):
        raise RuntimeError(
            f"Input to max_unpooling{n}d should be a {n + 1}d or {n + 2}d Tensor, but got a tensor with "
            f"{input.dim()} dimensions"
        )
    if input.shape != indices.shape:
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) but got indices "
            f"tensor with shape: {list(indices.shape)}"
        )
    for d in range(1, input.dim()):
        if input.size(d) <= 0:
            raise RuntimeError(
                f"max_unpooling{n}d(): Expected input to have non-zero size for non-batch dimensions, but got "
                f"{list(input.shape)} with dimension {d} being empty."
            )


def _unpool(
    n: int, input: Tensor, indices: Tensor, kernel_size: Any, stride: Any, padding: Any, output_size: Any
) -> Tensor:
    kernel = _several(kernel_size, n)
    steps = kernel if stride is None else _several(stride, n)
    sizes = _unpooled_sizes(input, kernel, steps, _several(padding, n), output_size)
    if n == 1:  # torch goes by way of two dimensions
        _check_unpool(2, input.unsqueeze(-1), indices.unsqueeze(-1))
    else:
        _check_unpool(n, input, indices)
    if input._key.dtype.category < 2:
        raise NotImplementedError(f"\"max_unpool{max(n, 2)}d\" not implemented for '{input._key.dtype.legacy}'")
    lead = tuple(input.shape[:-n])
    count = 1
    for size in sizes:
        count *= size
    flat = indices.reshape(*lead, -1)
    shown = "x".join(map(str, sizes if n > 1 else [*sizes, 1]))
    within(flat, count, f"Found an invalid max index: {{index}} (output volumes are of size {shown}", RuntimeError)
    zeros = input.new_zeros((*lead, count))
    return zeros.scatter(-1, flat, input.reshape(*lead, -1)).reshape(*lead, *sizes)


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: IntOrInts = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Returns maxima (N, C, L) back at their places, zeros elsewhere."""
    return _unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: IntOrInts = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Returns maxima (N, C, H, W) back at their places, zeros elsewhere."""
    return _unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: IntOrInts = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Returns maxima (N, C, D, H, W) back at their places, zeros elsewhere."""
    return _unpool(3, input, indices, kernel_size, stride, padding, output_size)


# --- random places ----------------------------------------------------------------------------------------------------


def _fractional(
    n: int, input: Tensor, kernel_size: Any, output_size: Any, output_ratio: Any, samples: Tensor | None
) -> tuple[Tensor, Tensor]:
    name = f"fractional_max_pool{n}d"
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    if output_size is None:
        if n == 2 and isinstance(output_ratio, (list, tuple)) and len(output_ratio) > 2:
            raise ValueError(f"{name} requires output_ratio to either be a single Int or tuple of Ints.")
        ratios = _several(output_ratio, n)
        output_size = [int(input.size(d - n) * ratios[d]) for d in range(n)]
    if samples is None:
        batch = 1 if input.dim() == n + 1 else input.size(0)
        samples = FUNCTIONS["rand"](batch, input.size(-n - 1), n, dtype=input.dtype, device=input.device)
    kernel, sizes = _several(kernel_size, n), _several(output_size, n)
    _check_fractional(n, input, kernel, sizes, samples)
    batch = 1 if input.dim() == n + 1 else int(input.size(0))
    return fractional_max_pool(input, kernel, sizes, samples.narrow(0, 0, batch))


def _check_fractional(n: int, input: Tensor, kernel: Sequence[int], sizes: Sequence[int], samples: Any) -> None:
    name, axes = f"fractional_max_pool{n}d", ("height", "width") if n == 2 else ("time", "height", "width")
    if len(kernel) != n:
        raise RuntimeError(f"{name}: kernel_size must either be a single int or tuple of {_WORDS[n]}")
    if len(sizes) != n:
        raise RuntimeError(f"{name}: output_size must either be a single int or tuple of {_WORDS[n]}")
    if n == 3 and any(s <= 0 for s in sizes):
        raise RuntimeError(
            f"fractional_max_pool3d output_size must be positive, but got [{', '.join(map(str, sizes))}]"
        )
    if n == 3 and any(k <= 0 for k in kernel):
        raise RuntimeError(
            f"fractional_max_pool3d kernel_size must be positive, but got [{', '.join(map(str, kernel))}]"
        )
    shape = list(input.shape)
    if len(shape) not in (n + 1, n + 2):
        raise RuntimeError(f"{name}(): Expected {n + 1}D or {n + 2}D tensor, but got: {shape}")
    for d in range(len(shape) - n - 1, len(shape)):
        if shape[d] == 0:
            raise RuntimeError(
                f"{name}: Expected input to have non-zero size for non-batch dimensions, but got {shape} with "
                f"dimension {d} being empty."
            )
    if samples.dtype is not input.dtype:
        raise RuntimeError("Expect _random_samples to have the same dtype as input")
    _check_samples(n, samples, shape)
    for axis, k, s, have in zip(axes, kernel, sizes, shape[-n:], strict=True):
        if s + k - 1 > have:
            raise RuntimeError(f"{name}(): pool {axis} {k} too large relative to input {axis} {have}")


def _check_samples(n: int, samples: Tensor, shape: Sequence[int]) -> None:
    if samples.ndim != 3:
        raise RuntimeError(f"Expect _random_samples to have 3 dimensions, got {samples.ndim}")
    batch, channels = (shape[0], shape[1]) if len(shape) == n + 2 else (1, shape[0])
    if samples.size(0) < batch:
        raise RuntimeError("Expect _random_samples.size(0) no less then input batch size.")
    if samples.size(1) != channels:
        raise RuntimeError("Expect _random_samples.size(1) equals to input channel size.")
    if samples.size(2) != n:
        raise RuntimeError(f"Expect _random_samples.size(2) equals to {n}; got {samples.size(2)}.")


_WORDS = {2: "two Ints", 3: "three Ints"}


def fractional_max_pool2d_with_indices(
    input: Tensor,
    kernel_size: IntOrInts,
    output_size: IntOrInts | None = None,
    output_ratio: FloatOrFloats | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Returns the largest of windows at random places of (N, C, H, W), and their flat places."""
    return _fractional(2, input, kernel_size, output_size, output_ratio, _random_samples)


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: IntOrInts,
    output_size: IntOrInts | None = None,
    output_ratio: FloatOrFloats | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Returns the largest of windows at random places of (N, C, H, W); perhaps their flat places too."""
    found = _fractional(2, input, kernel_size, output_size, output_ratio, _random_samples)
    return found if return_indices else found[0]


def fractional_max_pool3d_with_indices(
    input: Tensor,
    kernel_size: IntOrInts,
    output_size: IntOrInts | None = None,
    output_ratio: FloatOrFloats | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Returns the largest of windows at random places of (N, C, D, H, W), and their flat places."""
    return _fractional(3, input, kernel_size, output_size, output_ratio, _random_samples)


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: IntOrInts,
    output_size: IntOrInts | None = None,
    output_ratio: FloatOrFloats | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Returns the largest of windows at random places of (N, C, D, H, W); perhaps their flat places too."""
    found = _fractional(3, input, kernel_size, output_size, output_ratio, _random_samples)
    return found if return_indices else found[0]
