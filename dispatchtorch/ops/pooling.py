"""Pooling by torch's names and rules: what is checked, what is said when it is wrong, which op does it.

Must not know how windows are read; `pool` has the ops.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispatchtorch.dispatch.table import composite
from dispatchtorch.ops.pool import _adaptive_avg_pool, _adaptive_max_pool, _avg_pool, _max_pool
from dispatchtorch.ops.samples import Sample
from dispatchtorch.plugin.numpylike.pool import window_count
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["adaptive_avg", "adaptive_max", "avg_pool", "max_pool"]

Ints = tuple[int, ...]
IntOrInts = int | Sequence[int]

# --- what can be wrong ------------------------------------------------------------------------------------------------

_WORDS = {1: "one int", 2: "two ints", 3: "three ints"}


def _times(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))


def _several(value: int | Sequence[int], n: int, name: str, what: str) -> Ints:
    values = (value,) if isinstance(value, int) else tuple(value)
    if len(values) == 1:
        return values * n
    if len(values) != n:
        start = "either be omitted, a single int," if what == "stride" else "either be a single int,"
        start = start if what == "kernel_size" or what == "stride" else "be either a single int,"
        raise RuntimeError(f"{name}: {what} must {start} or a tuple of {_WORDS[n]}")
    return values


def _check_dims(input: Tensor, n: int, name: str) -> None:
    shape = list(input._a.shape)
    if n == 1 and name.startswith("max"):
        if len(shape) not in (2, 3) or 0 in shape[-2:]:
            raise RuntimeError(
                f"{name}: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but "
                f"got:{shape}"
            )
    elif n == 1:
        if len(shape) not in (2, 3):
            raise RuntimeError(
                f"Expected 2 to 3 dimensions, but got {len(shape)}-dimensional tensor for argument #1 'self' (while "
                f"checking arguments for {name})"
            )
    elif len(shape) not in (n + 1, n + 2):
        if name == "avg_pool2d" and len(shape) < 3:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-len(shape)}, {len(shape) - 1}], but got -3)"
            )
        raise RuntimeError(f"non-empty {n + 1}D or {n + 2}D (batch mode) tensor expected for input")
    elif 0 in shape[-n - 1 :]:
        if name == "max_pool3d":
            place = max(next(i for i in range(len(shape) - n - 1, len(shape)) if shape[i] == 0) - 2, 0)
            raise RuntimeError(
                "max_pool3d_with_indices_out_cpu_template(): Expected input's non-batch dimensions to have positive "
                f"length, but input has a shape of {shape} and non-batch dimension {place} has length zero!"
            )
        raise RuntimeError(
            f"Expected {n + 1}D or {n + 2}D (batch mode) tensor with optional 0 dim batch size for input, but "
            f"got:{shape}"
        )


def _check_pads(kernel: Ints, padding: Ints, dilation: Ints, name: str) -> None:
    """Raises what torch asks before it looks at the input."""
    if name == "max_pool1d":
        return
    for k, p, d in zip(kernel, padding, dilation, strict=True):
        if p < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {p}")
        if k > 0 and d > 0 and p > ((k - 1) * d + 1) // 2:
            raise RuntimeError(
                f"pad should be at most half of effective kernel size, but got pad={p}, kernel_size={k} and "
                f"dilation={d}"
            )


def _check_windows(
    shape: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool, name: str
) -> None:
    n = len(kernel)
    if name == "max_pool1d":
        _check_one(shape[-1], kernel[0], stride[0], padding[0], dilation[0], ceil_mode)
        return
    if 0 in stride:
        raise RuntimeError("stride should not be zero")
    if any(k <= 0 for k in kernel):
        raise RuntimeError("kernel size should be greater than zero, but got " + _axes_text("k", _of_two(kernel)))
    if any(d <= 0 for d in dilation):
        raise RuntimeError("dilation should be greater than zero, but got " + _axes_text("dilation", _of_two(dilation)))
    _check_halves(kernel, padding)
    outs = _counts(shape, kernel, stride, padding, dilation, ceil_mode)
    if name == "avg_pool3d" and any(have + 2 * p < k for have, p, k in zip(shape[-3:], padding, kernel, strict=True)):
        have = " ".join(f"{a}: {s}" for a, s in zip("THW", shape[-3:], strict=True))
        want = " ".join(f"k{a}: {s}" for a, s in zip("THW", kernel, strict=True))
        raise RuntimeError(f"input image ({have}) smaller than kernel size ({want})")
    if any(out < 1 for out in outs):
        full = (*shape[-n - 1 : -n], *((1,) if n == 1 else ()), *shape[-n:])
        got = (*shape[-n - 1 : -n], *((1,) if n == 1 else ()), *outs)
        raise RuntimeError(
            f"Given input size: ({_times(full)}). Calculated output size: ({_times(got)}). Output size is too small"
        )


def _check_halves(kernel: Ints, padding: Ints) -> None:
    """Raises where the padding is more than half of the window without its dilation."""
    if all(p <= k // 2 for k, p in zip(kernel, padding, strict=True)):
        return
    if len(kernel) == 3:
        (kt, kh, kw), (pt, ph, pw) = kernel, padding
        got = f"kT: {kt} kW: {kw} kH: {kh} padT: {pt} padW: {pw} padH: {ph}"
    else:
        (kh, kw), (ph, pw) = _of_two(kernel), (0, *padding)[-2:]
        got = f"padW = {pw}, padH = {ph}, kW = {kw}, kH = {kh}"
    raise RuntimeError(f"pad should be smaller than or equal to half of kernel size, but got {got}")


def _of_two(values: Ints) -> Ints:
    """Returns at least two numbers: one dimension is checked as two of which the first has size 1."""
    return (1, *values) if len(values) == 1 else values


def _axes_text(word: str, values: Ints) -> str:
    return " ".join(f"{word}{a}: {v}" for a, v in zip("THW"[-len(values) :], values, strict=True))


def _check_one(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> None:
    for word, value in (("kernel_size", kernel), ("stride", stride)):
        if value <= 0:
            raise RuntimeError(f"max_pool1d() {word} must be greater than zero, but got {value}")
    if padding < 0:
        raise RuntimeError(f"max_pool1d() padding must be non-negative, but got {padding}")
    if padding > kernel / 2:
        raise RuntimeError(
            f"max_pool1d() padding should be at most half of kernel size, but got padding={padding} and "
            f"kernel_size={kernel}"
        )
    if dilation <= 0:
        raise RuntimeError(f"max_pool1d() dilation must be greater than zero, but got {dilation}")
    out = window_count(size, kernel, stride, padding, dilation, ceil_mode)
    if out <= 0:
        raise RuntimeError(f"max_pool1d() Invalid computed output size: {out}")


def _counts(shape: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool) -> Ints:
    return tuple(
        [
            window_count(size, k, s, p, d, ceil_mode)
            for size, k, s, p, d in zip(shape[-len(kernel) :], kernel, stride, padding, dilation, strict=True)
        ]
    )


# --- what the public functions call -----------------------------------------------------------------------------------


def max_pool(
    n: int,
    input: Tensor,
    kernel_size: IntOrInts,
    stride: IntOrInts | None,
    padding: IntOrInts,
    dilation: IntOrInts,
    ceil_mode: bool,
    indices: bool = True,
) -> tuple[Tensor, Tensor]:
    """Returns the largest of each window and its flat place, with torch's checks."""
    name = f"max_pool{n}d"
    kernel = _several(kernel_size, n, name, "kernel_size")
    steps = kernel if stride is None or stride == [] or stride == () else _several(stride, n, name, "stride")
    pads, gaps = _several(padding, n, name, "padding"), _several(dilation, n, name, "dilation")
    if n == 1 and indices:
        name = "max_pool2d"  # torch goes by way of two dimensions then, and checks those
    _check_pads(kernel, pads, gaps, name)
    _check_dims(input, n, f"max_pool{n}d")
    _check_windows(tuple(input._a.shape), kernel, steps, pads, gaps, ceil_mode, name)
    if input._key.dtype.category == 0:
        raise NotImplementedError(f"\"max_pool{max(n, 2)}d\" not implemented for 'Bool'")
    return _max_pool(input, kernel, steps, pads, gaps, ceil_mode)


def avg_pool(
    n: int,
    input: Tensor,
    kernel_size: IntOrInts,
    stride: IntOrInts | None,
    padding: IntOrInts,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    """Returns the mean of each window, with torch's checks."""
    name = f"avg_pool{n}d"
    kernel = _several(kernel_size, n, name, "kernel_size")
    steps = kernel if stride is None or stride == [] or stride == () else _several(stride, n, name, "stride")
    pads = _several(padding, n, name, "padding")
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    _check_pads(kernel, pads, (1,) * n, name)
    _check_dims(input, n, name)
    _check_windows(tuple(input._a.shape), kernel, steps, pads, (1,) * n, ceil_mode, name)
    kind = input._key.dtype
    if kind.category == 0 or (n == 3 and kind.name in ("float16", "bfloat16")):
        what = "avg_pool3d_out_frame" if n == 3 else "avg_pool2d"
        raise NotImplementedError(f"\"{what}\" not implemented for '{kind.legacy}'")
    return _avg_pool(input, kernel, steps, pads, ceil_mode, count_include_pad, divisor_override)


def _wrong_count(name: str, n: int, count: int, *, average: bool) -> str:
    """Returns the sentence for an output size of so many numbers."""
    if n == 1:
        return f"{name}() argument 'output_size' should contain one int (got {count})"
    if average:
        return f"{name}: output_size must be {n}"
    return f"{name}(): internal error: output_size.size() must be {n}"


def _refuse_dtype(input: Tensor, what: str, n: int) -> None:
    dtype = input._key.dtype
    if dtype.category < 2 and (input._a.size or n == 3):
        name = f"{what}3d_cpu" if n == 3 else f"{what}2d"
        raise NotImplementedError(f"\"{name}\" not implemented for '{dtype.legacy}'")


def _asked(input: Tensor, output_size: Any, n: int, name: str, *, colon: bool) -> Ints:
    """Returns the sizes asked for; None in a place keeps the input's."""
    shape = list(input._a.shape)
    wrong = len(shape) not in (n + 1, n + 2)
    if n > 1 and len(shape) <= n and isinstance(output_size, (list, tuple)):
        raise ValueError(f"Input dimension should be at least {n + 1}")
    if wrong and n == 1:
        raise RuntimeError(
            f"Expected 2 to 3 dimensions, but got {len(shape)}-dimensional tensor for argument #1 'self' (while "
            f"checking arguments for {name})"
        )
    if wrong:
        raise RuntimeError(f"{name}(): Expected {n + 1}D or {n + 2}D tensor, but got{':' if colon else ''} {shape}")
    sizes: tuple[Any, ...] = (
        (output_size,) * n if isinstance(output_size, int) or output_size is None else tuple(output_size)
    )
    sizes = sizes * n if len(sizes) == 1 else sizes
    if len(sizes) != n:
        raise RuntimeError(_wrong_count(name, n, len(sizes), average=not colon))
    sizes = tuple([have if size is None else size for size, have in zip(sizes, shape[-n:], strict=True)])
    if any(size < 0 for size in sizes):
        if colon:
            lead = shape[:-n] if n > 1 else [*([1] if len(shape) == 2 else []), *shape[:-1], 1]
            shown = ", ".join(map(str, (*lead, *sizes)))
            worst = next(size for size in sizes if size < 0)
            raise RuntimeError(f"Trying to create tensor with negative dimension {worst}: [{shown}]")
        listed = ", ".join(map(str, (1, *sizes) if n == 1 else sizes))
        if n == 3:
            listed = f"{sizes[0]}, {sizes[1]},{sizes[2]}"
        if n == 1:
            name = "adaptive_avg_pool2d"
        raise RuntimeError(
            f"{name}: elements of output_size must be greater than or equal to 0 but received {{{listed}}}"
        )
    for dim in range(len(shape) - n, len(shape)):
        if shape[dim] == 0:
            raise RuntimeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes {shape} "
                f"with dimension {dim} being empty"
            )
    return sizes


def adaptive_avg(n: int, input: Tensor, output_size: Any) -> Tensor:
    """Returns the mean of each of ``output_size`` windows, with torch's checks."""
    name = f"adaptive_avg_pool{n}d"
    sizes = _asked(input, output_size, n, name, colon=False)
    _refuse_dtype(input, "adaptive_avg_pool", n)
    return _adaptive_avg_pool(input, sizes)


def adaptive_max(n: int, input: Tensor, output_size: Any) -> tuple[Tensor, Tensor]:
    """Returns the largest of each of ``output_size`` windows and its flat place, with torch's checks."""
    sizes = _asked(input, output_size, n, f"adaptive_max_pool{n}d", colon=True)
    _refuse_dtype(input, "adaptive_max_pool", n)
    return _adaptive_max_pool(input, sizes)


# --- the names of the torch namespace ---------------------------------------------------------------------------------


@composite(samples=lambda make: iter((Sample((make(2, 3, 7), 3, 2, 1)), Sample((make(3, 8), 2)))))
def max_pool1d(
    input: Tensor,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: IntOrInts = 0,
    dilation: IntOrInts = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """Returns the largest of each window of (N, C, L)."""
    return max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode, False)[0]


@composite(samples=lambda make: iter((Sample((make(2, 3, 7), 3, 2, 1, 1, True)),)))
def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: IntOrInts = 0,
    dilation: IntOrInts = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """Returns the largest of each window of (N, C, L), and where it lies."""
    return max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode)


@composite(samples=lambda make: iter((Sample((make(2, 3, 7, 6), 3, 2, 1)), Sample((make(3, 8, 6), (2, 3))))))
def max_pool2d(
    input: Tensor,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: IntOrInts = 0,
    dilation: IntOrInts = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """Returns the largest of each window of (N, C, H, W)."""
    return max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode)[0]


@composite(samples=lambda make: iter((Sample((make(1, 2, 5, 4, 5), 3, 2, 1)), Sample((make(2, 4, 4, 4), 2)))))
def max_pool3d(
    input: Tensor,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: IntOrInts = 0,
    dilation: IntOrInts = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """Returns the largest of each window of (N, C, D, H, W)."""
    return max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode)[0]


@composite(samples=lambda make: iter((Sample((make(2, 3, 7), 3, 2, 1)), Sample((make(3, 8), 3, 2, 1, True, False)))))
def avg_pool1d(
    input: Tensor,
    kernel_size: IntOrInts,
    stride: IntOrInts | None = None,
    padding: IntOrInts = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Returns the mean of each window of (N, C, L)."""
    return avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


@composite(samples=lambda make: iter((Sample((make(2, 3, 7), 3)), Sample((make(3, 8), [1])))))
def adaptive_avg_pool1d(input: Tensor, output_size: IntOrInts) -> Tensor:
    """Returns the means of ``output_size`` windows that cover (N, C, L)."""
    return adaptive_avg(1, input, output_size)


@composite(samples=lambda make: iter((Sample((make(2, 3, 7), 3)), Sample((make(3, 8), [1])))))
def adaptive_max_pool1d(input: Tensor, output_size: IntOrInts) -> tuple[Tensor, Tensor]:
    """Returns the largest of ``output_size`` windows that cover (N, C, L), and where they lie."""
    return adaptive_max(1, input, output_size)
