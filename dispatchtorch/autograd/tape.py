"""Derivatives of functions by way of the tape: fresh inputs, gradients along what was recorded, and tangents.

A transform of a function makes its inputs new places on the tape, calls it and walks back. A tangent is found by
walking back twice: ``g = J^T u`` is linear in ``u``, so its derivative by ``u`` in the direction ``t`` is ``J t``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from dispatchtorch._base.dtypes import FLOATING
from dispatchtorch.autograd.engine import run, zeros
from dispatchtorch.batching.levels import LEVELS
from dispatchtorch.dispatch.general import create
from dispatchtorch.dispatch.lifting import lift, stands_on
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.op import TABLE
from dispatchtorch.dispatch.record import refresh
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.tensor.tensor import Tensor, alias_of

__all__ = [
    "basis_of",
    "fresh",
    "independent",
    "must_keep",
    "pull",
    "push",
    "recording",
    "settled",
    "without_history",
    "zeros_like",
]


@contextmanager
def recording() -> Iterator[bool]:
    """Switches history on, and yields whether it was on: a transform obeys no ``no_grad`` from outside."""
    before = modes.grad
    modes.grad = modes.recording
    try:
        yield bool(before)
    finally:
        modes.grad = before


def here(t: Tensor) -> Tensor:
    """Returns the tensor as one of the innermost running level, so that history is that of each example."""
    if LEVELS.stack and stands_on(LEVELS.stack[-1].backend, t._key.backend):
        return lift(t, LEVELS.stack[-1].backend)
    return t


def fresh(t: Tensor, connected: bool = True) -> Tensor:
    """Returns another tensor over the same values by which one can differentiate; RuntimeError for integers.

    Where the tensor requires a gradient itself, the new one has it as its history, if ``connected``.
    """
    if t._key.dtype.category < FLOATING:
        raise RuntimeError("only Tensors of floating point dtype can require gradients")
    t = here(t)
    if t._key.view:
        refresh(t)
    if t._key.requires and connected:
        return TABLE["_alias"].entry(t)  # type: ignore[no-any-return]  # a tensor
    x = alias_of(t)
    x._key = x._key.as_requires(True)
    return x


def independent(outs: Iterable[Any], own: Sequence[Tensor]) -> bool:
    """Returns whether no history of ``outs`` leads to a leaf other than ``own``."""
    mine = {id(t) for t in own}
    seen: set[int] = set()
    stack: list[Any] = []
    for t in outs:
        if isinstance(t, Tensor) and t._key.requires:
            if t._key.view:
                refresh(t)
            stack.append(t._edge or t)
    while stack:
        edge = stack.pop()
        if isinstance(edge, Tensor):
            if id(edge) not in mine:
                return False
            continue
        node = edge[0] if type(edge) is tuple else edge
        if id(node) in seen:
            continue
        seen.add(id(node))
        stack += [e for e in node.edges if e is not None]
    return True


def must_keep(outs: Sequence[Any], own: Sequence[Tensor], outer: bool = True) -> bool:
    """Returns whether a derivative of ``outs`` by ``own`` may be differentiated by something else."""
    return outer and (LEVELS.connected or not independent(outs, own))


def settled(t: Any, own: Sequence[Tensor], outer: bool = True) -> Any:
    """Returns a result without the history that leads to ``own`` alone."""
    if not isinstance(t, Tensor) or not t._key.requires:
        return t
    return without_history(t) if not outer or independent([t], own) else t


def without_history(t: Tensor) -> Tensor:
    """Returns the tensor without history on its own level; what it holds keeps the history that it has outside."""
    return alias_of(t) if t._key.requires or t._edge is not None else t


def pull(
    outs: Sequence[Tensor], ins: Sequence[Tensor], cotangents: Sequence[Tensor], *, keep: bool
) -> list[Tensor | None]:
    """Returns the gradients of ``outs`` by ``ins``, None where there is no way from one to the other."""
    roots, gradients = [], []
    for out, g in zip(outs, cotangents, strict=True):
        if out._key.view:
            refresh(out)
        if out._key.requires:
            roots.append(out)
            gradients.append(g)
    if not roots:
        return [None] * len(ins)
    return run(roots, gradients, retain_graph=True, create_graph=keep, inputs=ins, accumulate=False)


class Pushed:
    """The derivative of what was recorded, as a linear function of tangents."""

    def __init__(self, outs: Sequence[Tensor], ins: Sequence[Tensor]) -> None:
        self.outs = outs
        self.seeds = [fresh(zeros_like(out), False) for out in outs]
        with recording():
            self.gradients = pull(outs, ins, self.seeds, keep=True)

    def __call__(self, tangents: Sequence[Tensor | None], *, keep: bool) -> list[Tensor | None]:
        """Returns the tangents of the outputs, None for one that depends on no input."""
        roots, directions = [], []
        for g, t in zip(self.gradients, tangents, strict=True):
            if g is not None and t is not None and g._key.requires:
                roots.append(g)
                directions.append(t if t._key.dtype is g._key.dtype else t.to(g._key.dtype))
        if not roots:
            return [None] * len(self.outs)
        return run(roots, directions, retain_graph=True, create_graph=keep, inputs=self.seeds, accumulate=False)


def push(outs: Sequence[Tensor], ins: Sequence[Tensor]) -> Pushed:
    """Returns the derivative of ``outs`` by ``ins`` as a function of tangents."""
    return Pushed(outs, ins)


def zeros_like(t: Tensor) -> Tensor:
    """Returns zeros of the shape, dtype, device and backend of a tensor."""
    return zeros(tuple(t._a.shape), t._key)


def basis_of(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Returns for each tensor its part of the standard basis of all of them: one more dimension in front."""
    sizes = [t.numel() for t in tensors]
    total, before = sum(sizes), 0
    parts = []
    for t, n in zip(tensors, sizes, strict=True):
        bare = without_history(t)
        eye = create(TABLE["_eye"], bare._key.fresh(False), (n, n, t._key.dtype))
        rows = [bare.new_zeros((before, n)), eye, bare.new_zeros((total - before - n, n))]
        parts.append(FUNCTIONS["cat"](rows).reshape((total, *t._a.shape)))
        before += n
    return parts
