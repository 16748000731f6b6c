"""Kernels that make arrays from numbers, and that copy and cast."""

from __future__ import annotations

from typing import Any

from dispatchtorch.plugin.numpylike import kernel


@kernel
def _full(xp: Any, shape: tuple[int, ...], value: Any, dtype: Any) -> Any:
    return xp.full(shape, value, dtype=dtype)


@kernel
def _arange(xp: Any, start: float, step: float, count: int, dtype: Any) -> Any:
    if isinstance(start, int) and isinstance(step, int):
        return (xp.arange(count, dtype=xp.int64) * step + start).astype(dtype)
    return (xp.arange(count, dtype=xp.float64) * step + start).astype(dtype)


def _half_linspace(xp: Any, start: float, end: float, steps: int, dtype: Any) -> Any:
    """Returns evenly spaced values of which each step of the sum is rounded to half precision, as PyTorch does it."""

    def rounded(a: Any) -> Any:
        return xp.asarray(a, dtype=xp.float32).astype(dtype).astype(xp.float32)

    low, high = rounded(start), rounded(end)
    step = rounded(rounded(high - low) / (steps - 1))
    i = xp.arange(steps, dtype=xp.float32)
    up, down = low + rounded(step * i), high - rounded(step * (steps - 1 - i))
    return xp.where(xp.arange(steps) < steps // 2, up, down).astype(dtype)


@kernel
def _linspace(xp: Any, start: float, end: float, steps: int, dtype: Any) -> Any:
    if steps == 1:
        return xp.full((1,), start, dtype=dtype)
    if xp.dtype(dtype).name.endswith("float16"):
        return _half_linspace(xp, start, end, steps, dtype)
    if xp.dtype(dtype).kind in "iub":
        start, end = int(start), int(end)
    exact = xp.float64 if xp.dtype(dtype).kind in "iub" or xp.dtype(dtype).itemsize == 8 else xp.float32
    if xp.dtype(dtype).kind == "c":
        exact = dtype
    step = xp.asarray((end - start) / (steps - 1), dtype=exact)
    i = xp.arange(steps, dtype=exact)
    low = xp.asarray(start, dtype=exact) + step * i
    high = xp.asarray(end, dtype=exact) - step * (steps - 1 - i)
    return xp.where(xp.arange(steps) < steps // 2, low, high).astype(dtype)


@kernel
def _eye(xp: Any, rows: int, columns: int, dtype: Any) -> Any:
    return xp.eye(rows, columns, dtype=dtype)


def within_range(xp: Any, a: Any, dtype: Any) -> Any:
    """Returns what float8_e4m3fn, which has no infinity, can hold: what is too large becomes the largest number."""
    if dtype.name != "float8_e4m3fn" or a.dtype.name == dtype.name:
        return a
    return xp.clip(a.astype("float32"), -448.0, 448.0)


@kernel
def _cast(xp: Any, a: Any, dtype: Any) -> Any:
    if a.dtype.kind == "c" and xp.dtype(dtype).kind not in "cb":
        a = a.real
    return within_range(xp, a, xp.dtype(dtype)).astype(dtype)


@kernel
def _clone(xp: Any, a: Any) -> Any:
    return a.copy(order="C" if 0 in getattr(a, "strides", ()) else "K")  # repeated elements are laid out row by row


@kernel
def _copy(xp: Any, a: Any, source: Any) -> Any:
    if source.dtype.kind == "c" and a.dtype.kind not in "cb":
        source = source.real
    return xp.broadcast_to(within_range(xp, source, a.dtype), a.shape).astype(a.dtype)


@kernel
def _fill(xp: Any, a: Any, value: Any) -> Any:
    return xp.full(a.shape, value, dtype=a.dtype)


@kernel
def _row_major(xp: Any, a: Any) -> Any:
    return a.copy()
