"""Random numbers on a level: one draw for all examples, or one an example, as ``vmap`` was told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dispatchtorch.batching.array import Batched
from dispatchtorch.batching.errors import RANDOM, UNBATCHED
from dispatchtorch.batching.levels import LEVELS
from dispatchtorch.dispatch.lifting import lift
from dispatchtorch.tensor.key import Key, intern_key
from dispatchtorch.tensor.tensor import Tensor, read, wrap

__all__ = ["check_randomness", "drawn", "drawn_over"]

Draw = Callable[[tuple[int, ...]], Any]


def check_randomness() -> None:
    """Raises torch's error where the innermost level forbids random numbers."""
    if LEVELS.stack and LEVELS.stack[-1].randomness == "error":
        raise RuntimeError(RANDOM)


def drawn(key: Key, shape: tuple[int, ...], draw: Draw) -> Tensor:
    """Returns a new tensor from a stream: ``draw(shape)`` is asked once, sizes of levels that differ in front."""
    if not LEVELS.stack:
        raw = key.backend.from_host(draw(shape), str(key.device))
        return wrap(raw, key.fresh(not shape))
    check_randomness()
    level = LEVELS.stack.pop()
    try:
        different = level.randomness == "different"
        sizes = (level.size, *shape) if different else shape
        below = level.backend.below
        assert below is not None  # a level stands on something
        lower = intern_key(below, key.device, key.dtype, not sizes) if key.backend is level.backend else key
        t = drawn(lower, sizes, draw)
        if not different:
            return t
        inner = lift(t, below)
        return wrap(Batched(inner, True), intern_key(level.backend, key.device, key.dtype, not shape))
    finally:
        LEVELS.stack.append(level)


def drawn_over(t: Tensor, draw: Draw) -> Any:
    """Returns the raw array that an in-place draw writes over ``t``, None where that is an ordinary write.

    RuntimeError where every example is to have numbers of its own and the tensor is the same for all.
    """
    if not LEVELS.stack:
        return None
    check_randomness()
    level = LEVELS.stack[-1]
    if t._key.backend is not level.backend:
        if level.randomness == "different":
            raise RuntimeError(UNBATCHED)
        return None
    return read(lift(drawn(t._key, tuple(t._a.shape), draw), level.backend))
