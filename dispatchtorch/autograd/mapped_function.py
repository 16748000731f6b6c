"""A Function of one's own on batched tensors: its ``vmap`` staticmethod, or its forward and backward run on the level.

A Function that requires no gradient on the level itself may still have to be differentiated from outside it. Then the
call is made one of the backend below, whose backward opens the level again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from dispatchtorch.batching.array import Batched
from dispatchtorch.batching.levels import LEVELS, Level
from dispatchtorch.dispatch.lifting import lift, stands_on
from dispatchtorch.dispatch.table import METHODS
from dispatchtorch.tensor.key import intern_key
from dispatchtorch.tensor.tensor import Tensor, read, wrap

__all__ = ["VmapInfo", "apply_mapped", "is_mapped"]


class VmapInfo(NamedTuple):
    """What a ``vmap`` staticmethod is told of the level."""

    batch_size: int
    randomness: str


def is_mapped(cls: Any, base: Any, args: tuple[Any, ...]) -> bool:
    """Returns whether a call has to be carried out below the innermost level."""
    if not LEVELS.stack:
        return False
    level = LEVELS.stack[-1]
    mine = [a for a in args if isinstance(a, Tensor) and a._key.backend is level.backend]
    if not any(read(a).batched for a in mine) or any(a._key.requires for a in mine):
        return False
    outside = any(isinstance(a, Tensor) and a._key.requires for a in args)
    return level.connected or outside or cls.vmap is not base.vmap


def apply_mapped(cls: Any, base: Any, args: tuple[Any, ...]) -> Any:
    """Returns what the Function gives for batched tensors, with a history on the backend below."""
    level = LEVELS.stack[-1]
    inner, dims = _taken_apart(args, level)
    if cls.vmap is base.vmap:
        pushed = _pushed(cls, base, level, dims)
        LEVELS.stack.pop()
        try:
            out = pushed.apply(*inner)
        finally:
            LEVELS.stack.append(level)
        where = pushed.out_batched
        if isinstance(out, tuple):
            return tuple([_put(o, 0 if b else None, level) for o, b in zip(out, where, strict=True)])
        return _put(out, 0 if where[0] else None, level)
    LEVELS.stack.pop()
    try:
        out, out_dims = cls.vmap(VmapInfo(level.size, level.randomness), dims, *inner)
    finally:
        LEVELS.stack.append(level)
    if isinstance(out, tuple):
        spread = out_dims if isinstance(out_dims, tuple) else (out_dims,) * len(out)
        return tuple([_put(o, d, level) for o, d in zip(out, spread, strict=True)])
    return _put(out, out_dims, level)


def _taken_apart(args: tuple[Any, ...], level: Level) -> tuple[list[Any], tuple[int | None, ...]]:
    inner: list[Any] = []
    dims: list[int | None] = []
    for a in args:
        if isinstance(a, Tensor) and a._key.backend is level.backend:
            raw = read(a)
            inner.append(raw.inner)
            dims.append(0 if raw.batched else None)
        else:
            inner.append(a)
            dims.append(None)
    return inner, tuple(dims)


def _put(t: Any, dim: int | None, level: Level) -> Any:
    """Returns a result of the backend below as one of the level."""
    if not isinstance(t, Tensor):
        return t
    below = level.backend.below
    assert below is not None  # a level stands on something
    if stands_on(below, t._key.backend):
        t = lift(t, below)
    if dim is None:
        raw = level.backend.hold(t)
    else:
        level.connected |= t._key.requires
        raw = Batched(METHODS["movedim"](t, dim, 0) if dim else t, True)
    return wrap(raw, intern_key(level.backend, t._key.device, t._key.dtype, not raw.shape))


def _pushed(cls: Any, base: Any, level: Level, dims: tuple[int | None, ...]) -> Any:
    """Returns a Function of the backend below that runs ``cls`` on the level, forwards and backwards."""

    def on_level(run: Callable[[], Any]) -> Any:
        LEVELS.stack.append(Level(level.backend, level.size, level.randomness))
        try:
            return run()
        finally:
            LEVELS.stack.pop()

    def flags(outs: tuple[Any, ...]) -> list[bool]:
        lifted = [lift(o, level.backend) if isinstance(o, Tensor) else o for o in outs]
        return [isinstance(o, Tensor) and read(o).batched for o in lifted]

    def bare(o: Any) -> Any:
        return read(lift(o, level.backend)).inner if isinstance(o, Tensor) else o

    def forward(ctx: Any, *inner: Any) -> Any:
        sub = ctx.sub = cls._backward_cls()
        sub.function = cls
        sub.needs_input_grad = ctx.needs_input_grad

        def run() -> Any:
            given = [_put(a, d, level) for a, d in zip(inner, dims, strict=True)]
            if cls.setup_context is base.setup_context:
                return cls.forward(sub, *given)
            out = cls.forward(*given)
            cls.setup_context(sub, tuple(given), out)
            return out

        out = on_level(run)
        outs = out if isinstance(out, tuple) else (out,)
        kind.out_batched = ctx.out_batched = flags(outs)
        found = tuple([bare(o) for o in outs])
        return found if isinstance(out, tuple) else found[0]

    def backward(ctx: Any, *gs: Any) -> Any:
        def run() -> Any:
            pairs = zip(gs, ctx.out_batched, strict=True)
            given = [None if g is None else _put(g, 0 if b else None, level) for g, b in pairs]
            got = cls.backward(ctx.sub, *given)
            return got if isinstance(got, tuple) else (got,)

        times = level.size if any(ctx.out_batched) else 1
        return tuple([_gathered(g, d, level, times) for g, d in zip(on_level(run), dims, strict=False)])

    members = {"forward": staticmethod(forward), "backward": staticmethod(backward), "out_batched": []}
    kind: Any = type(cls.__name__, (base,), members)
    return kind


def _gathered(g: Any, dim: int | None, level: Level, times: int) -> Any:
    """Returns a gradient as one of the backend below; for what all examples share, their sum."""
    if not isinstance(g, Tensor):
        return g
    raw = read(lift(g, level.backend))
    if dim is None:
        return raw.inner.sum(0) if raw.batched else raw.inner * times
    return raw.inner if raw.batched else raw.inner.unsqueeze(0).expand((level.size, *raw.shape))
