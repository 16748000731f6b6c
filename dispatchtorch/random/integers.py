"""Whole numbers: ranges, full ranges and permutations."""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dispatchtorch._base.dtypes import by_name
from dispatchtorch.random.block import Block
from dispatchtorch.random.engine import Engine
from dispatchtorch.random.scalars import CXX_NAME, DIGITS, Shape, cast, count, host_dtype
from dispatchtorch.random.swaps import swapper

__all__ = ["randint", "random_", "randperm"]

_LOWEST: Final = -(2**63)
_WIDE: Final = 1 << 28  # from this range on, torch spends 64 bits a number to keep the remainder fair
_FULL: Final = ("int64", "float64", "float32", "bfloat16")
_FEW: Final = 24  # up to this length a loop of swaps is quicker than a call of LAPACK
_SWAPS: Final = 400  # below this length a loop of swaps beats the sorted form
_SHORT: Final = 2048  # up to here permutations are made of words that are still to come, for several calls at once
_BLOCK: Final = 1 << 14  # numbers at a time, which stay in the cache


def randint(engine: Engine, low: int, high: int, shape: Shape, dtype_name: str = "int64") -> NDArray[Any]:
    """Return whole numbers of [low, high) in any real dtype."""
    return random_(engine, shape, dtype_name, low, high)


def random_(
    engine: Engine, shape: Shape, dtype_name: str, low: int | None = None, high: int | None = None
) -> NDArray[Any]:
    """Return what ``Tensor.random_`` fills in: [low, high), [low, largest], or without bounds a dtype's own range."""
    if low is None and high is None:
        return _natural(engine, shape, dtype_name)
    base = 0 if low is None else low
    if high is None and base == _LOWEST:
        return _full(engine, shape, dtype_name)
    base, top = _bounds(dtype_name, base, high)
    size = count(shape)
    span = top - base
    if not size:
        return np.empty(shape, host_dtype(dtype_name))
    words: NDArray[Any]
    if span >= _WIDE:
        words = engine.words64(size)
        words %= np.uint64(span)
    else:
        words = engine.words32(size)
        words %= np.uint32(span)
    values = words.astype(np.int64)
    values += base
    return cast(values, dtype_name).reshape(shape)


def _natural(engine: Engine, shape: Shape, name: str) -> NDArray[Any]:
    size = count(shape)
    if name in ("uint16", "uint32", "uint64"):
        raise NotImplementedError(f"\"random_kernel_cpu\" not implemented for '{by_name(name).legacy}'")
    words: NDArray[Any] = engine.words64(size) if name in ("int64", "float64") else engine.words32(size)
    if name == "bool":
        words &= words.dtype.type(1)
    elif name in DIGITS:
        words %= words.dtype.type((1 << DIGITS[name]) + 1)
    else:
        words &= words.dtype.type(np.iinfo(name).max)
    return cast(words.astype(np.int64), name).reshape(shape)


def _full(engine: Engine, shape: Shape, name: str) -> NDArray[Any]:
    if name not in _FULL:
        raise RuntimeError("random_full_64_bits_range_kernel_cpu handles only int64, double, float and bfloat16")
    return cast(engine.words64(count(shape)).view(np.int64), name).reshape(shape)


def _bounds(name: str, low: int, high: int | None) -> tuple[int, int]:
    """Return the range that is drawn from; for floating types both ends move inward to numbers that they hold."""
    floating = name in DIGITS
    if high is None:
        if floating:
            top = 1 << DIGITS[name]
            low = _inward_low(name, low)
            if low >= top:
                raise RuntimeError(
                    "random_ expects 'from' casted to dtype to be less than or equal to 'to_inc' casted to dtype, "
                    f"but got from={low} > to_inc={top}"
                )
        else:
            top = 1 if name == "bool" else min(int(np.iinfo(name).max), 2**63 - 1)
        _check_range(name, low, top)
        return low, top + 1
    if not low < high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    if floating:
        low, high = _inward_low(name, low), _inward_high(name, high)
        if not low < high:
            raise RuntimeError(
                "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, "
                f"but got from={low} >= to={high}"
            )
    _check_range(name, low, high - 1)
    return low, high


def _held(name: str, value: int) -> int:
    with np.errstate(over="ignore"):
        held = float(cast(np.array(value, np.float64 if name == "float64" else np.float32), name))
    return int(held) if np.isfinite(held) else value


def _inward_low(name: str, low: int) -> int:
    held = _held(name, low + 1)
    if held < low:
        return held + (1 << max(abs(low + 1).bit_length() - DIGITS[name], 0))
    return low


def _inward_high(name: str, high: int) -> int:
    held = _held(name, high - 1)
    if held >= high:
        return held - (1 << max(abs(high - 1).bit_length() - DIGITS[name], 0))
    return high


def _check_range(name: str, low: int, top: int) -> None:
    ends = ((low, "from"), (top, "to - 1"))
    if name in DIGITS:
        digits = DIGITS[name]
        largest = {"float16": 65504.0}.get(name, 1e38)
        for value, word in ends:
            if not -largest <= value <= largest:
                raise RuntimeError(f"{word} is out of bounds for {CXX_NAME[name]}")
        for value, word in ends:
            if abs(value) > 1 << digits:
                warnings.warn(
                    f"{word} is out of bounds [-(2^{digits}), 2^{digits}]. Due to precision limitations "
                    f"{CXX_NAME[name]} can support discrete uniform distribution only within this range. This warning "
                    "will become an error in version 1.7 release, please fix the code in advance",
                    UserWarning,
                    stacklevel=5,
                )
        return
    least, most = (0, 1) if name == "bool" else (int(np.iinfo(name).min), min(int(np.iinfo(name).max), 2**63 - 1))
    for value, word in ends:
        if not least <= value <= most:
            raise RuntimeError(f"{word} is out of bounds for {CXX_NAME[name]}")


def randperm(engine: Engine, n: int, dtype_name: str = "int64") -> NDArray[Any]:
    """Return the numbers 0 to n - 1, shuffled; costs one word for each but the last.

    From 2**32 / 20 numbers on, torch changes to another method, which is not followed here.
    """
    ahead = _next_row(engine, n) if 1 < n <= _SHORT else None
    if ahead is not None:
        return cast(ahead, dtype_name)
    swap = swapper() if n > _FEW else None
    if swap is not None:
        values = np.arange(n)
        places = np.empty(n - 1, np.int64)
        for start in range(0, n - 1, _BLOCK):
            part = places[start : start + _BLOCK]
            left = np.arange(float(n - start), n - start - part.size, -1)
            _aim(engine.words32(part.size), left, n + 1, part)
        swap(values, places)
        return cast(values, dtype_name)
    words = engine.words32(max(n - 1, 0))
    if n < _SWAPS:
        line = list(range(n))
        for place, word in enumerate(words.tolist()):
            other = place + word % (n - place)
            line[place], line[other] = line[other], line[place]
        return cast(np.array(line, np.int64), dtype_name)
    return cast(_shuffled(words, n), dtype_name)


def _next_row(engine: Engine, n: int) -> NDArray[np.int64] | None:
    """Return a permutation of the next words, if such ones are made ahead: all of them by one run of swaps."""
    block = engine.room(n - 1)
    if block is None:
        return None
    at = block.at
    row = block.row("shuffle", n, at)
    turns = (block.end - at) // (n - 1)
    if row is None and turns > 1 and block.repeats("shuffle", n, at, n - 1):
        row = _rows(block, n, at, turns)
    if row is None or block.claim(n - 1) != at:
        return None
    return row.copy()  # type: ignore[no-any-return]  # rows of whole numbers


def _rows(block: Block, n: int, at: int, turns: int) -> NDArray[np.int64] | None:
    """Return the first of as many permutations as the rest of a block has words for, and keep all of them there."""
    swap = swapper()
    if swap is None:
        return None
    # Each row has a place more than it has words: its last, which stays where it is.
    places = np.arange(n, turns * n + 1, n)[:, None].repeat(n, 1)
    aimed = np.empty(turns * (n - 1), np.int64)
    words = block.words[at : at + aimed.size]
    _aim(words, np.tile(np.arange(float(n), 1, -1), turns), n + 1, aimed)
    places[:, :-1] += aimed.reshape(turns, n - 1)
    places[:, :-1] -= n
    values = np.tile(np.arange(n), turns)
    swap(values, places.reshape(-1))
    rows = values.reshape(turns, n)
    block.rows["shuffle", n] = (at, n - 1, rows)
    return rows[0]  # type: ignore[no-any-return]  # one row of whole numbers


def _aim(words: NDArray[np.uint32], left: NDArray[np.float64], end: int, out: NDArray[np.int64]) -> None:
    """Leave in ``out`` with which place, counted from 1, each is swapped: itself or one of those left behind it."""
    # a remainder by way of floats, which have a quotient of whole numbers under 2**32 on the right side
    chosen = words.astype(np.float64)
    quotient = np.divide(chosen, left)
    np.floor(quotient, quotient)
    np.multiply(quotient, left, quotient)
    chosen -= quotient
    chosen -= left
    chosen += end
    out[...] = chosen


def _shuffled(words: NDArray[np.uint32], n: int) -> NDArray[np.int64]:
    """Return the shuffled numbers without swapping one by one.

    Step k swaps place k with target[k] >= k, so place k is final after step k and holds what stood at its target. What
    stands at a place was left there by the last earlier step that aimed at it, namely that step's own former number:
    each step's number is found by following "last earlier step that aimed at me" to its root. The chains are short
    (about log n), so a few rounds of pointer doubling resolve all of them at once.
    """
    steps = np.arange(n, dtype=np.int64)
    target = steps.copy()
    remaining: NDArray[np.uint32] = np.arange(n, 1, -1, dtype=np.uint32)
    target[:-1] += words % remaining
    # Sorted by target, then step: neighbours with one target are successive visits to one place.
    bits = n.bit_length()
    keys = target << bits
    keys |= steps
    keys.sort()
    place = keys >> bits
    visitor = keys
    visitor &= (1 << bits) - 1
    again = place[1:] == place[:-1]
    # Place k's last visitor before step k: the last of its group, or the one before if that is step k itself. Choices
    # are made by arithmetic: branches on random bits would cost more than all the rest.
    ends = np.flatnonzero(np.append(~again, True))
    group = place[ends]
    last = ends - (visitor[ends] == group)
    root = steps.copy()
    shift: NDArray[np.int64] = (place[last] == group) * (visitor[last] - group)
    root[group] += shift
    while True:
        further = root[root]
        if np.array_equal(further, root):
            break
        root = further
    # Step k ends with its target's number: what the earlier step with this target left there, else the target itself.
    source = place + n
    source[1:] += again * (visitor[:-1] - source[1:])
    out = np.empty(n, np.int64)
    out[visitor] = np.concatenate((root, steps))[source]
    return out
