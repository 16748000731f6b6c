"""Short draws whose numbers were made ahead: plain calls of ``rand``, ``randn`` and ``randperm``, on the shortest way.

A call without options, outside of ``vmap`` and of a trace, whose numbers lie ready beside the stream's next words,
takes a copy of them; every other call goes the ordinary way, which is also what makes numbers ahead
(``random.streams``). Must not know: how numbers are made.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from dispatchtorch._base.device import asked_device
from dispatchtorch._base.dtypes import DType, float32, get_default_dtype, int64, when_default_changes
from dispatchtorch.batching.levels import LEVELS
from dispatchtorch.dispatch.tracing import tracing
from dispatchtorch.ops.create import new_key
from dispatchtorch.plugin.backend import Backend
from dispatchtorch.plugin.selection import default_backend
from dispatchtorch.random.block import Block
from dispatchtorch.random.generator import default_generator
from dispatchtorch.tensor.key import Key, marking
from dispatchtorch.tensor.tensor import Tensor, marked, new

__all__ = ["normals_ahead", "shuffles_ahead", "uniforms_ahead"]

F = TypeVar("F", bound=Callable[..., Tensor])
_TOO_MANY: Final = 2048

Target = tuple[Key, Callable[[Any, str], Any], str]  # a new vector's key, how its array is taken in, and where

_floats: Final[dict[Backend, Target]] = {}  # of vectors of the default dtype, where that is float32
_wholes: Final[dict[Backend, Target]] = {}
when_default_changes(_floats.clear)


def _target(targets: dict[Backend, Target], backend: Backend, dtype: DType) -> Target | None:
    """Returns where new vectors go, kept from now on; None where the numbers that are made ahead are not theirs."""
    if dtype is float32 and get_default_dtype() is not float32:
        return None
    key = new_key(dtype, None)
    target = targets[backend] = (key, backend.adopt, str(key.device))
    return target


def uniforms_ahead(slow: F) -> F:
    """Returns ``rand`` with its shortest way before it."""

    def take(block: Block, at: int, count: int) -> tuple[Any, int]:
        numbers = block.uniforms
        end = at + count
        return (None, end) if numbers is None or end > block.end else (numbers[at:end], end)

    return _short(slow, take, _floats, float32)


def normals_ahead(slow: F) -> F:
    """Returns ``randn`` with its shortest way before it."""

    def take(block: Block, at: int, count: int) -> tuple[Any, int]:
        if count % 16:
            return block.row("normal", count, at), at + count + 16
        beside = at % 16
        numbers = block.normals[beside]
        end = at + count
        if numbers is None or end > numbers.size + beside:
            return None, end
        return numbers[at - beside : end - beside], end

    return _short(slow, take, _floats, float32)


def shuffles_ahead(slow: F) -> F:
    """Returns ``randperm`` with its shortest way before it."""

    def take(block: Block, at: int, count: int) -> tuple[Any, int]:
        return block.row("shuffle", count, at), at + count - 1

    return _short(slow, take, _wholes, int64)


def _short(
    slow: F, take: Callable[[Block, int, int], tuple[Any, int]], targets: dict[Backend, Target], dtype: DType
) -> F:
    @functools.wraps(slow)
    def draw(*size: Any, out: Tensor | None = None, **options: Any) -> Tensor:
        if out is not None or options or LEVELS.stack or tracing.now is not None or len(size) != 1 or asked_device():
            return slow(*size, out=out, **options)
        count = size[0]
        if type(count) is not int or not 0 < count <= _TOO_MANY:
            return slow(count)
        backend = default_backend()
        target = targets.get(backend) or _target(targets, backend, dtype)
        block = default_generator.engine.block
        at = block.at
        ready, end = take(block, at, count)
        if ready is None or target is None:
            return slow(count)
        key, adopt, where = target
        a = ready.copy()
        if block.at != at:  # another thread was quicker
            return slow(count)
        block.at = end  # Python does not interrupt between the two
        t = new(Tensor)
        t._a = adopt(a, where)
        t._key = key if not marking.on else marked(key)
        t._edge = t._cell = t._extra = None
        return t

    return cast(F, draw)
