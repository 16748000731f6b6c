"""Saved tensors that are kept otherwise: what ``saved_tensors_hooks`` has packed, and nodes that unpack it.

Nodes of this kind exist only where such hooks were on when the call was recorded; ordinary nodes know nothing of them.
"""

from __future__ import annotations

from typing import Any, Final

from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.node import FREED, FREED_MESSAGE, PLAIN, Node, as_function, next_seq
from dispatchtorch.tensor.tensor import Tensor, alias_of, cell_of, new

__all__ = ["Packed", "PackedNode", "SavedTensor", "pack", "pack_all"]

_WRITTEN: Final = (
    "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook cannot be "
    "modified by in-place operations as this can lead to unexpected side-effects. Please open an issue if you need to "
    "perform in-place operations on the input to a pack hook."
)


class Packed:
    """What a pack hook made of a tensor, with the history that the tensor gets back when it is unpacked."""

    __slots__ = ("edge", "requires", "unpacker", "value")

    def __init__(self, value: Any, unpacker: Any, requires: bool, edge: Any) -> None:
        self.value, self.unpacker, self.requires, self.edge = value, unpacker, requires, edge

    def unpack(self, edge: Any = None) -> Tensor:
        """Returns the tensor, with its history (``edge``, where it is the output of the node that kept it)."""
        got = self.unpacker(self.value)
        if not isinstance(got, Tensor):
            raise TypeError(
                f"Output of saved tensor unpack_hook expected to be a Tensor but got result of type "
                f"{type(got).__name__}"
            )
        if not self.requires:
            return got
        t = alias_of(got)
        t._key = t._key.as_requires(True)
        t._edge = edge or self.edge
        return t


class PassedOn(Node):
    """What stands between a tensor that was unpacked and the leaf that it was."""

    special = True

    def name(self) -> str:
        """Returns a name; nobody in PyTorch sees this node."""
        return "AliasBackward0"

    def run(self, g: Any) -> Any:
        """Returns the gradient as it came."""
        return (g,)

    def release(self) -> None:
        """Drops nothing."""


def pack(t: Tensor, *, own_output: bool = False) -> Packed:
    """Returns the tensor as the innermost hooks want it kept; RuntimeError for a hook that writes into it."""
    packer, unpacker = modes.packing[-1]
    requires = t._key.requires
    edge = None
    if requires and not own_output:
        edge = t._edge
        if edge is None:
            edge = new(PassedOn)
            edge.saved, edge.versions, edge.seq = (), None, next_seq()
            edge.edges, edge.shape = (t,), t._a.shape
    shown = alias_of(t)
    shown._key, shown._edge = shown._key.as_requires(requires), edge
    version = shown._version
    before = modes.grad
    modes.grad = False
    try:
        value = packer(shown)
    finally:
        modes.grad = before
    if cell_of(t).version != version:
        raise RuntimeError(_WRITTEN)
    return Packed(value, unpacker, requires, edge)


def pack_all(values: Any) -> tuple[Any, ...]:
    """Returns what a node saves with every tensor packed, also those in lists."""
    return tuple(
        [
            pack(v)
            if isinstance(v, Tensor)
            else [pack(m) if isinstance(m, Tensor) else m for m in v]
            if type(v) is list and any(isinstance(m, Tensor) for m in v)
            else v
            for v in values
        ]
    )


def _opened(value: Any) -> Any:
    if type(value) is list:
        return [_opened(v) for v in value]
    return value.unpack() if type(value) is Packed else value


class PackedNode(Node):
    """A recorded call whose saved tensors went through hooks."""

    def unpack(self) -> tuple[Any, ...]:
        """Returns the saved arguments as the unpack hooks give them; RuntimeError if they were freed."""
        if self.saved is FREED:
            raise RuntimeError(FREED_MESSAGE)
        return tuple([_opened(v) for v in self.saved])

    def unpack_out(self) -> Any:
        """Returns the saved output as the unpack hook gives it."""
        if self.out is None:
            raise RuntimeError(FREED_MESSAGE)
        parts = [
            part.unpack(self if self.keys is None else (self, i)) if type(part) is Packed else self._unpack_one(i, part)
            for i, part in enumerate(self.out)
        ]
        return parts[0] if self.keys is None else tuple(parts)


class SavedTensor:
    """One saved tensor of a node, as ``_raw_saved_self`` shows it: hooks may be put on it afterwards."""

    def __init__(self, node: Node, place: int) -> None:
        self._node, self._place = node, place

    @property
    def data(self) -> Any:
        """Returns the tensor, or what a hook made of it."""
        node, place = self._node, self._place
        if place >= 0:
            value = node.saved[place]
            return value.value if type(value) is Packed else value
        value = None if node.out is None else node.out[0]
        return value.value if type(value) is Packed else node.unpack_out()

    def register_hooks(self, pack_hook: Any, unpack_hook: Any) -> None:
        """Keeps what ``pack_hook`` makes of the tensor, and gives what ``unpack_hook`` makes of that."""
        node, place = self._node, self._place
        if type(node.out[0] if place < 0 and node.out is not None else node.saved[place]) is Packed:
            raise RuntimeError(
                "Calling register_hooks on a saved tensor whose hooks have already been set. Hint: only one pair of "
                "hooks is allowed at a time."
            )
        tensor = node.unpack_out() if place < 0 else node.unpack()[place]
        if not isinstance(tensor, Tensor):
            raise RuntimeError("Calling register_hooks on a saved tensor with value None is forbidden")
        before = modes.packing
        modes.packing = ((pack_hook, unpack_hook),)
        try:
            packed = pack(tensor, own_output=place < 0)
        finally:
            modes.packing = before
        if getattr(type(node), PLAIN, type(node)) is Node:
            node.__class__ = PackedNode
            as_function(node)
        if place < 0:
            node.out = (packed,)
        else:
            node.saved = (*node.saved[:place], packed, *node.saved[place + 1 :])


def _raw_saved_at(self: Node, place: int) -> SavedTensor:
    return SavedTensor(self, place)


Node._raw_saved_at = _raw_saved_at  # type: ignore[method-assign]  # a member that lives a room above the class
