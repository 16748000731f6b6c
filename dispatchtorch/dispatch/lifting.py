"""Lifting: where tensors of a backend meet those of one that stands on it, they are held by its arrays first.

A wrapping backend (``Backend.below``) has arrays that hold tensors of the backend below. Whether anything has to be
lifted is asked where keys turn out to disagree, when a plan is made: a call whose keys agree never comes here.

A mesh's tensors meet those of one device in the same place: who knows about meshes says how the latter are taken in
(`takes_in`), or refuses them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from dispatchtorch.dispatch.op import LIST, TENSOR, Op
from dispatchtorch.dispatch.record import refresh
from dispatchtorch.plugin.backend import Backend
from dispatchtorch.tensor.key import Key, intern_key
from dispatchtorch.tensor.tensor import Tensor, wrap

__all__ = ["lift", "lifted", "lifted_beside", "lifting_plan", "meet", "takes_in", "wrapping"]

_DOORS: Final[dict[int, Callable[[Tensor], Tensor]]] = {}  # id of a backend -> what makes a tensor one of its own


def takes_in(backend: Backend, door: Callable[[Tensor], Tensor]) -> None:
    """Says what makes tensors of other backends tensors of this one, where both meet in a call; it may refuse them."""
    _DOORS[id(backend)] = door


def meet(first: Backend, second: Backend) -> bool:
    """Returns whether tensors of the two backends may meet in one call."""
    if first is second:
        return False
    return id(first) in _DOORS or id(second) in _DOORS or bool(first.below or second.below)


def stands_on(backend: Backend | None, other: Backend) -> bool:
    """Returns whether ``other`` is the backend or one below it."""
    while backend is not None:
        if backend is other:
            return True
        backend = backend.below
    return False


def wrapping(keys: Sequence[Any]) -> Backend | None:
    """Returns the backend that stands on those of all keys; None where they agree or cannot be brought together."""
    found = [key.backend for key in keys if isinstance(key, Key)]
    if not found or all(backend is found[0] for backend in found):
        return None
    for top in found:
        if all(stands_on(top, backend) for backend in found):
            return top
    return next((backend for backend in found if id(backend) in _DOORS), None)


def lift(t: Tensor, backend: Backend) -> Tensor:
    """Returns the tensor as one of ``backend``, which stands on its own; what it records stays where it is."""
    if t._key.view:
        refresh(t)
    key = t._key
    if key.backend is backend:
        return t
    door = _DOORS.get(id(backend))
    if door is not None:
        return door(t)
    assert backend.below is not None  # `wrapping` has looked
    raw = backend.hold(lift(t, backend.below))
    return wrap(raw, intern_key(backend, key.device, key.dtype, key.zero_dim))


def lifting_plan(entry: Callable[..., Any], over: Backend) -> Callable[..., Any]:
    """Returns the plan of a call whose tensors are lifted to one backend, and which then begins anew."""

    def plan(*args: Any) -> Any:
        return entry(*[lift(a, over) if isinstance(a, Tensor) else a for a in args])

    return plan


def lifted(kinds: Sequence[int], args: Sequence[Any]) -> list[Any] | None:
    """Returns the arguments of a call on one backend, or None where no backend stands on all others."""
    tensors: list[Tensor] = []
    for value, kind in zip(args, kinds, strict=True):
        if kind == LIST:
            tensors += value
        elif kind == TENSOR and isinstance(value, Tensor):
            tensors.append(value)
    over = wrapping([t._key for t in tensors])
    if over is None:
        return None
    return [
        [lift(v, over) for v in value]
        if kind == LIST
        else lift(value, over)
        if kind == TENSOR and isinstance(value, Tensor)
        else value
        for value, kind in zip(args, kinds, strict=True)
    ]


def lifted_beside(t: Tensor, op: Op, args: Sequence[Any]) -> list[Any] | None:
    """Returns the arguments of an in-place call on the backend of ``t``, None where they cannot be brought there.

    RuntimeError, in torch's words, where what would be written is not held by what it is written into.
    """
    again = lifted(op.kinds, args)
    if again is not None and again[0] is not t:
        raise RuntimeError(
            "vmap: inplace arithmetic(self, *extra_args) is not possible because there exists a Tensor `other` in "
            "extra_args that has more elements than `self`. This happened due to `other` being vmapped over but "
            "`self` not being vmapped over in a vmap. Please try to use out-of-place operators instead of inplace "
            "arithmetic. If said operator is being called inside the PyTorch framework, please file a bug report "
            "instead."
        )
    return again
