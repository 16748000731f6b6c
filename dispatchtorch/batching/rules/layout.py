"""Where the level's dimension is put, so that one call of an op serves all examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from dispatchtorch._base.dtypes import int64
from dispatchtorch.batching.array import Batched
from dispatchtorch.dispatch.general import create
from dispatchtorch.dispatch.op import TABLE
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "RULES",
    "Rule",
    "batched",
    "examples",
    "fold",
    "front",
    "held",
    "padded",
    "rule",
    "size_of",
    "spread",
    "unfold",
    "whole",
]

#: ``rule(op, size, *args)`` returns raw results; some argument is batched.
Rule: TypeAlias = Callable[..., Any]
RULES: Final[dict[str, Rule]] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Declares a rule for ops of these names."""

    def declare(function: Rule) -> Rule:
        for name in names:
            if name in RULES:
                raise ValueError(f"two batching rules for {name}")
            RULES[name] = function
        return function

    return declare


def size_of(args: Sequence[Any]) -> int | None:
    """Returns how many examples the arguments have; None where all are the same for every example."""
    for a in args:
        if isinstance(a, Batched):
            if a.batched:
                return int(a.inner._a.shape[0])
        elif isinstance(a, (list, tuple)):
            found = size_of(a)
            if found is not None:
                return found
    return None


def held(out: Any, batched: bool) -> Any:
    """Returns an op's results as raw arrays of the level."""
    if isinstance(out, (tuple, list)):
        return tuple([Batched(o, batched) for o in out])
    return Batched(out, batched)


def batched(out: Any) -> Any:
    """Returns an op's results, which have the level's dimension in front, as raw arrays."""
    return held(out, True)


def front(a: Batched, size: int) -> Tensor:
    """Returns the tensor with the level's dimension in front, repeated where it has none."""
    return a.inner if a.batched else a.inner.unsqueeze(0).expand((size, *a.shape))


def whole(a: Any, size: int) -> Any:
    """Returns any argument as it goes to an op with the level's dimension in front of every tensor."""
    if isinstance(a, Batched):
        return front(a, size)
    if isinstance(a, (list, tuple)) and a and isinstance(a[0], Batched):
        return [front(member, size) for member in a]
    return a


def padded(a: Batched, rank: int) -> Tensor:
    """Returns the tensor with as many dimensions of 1 behind the level's that examples have ``rank`` dimensions."""
    if not a.batched:
        return a.inner
    if a.ndim == rank:
        return a.inner
    return a.inner.reshape((a.inner._a.shape[0], *(1,) * (rank - a.ndim), *a.shape))


def spread(a: Batched, other: Batched) -> Tensor:
    """Returns the tensor with the level's dimension in front, as many examples as ``other`` has."""
    return a.inner if a.batched else front(a, int(other.inner._a.shape[0]))


def fold(t: Tensor, dim: int) -> Tensor:
    """Returns the tensor with the level's dimension made one with dimension ``dim`` of the examples."""
    if dim:
        t = t.movedim(0, dim)
    shape = tuple(t._a.shape)
    return t.reshape((*shape[:dim], shape[dim] * shape[dim + 1], *shape[dim + 2 :]))


def unfold(t: Tensor, dim: int, size: int) -> Tensor:
    """Returns the tensor with what `fold` made one taken apart again, the level's dimension in front."""
    shape = tuple(t._a.shape)
    t = t.reshape((*shape[:dim], size, shape[dim] // size, *shape[dim + 1 :]))
    return t.movedim(dim, 0) if dim else t


def examples(size: int, like: Tensor, rank: int) -> Tensor:
    """Returns 0, 1, 2 ... for the examples, of shape (size, 1, ..., 1)."""
    numbers = create(TABLE["_arange"], like._key.as_dtype(int64).fresh(False), (0, 1, size, int64))
    return numbers.reshape((size, *(1,) * rank))
