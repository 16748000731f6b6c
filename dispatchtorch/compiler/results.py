"""What a program's caller gets: tensors made of a run's arrays, the arguments and whatever the call returned as it was.

Each maker is a function of (the run's arrays, the call's leaves, the node of its history) that returns one leaf of a
result. Must not know: where arrays come from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dispatchtorch.plugin.backend import Array
from dispatchtorch.tensor.key import Key
from dispatchtorch.tensor.lens import Lens
from dispatchtorch.tensor.storage import Cell, Storage
from dispatchtorch.tensor.tensor import Extra, Tensor, new, view_of

__all__ = ["Maker", "argument", "constant", "fresh", "gradient_of", "showing", "viewing"]

Maker = Callable[[Sequence[Array], Sequence[Any], Any], Any]


def constant(value: Any) -> Maker:
    """Returns what gives a value that every call gives."""
    return lambda arrays, leaves, node: value


def argument(number: int) -> Maker:
    """Returns what gives one of the call's own arguments."""
    return lambda arrays, leaves, node: leaves[number]


def gradient_of(owner: Maker) -> Maker:
    """Returns what gives the gradient that the run has left a tensor."""
    return lambda arrays, leaves, node: owner(arrays, leaves, node)._extra.grad


def fresh(at: int, key: Key, edge: Any, output: int) -> Maker:
    """Returns what makes a tensor of an array; ``output`` of the node, if that is not negative, is its history."""

    def make(arrays: Sequence[Array], leaves: Sequence[Any], node: Any) -> Tensor:
        t = new(Tensor)
        t._a = arrays[at]
        t._key = key
        t._edge = edge if output < 0 else (node, output)
        t._cell = t._extra = None
        return t

    return make


def showing(group: Group, at: int, lens: Lens, key: Key, edge: Any, output: int) -> Maker:
    """Returns what makes a tensor that shares a storage with others, or lies in it in an order of its own."""

    def make(arrays: Sequence[Array], leaves: Sequence[Any], node: Any) -> Tensor:
        cell = group.cell(arrays)
        t = new(Tensor)
        t._a, t._key, t._cell = arrays[at], key, cell
        t._edge = edge if output < 0 else (node, output)
        extra = t._extra = Extra()
        extra.lens, extra.stamp = lens, 0
        if group.shared and t._edge is not None:
            extra.creation = "multi:CompiledFunctionBackward"
        return t

    return make


class Group:
    """The storage that several results of one run share."""

    def __init__(self, at: int, backend: Any) -> None:
        self._at, self._backend = at, backend
        self.shared = False
        self._made: tuple[Any, Cell] | None = None

    def cell(self, arrays: Sequence[Array]) -> Cell:
        """Returns the cell of this run."""
        if self._made is None or self._made[0] is not arrays:
            self._made = (arrays, Cell(Storage(arrays[self._at], self._backend)))
        return self._made[1]

    def forget(self) -> None:
        """Lets go of the last run."""
        self._made = None


def viewing(base: Maker, lens: Lens, key: Key, edge: Any, output: int) -> Maker:
    """Returns what makes a view of an argument or of a tensor that was there before."""

    def make(arrays: Sequence[Array], leaves: Sequence[Any], node: Any) -> Tensor:
        t = view_of(base(arrays, leaves, node), lens, key.dtype)
        t._key, t._edge = key, edge if output < 0 else (node, output)
        if t._edge is not None and t._extra is not None:
            t._extra.creation = "multi:CompiledFunctionBackward"
        return t

    return make
