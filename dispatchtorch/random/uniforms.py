"""Uniform numbers and what is a single comparison away: Bernoulli trials, dropout's mask, rrelu's slopes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dispatchtorch._base.dtypes import by_name
from dispatchtorch.random.block import Block
from dispatchtorch.random.engine import Engine
from dispatchtorch.random.scalars import CXX_NAME, Shape, cast, count, fused, host_dtype, require_floating

__all__ = ["bernoulli", "bernoulli_tensor", "dropout_noise", "fill_axes", "in_fill_order", "rrelu_noise", "uniform"]

_BLOCK: Final = 1 << 14  # numbers at a time, which stay in the cache
_MASK24: Final = np.array(0xFF_FFFF, np.uint32)
_SCALE24: Final = np.array(2.0**-24, np.float32)
_MASK53: Final = np.uint64((1 << 53) - 1)
_LARGEST: Final = {
    "float16": 65504.0, "bfloat16": 3.3895313892515355e38, "float32": 3.4028234663852886e38,
    "float64": 1.7976931348623157e308,
}  # fmt: skip


def fill_axes(shape: Shape, strides: Shape) -> tuple[int, ...]:
    """Return the axes from the slowest to the fastest in the order in which torch fills a tensor: memory order.

    >>> fill_axes((2, 3), (1, 2))
    (1, 0)
    """
    return tuple(sorted(range(len(shape)), key=lambda axis: (-abs(strides[axis]), axis)))


def in_fill_order(shape: Shape, strides: Shape, draw: Callable[[tuple[int, ...]], NDArray[Any]]) -> NDArray[Any]:
    """Return ``draw``'s numbers laid out as torch lays them into a tensor of these strides."""
    axes = fill_axes(shape, strides)
    return draw(tuple(shape[axis] for axis in axes)).transpose(np.argsort(axes))


def _floats24(engine: Engine, size: int, shape: Shape | None = None) -> NDArray[np.float32]:
    block = engine.room(size)
    at = -1 if block is None else block.claim(size)
    if block is not None and at >= 0:
        few = _short24(block, at, size)
        return few if shape is None or len(shape) == 1 else few.reshape(shape)
    out = np.empty(size if shape is None else shape, np.float32)
    flat = out.reshape(-1)
    for start in range(0, size, _BLOCK):
        part = flat[start : start + _BLOCK]
        words = engine.words32(part.size)
        words &= _MASK24
        part[...] = words.view(np.int32)
        part *= _SCALE24
    return out


def _short24(block: Block, at: int, size: int) -> NDArray[np.float32]:
    numbers = block.uniforms
    if numbers is None:
        whole = block.last is not None and block.last[0] == "uniform"
        block.last = ("uniform", size, at + size)
        words = block.words & _MASK24 if whole else block.words[at : at + size] & _MASK24
        made: NDArray[np.float32] = words.view(np.int32).astype(np.float32)
        made *= _SCALE24
        if not whole:
            return made
        numbers = block.uniforms = made
    return numbers[at : at + size].copy()


def uniform(engine: Engine, shape: Shape, dtype_name: str, low: float = 0.0, high: float = 1.0) -> NDArray[Any]:
    """Return numbers of [low, high): 24 random bits each, 53 for float64; a complex number is two of them."""
    if dtype_name == "float32" and low == 0.0 and high == 1.0:
        return _floats24(engine, count(shape), shape)
    if dtype_name.startswith("complex"):
        part = by_name(dtype_name).to_real().name
        return uniform(engine, (*shape, 2), part, low, high).view(dtype_name).reshape(shape)
    _check_uniform(dtype_name, low, high)
    size = count(shape)
    dtype = host_dtype(dtype_name)
    if dtype_name == "float64":
        out: NDArray[Any] = engine.doubles(size)
        start, width = low, high - low
    else:
        out = _floats24(engine, size)
        start = float(np.float32(low))
        width = float(np.float32(high) - np.float32(low))
    if start != 0.0 or width != 1.0:
        out = fused(out, width, start)
    out = cast(out, dtype_name)
    if dtype.itemsize == 2 or start != 0.0 or width != 1.0:
        out[out == dtype.type(high)] = dtype.type(low)  # rounding reached the open end
    return out.reshape(shape)


def _check_uniform(name: str, low: float, high: float) -> None:
    require_floating(name, "check_uniform_bounds")
    largest = _LARGEST[name]
    for value, word in ((low, "from"), (high, "to")):
        if not -largest <= value <= largest:
            raise RuntimeError(f"{word} is out of bounds for {CXX_NAME[name]}")
    if not low <= high:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}")
    if high - low > largest:
        raise RuntimeError(
            f"uniform_ expects to-from <= std::numeric_limits<{by_name(name).legacy}>::max(), but found to={high:g} "
            f"and from={low:g} which result in to-from to exceed the limit"
        )


def bernoulli(engine: Engine, shape: Shape, dtype_name: str, p: float = 0.5) -> NDArray[Any]:
    """Return ones with probability ``p``, else zeros; each compares 53 random bits, whatever the dtype."""
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
    words = engine.words64(count(shape))
    words &= _MASK53
    ones = words < np.uint64(math.ceil(math.ldexp(p, 53)))
    return cast(ones, dtype_name).reshape(shape)


def bernoulli_tensor(engine: Engine, p: NDArray[Any], dtype_name: str, shape: Shape | None = None) -> NDArray[Any]:
    """Return ones with the probability that stands at each place: 24 random bits each, 53 if ``p`` is float64."""
    p = np.broadcast_to(p, tuple(p.shape if shape is None else shape))
    wide = p.dtype == np.float64
    values = p if wide else p.astype(np.float32)
    if p.size and not bool(((values >= 0) & (values <= 1)).all()):
        raise RuntimeError(
            "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  "
            "(Could this error message be improved?  If so, please report an enhancement request to PyTorch.)"
        )
    drawn = engine.doubles(p.size) if wide else _floats24(engine, p.size)
    return cast(drawn.reshape(p.shape) < values, dtype_name)


def dropout_noise(engine: Engine, shape: Shape, dtype_name: str, p: float) -> NDArray[Any]:
    """Return what dropout in training multiplies by: 0 with probability ``p``, else 1 / (1 - p) in the dtype.

    With p = 0 or p = 1 torch draws nothing, and neither does this. Channel dropout asks with shape (N, C, 1, ...).
    """
    dtype = host_dtype(dtype_name)
    if p in (0.0, 1.0) or not count(shape):
        return np.full(shape, 1.0 - p, dtype)
    wide = "float64" if dtype_name == "float64" else "float32"
    noise = bernoulli(engine, shape, wide, 1 - p)
    noise /= noise.dtype.type(1 - p)
    return cast(noise, dtype_name)


def rrelu_noise(engine: Engine, values: NDArray[Any], lower: float, upper: float) -> NDArray[Any]:
    """Return rrelu's slopes in training: a uniform number of [lower, upper) where ``values`` <= 0, else 1."""
    noise = np.ones_like(values)
    negative = values <= 0
    drawn = engine.doubles(int(np.count_nonzero(negative)))
    start, end = float(values.dtype.type(lower)), float(values.dtype.type(upper))
    drawn *= end - start
    drawn += start
    noise[negative] = drawn.astype(values.dtype)
    return noise
