"""Normal numbers: torch's two ways to make them, and the forms of ``torch.normal``."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dispatchtorch._base.dtypes import by_name
from dispatchtorch.random import boxmuller
from dispatchtorch.random.block import Block
from dispatchtorch.random.engine import Engine
from dispatchtorch.random.scalars import Shape, cast, count, fused, libm, require_floating

__all__ = ["log_normal", "normal", "normal_tensor", "standard_normal", "standard_normals"]

_SHORT: Final = 2048  # up to here normals are made of words that are still to come, for several calls at once
_FEW: Final = 24  # up to here a loop of scalars is quicker than arrays


def standard_normals(engine: Engine, size: int) -> NDArray[np.float64]:
    """Return ``size`` normals made pair by pair: the cosine first; a sine left over is kept for the next call."""
    if size <= _FEW:
        return np.array([standard_normal(engine) for _ in range(size)], np.float64)
    out = np.empty(size, np.float64)
    start = 0
    if engine.next_double is not None:
        out[0] = engine.next_double
        engine.next_double = None
        start = 1
    pairs = (size - start + 1) // 2
    drawn = engine.doubles(2 * pairs)
    radius = libm(math.log1p, np.log1p, -drawn[1::2])
    radius *= -2.0
    np.sqrt(radius, out=radius)
    angle = drawn[0::2] * (2.0 * math.pi)
    made = np.empty((pairs, 2), np.float64)
    np.multiply(radius, libm(math.cos, np.cos, angle), out=made[:, 0])
    np.multiply(radius, libm(math.sin, np.sin, angle), out=made[:, 1])
    flat = made.reshape(-1)
    out[start:] = flat[: size - start]
    if (size - start) % 2:
        # libm's own value: it goes into the state, which has to be torch's to the last bit.
        engine.next_double = math.sqrt(-2.0 * math.log1p(-float(drawn[-1]))) * math.sin(float(angle[-1]))
    return out


def standard_normal(engine: Engine) -> float:
    """Return one number of the same stream, quicker than an array of one."""
    kept = engine.next_double
    if kept is not None:
        engine.next_double = None
        return kept
    angle = engine.double() * (2.0 * math.pi)
    radius = math.sqrt(-2.0 * math.log1p(-engine.double()))
    engine.next_double = radius * math.sin(angle)
    return radius * math.cos(angle)


def normal(
    engine: Engine, shape: Shape, dtype_name: str, mean: float = 0.0, std: float = 1.0, *, contiguous: bool = True
) -> NDArray[Any]:
    """Return normals of this mean and standard deviation, of a floating or complex dtype.

    Sixteen and more are made in blocks, if the tensor they are for is contiguous; fewer, or others, pair by pair.
    """
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
    if dtype_name.startswith("complex"):
        part = by_name(dtype_name).to_real().name
        both = normal(engine, (*shape, 2), part, mean, std / math.sqrt(2), contiguous=contiguous)
        return both.view(dtype_name).reshape(shape)
    require_floating(dtype_name, "normal_kernel_cpu")
    size = count(shape)
    if size < 16 or not contiguous:
        values = standard_normals(engine, size)
        if std != 1.0 or mean != 0.0:
            values = fused(values, std, mean)
        return cast(values, dtype_name).reshape(shape)
    if dtype_name == "float64":
        return _blocks64(engine, size, mean, std).reshape(shape)
    # A float tensor is filled to its end before the last sixteen are drawn again; a half tensor only to its last block.
    whole = size - size % 16
    filled = size if dtype_name == "float32" else whole
    if size <= _SHORT and mean == 0.0 and std == 1.0:
        out = _short(engine, size, filled)
    else:
        out = _long(engine, shape, filled, mean, std)
    return cast(out, dtype_name).reshape(shape)


def _long(engine: Engine, shape: Shape, filled: int, mean: float, std: float) -> NDArray[np.float32]:
    """Return normals, the last sixteen of which are made of the words behind the first ``filled`` if need be."""
    out = np.empty(shape, np.float32)
    flat = out.reshape(-1)
    whole = flat.size - flat.size % 16
    block = boxmuller.BLOCK
    if whole == flat.size:
        boxmuller.fill(flat, (engine.words32(min(block, whole - at)) for at in range(0, whole, block)), mean, std)
        return out
    main = whole - whole % block
    boxmuller.fill(flat[:main], (engine.words32(block) for _ in range(0, main, block)), mean, std)
    words = engine.words32(filled - main + 16)
    made = boxmuller.from_words(np.append(words[: whole - main], words[filled - main :]), mean, std)
    flat[main:whole] = made[: whole - main]
    flat[-16:] = made[whole - main :]
    return out


def _short(engine: Engine, size: int, filled: int) -> NDArray[np.float32]:
    """Return standard normals for few elements, the last of which are made of the words behind the first ``filled``.

    Transforming sixteen words costs nearly as much as transforming a thousand. So where one call follows another, the
    words to come are transformed at once, and what comes of them is kept beside them.
    """
    whole = size - size % 16
    count = size if whole == size else filled + 16
    block = engine.room(count)
    at = -1 if block is None else block.claim(count)
    if block is None or at < 0:
        return _ended(engine.words32(count), size, filled)
    row = block.row("normal", size, at)
    if row is not None:
        return row.copy()  # type: ignore[no-any-return]  # rows of normals
    follows = block.last is not None and block.last[0] == "normal" and block.last[2] == at
    again = block.repeats("normal", size, at, count)
    if whole == size:
        return _part(block, at, size, ahead=follows)
    turns = (block.end - at) // count
    if again and filled == size and turns > 1:
        words = block.words[at : at + turns * count].reshape(turns, count)
        rows = _ended(words, size, filled)
        block.rows["normal", size] = (at, count, rows)
        return rows[0].copy()  # type: ignore[no-any-return]  # one row of normals
    return _ended(block.words[at : at + count], size, filled)


def _ended(words: NDArray[np.uint32], size: int, filled: int) -> NDArray[np.float32]:
    """Return normals of each row of words: the last sixteen are made of the words behind the first ``filled``."""
    whole = size - size % 16
    if words.shape[-1] == whole:
        return boxmuller.from_words(words, 0.0, 1.0)
    used = words if filled == whole else np.concatenate((words[..., :whole], words[..., filled:]), -1)
    made = boxmuller.from_words(used.reshape(-1), 0.0, 1.0).reshape(used.shape)
    out = np.empty((*words.shape[:-1], size), np.float32)
    out[..., :whole] = made[..., :whole]
    out[..., -16:] = made[..., whole:]
    return out


def _part(block: Block, at: int, size: int, *, ahead: bool) -> NDArray[np.float32]:
    """Return normals of ``size`` words, in sixteens; if ``ahead``, those of the words behind are made with them."""
    beside = at % 16
    numbers = block.normals[beside]
    if numbers is None:
        if not ahead:
            return boxmuller.from_words(block.words[at : at + size], 0.0, 1.0)
        stop = at + (block.end - at) // 16 * 16
        numbers = np.empty(stop - beside, np.float32)  # counted from the first sixteen, which may be given out
        numbers[at - beside :] = boxmuller.from_words(block.words[at:stop], 0.0, 1.0)
        block.normals[beside] = numbers
    return numbers[at - beside : at - beside + size].copy()


def _blocks64(engine: Engine, size: int, mean: float, std: float) -> NDArray[np.float64]:
    drawn = engine.doubles(size)
    whole = size - size % 16
    out = np.empty(size, np.float64)
    out[:whole] = _from_doubles(drawn[:whole], mean, std)
    if whole != size:
        out[-16:] = _from_doubles(engine.doubles(16), mean, std)
    return out


def _from_doubles(drawn: NDArray[np.float64], mean: float, std: float) -> NDArray[np.float64]:
    rows = drawn.reshape(-1, 2, 8)
    radius = libm(math.log, np.log, 1.0 - rows[:, 0].reshape(-1))
    radius *= -2.0
    np.sqrt(radius, out=radius)
    angle = rows[:, 1].reshape(-1) * (2.0 * math.pi)
    out = np.empty(rows.shape, np.float64)
    out[:, 0] = fused(radius * libm(math.cos, np.cos, angle), std, mean).reshape(-1, 8)
    out[:, 1] = fused(radius * libm(math.sin, np.sin, angle), std, mean).reshape(-1, 8)
    return out.reshape(-1)


def normal_tensor(
    engine: Engine, mean: NDArray[Any] | float, std: NDArray[Any] | float, dtype_name: str
) -> NDArray[Any]:
    """Return normals whose mean, standard deviation or both stand in arrays, as ``torch.normal`` draws them.

    ``dtype_name`` is that of the result: the mean's where it is an array, else the deviation's.
    """
    shape = np.broadcast_shapes(np.shape(mean), np.shape(std))
    if isinstance(std, np.ndarray):
        if std.size and not bool((std >= 0).all()):
            raise RuntimeError("normal expects all elements of std >= 0.0")
        out = normal(engine, shape, dtype_name)
        out *= std.astype(out.dtype)
    else:
        out = normal(engine, shape, dtype_name, 0.0, std)
    out += np.asarray(mean).astype(out.dtype)
    return out


def log_normal(engine: Engine, shape: Shape, dtype_name: str, mean: float = 1.0, std: float = 2.0) -> NDArray[Any]:
    """Return exponentials of normals, always made pair by pair in double precision."""
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
    require_floating(dtype_name, "log_normal_cpu")
    exponents = fused(standard_normals(engine, count(shape)), std, mean)
    with np.errstate(over="ignore"):
        values = np.exp(exponents) if exponents.size > 2048 or _overflows(exponents) else _exp(exponents)
    return cast(values, dtype_name).reshape(shape)


def _overflows(exponents: NDArray[np.float64]) -> bool:
    return bool((exponents > 709.0).any())


def _exp(exponents: NDArray[np.float64]) -> NDArray[np.float64]:
    return libm(math.exp, np.exp, exponents)
