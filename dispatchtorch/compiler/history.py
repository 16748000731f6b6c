"""Gradients of a compiled call whose results `backward` goes through later: one node, behind it one program.

While a function is traced its history exists, node by node. The engine walks it within the same trace, on placeholders
for the gradients to come, and the library cuts what comes out in two: a program that goes forward and one that goes
back. Must not know: who traces, how a program gets its inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dispatchtorch.autograd.engine import run as walk
from dispatchtorch.compiler.recording import Recording, UntraceableError
from dispatchtorch.compiler.snapshot import Snapshot
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.node import FREED, FREED_MESSAGE, Node, next_seq, saved_error
from dispatchtorch.plugin.backend import Array, Backend
from dispatchtorch.tensor.key import Key
from dispatchtorch.tensor.tensor import Tensor, new, read, wrap

__all__ = ["CompiledBackward", "History", "is_spent", "spent"]

_TWICE = "torch.compile with aot_autograd does not currently support double backward"


class History:
    """The history of a traced call's results: where it ends, and the gradients that arrive there."""

    def __init__(self, roots: Sequence[Tensor], since: int) -> None:
        self.roots = tuple(roots)
        self.ends = _ends([root._edge for root in roots], since)
        self.keys: list[Key | None] = []  # of the gradients, None where none arrives

    def walk(self, recording: Recording, backend: Backend) -> list[Array]:
        """Returns the gradients' arrays, computed within the trace from ones that are captured."""
        seeds = []
        for root in self.roots:
            own = root._key.backend
            with backend.aside():
                dtype = own.dtype(root._key.dtype.name)
                seed = own.place(own.namespace.zeros(tuple(root._a.shape), dtype=dtype), str(root._key.device))
            recording.seeds.append(seed)
            seeds.append(wrap(seed, root._key.fresh(root._key.zero_dim)))
        events = len(recording.events)
        hooks = [(end._extra, end._extra.hooks) for end in self.ends if isinstance(end, Tensor) and end._extra]
        for extra, _ in hooks:
            extra.hooks = None  # they are called when the gradient is there
        try:
            gradients = walk(
                self.roots,
                seeds,
                retain_graph=False,
                create_graph=False,
                inputs=[_standing_for(end) for end in self.ends],
                accumulate=False,
            )
        finally:
            for extra, held in hooks:
                extra.hooks = held
        if len(recording.events) > events:
            raise UntraceableError("random numbers are drawn, or rates read, while gradients are computed")
        self.keys = [None if g is None else g._key.fresh(g._key.zero_dim) for g in gradients]
        return [read(g) for g in gradients if g is not None]

    def name_ends(self, stand_ins: dict[int, Tensor], snapshot: Snapshot) -> None:
        """Says of each end where a run finds it: a tensor that was there before, or the number of an argument."""
        numbers = {id(t): i for i, t in stand_ins.items()}
        owners = {_mark(t._edge): t for t, _, _ in snapshot.tensors.values() if t._edge is not None}
        named: list[Any] = []
        for end in self.ends:
            if isinstance(end, Tensor):
                named.append(numbers.get(id(end), end if id(end) in snapshot.tensors else None))
            elif _mark(end) in owners:
                named.append(owners[_mark(end)])
            else:
                raise UntraceableError("a gradient flows to the history of a tensor that is gone")
        self.ends = named


def _mark(edge: Any) -> tuple[int, int]:
    return (id(edge[0]), edge[1]) if type(edge) is tuple else (id(edge), 0)


def _standing_for(end: Any) -> Tensor:
    """Returns a tensor whose place in the graph is ``end``."""
    if isinstance(end, Tensor):
        return end
    t = new(Tensor)
    t._edge = end
    t._cell = t._extra = None
    return t


def _ends(edges: Sequence[Any], since: int) -> list[Any]:
    """Returns where the history of a call meets what was there before: leaves, and edges to older nodes."""
    waiting, seen = [edge[0] if type(edge) is tuple else edge for edge in edges], set()
    ends: dict[Any, Any] = {}
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        for edge in node.edges:
            target = edge[0] if type(edge) is tuple else edge
            if target is None:
                continue
            if isinstance(target, Tensor):
                ends[id(target)] = target
            elif target.seq <= since:
                ends[id(target), edge[1] if type(edge) is tuple else 0] = edge
            else:
                waiting.append(target)
    return list(ends.values())


def is_spent(edge: Any, since: int) -> bool:
    """Returns whether `backward` has been here during the trace and has freed what is needed."""
    waiting, seen = [edge[0] if type(edge) is tuple else edge], set()
    while waiting:
        node = waiting.pop()
        if node is None or isinstance(node, Tensor) or id(node) in seen or node.seq <= since:
            continue
        seen.add(id(node))
        if node.saved is FREED or getattr(node, "kept", None) is FREED:
            return True
        waiting.extend(edge[0] if type(edge) is tuple else edge for edge in node.edges)
    return False


class _Spent(Node):
    """The history of a result that the traced call has gone through itself."""

    special = True
    named = True

    def run(self, g: Any) -> Any:
        """Raises torch's error for a second way back."""
        raise RuntimeError(FREED_MESSAGE)

    def release(self) -> None:
        """Does nothing: there is nothing left."""


def spent(edge: Any) -> Any:
    """Returns an edge that shows the name of one whose history is used up, and keeps nothing of it alive."""
    node, nr = edge if type(edge) is tuple else (edge, None)
    made: Any = new(_Spent)
    made.op, made.seq, made.edges, made.saved, made.versions = None, next_seq(), (), (), None
    made.shape, made.keys, made.alias = node.shape, node.keys, node.name()
    return made if nr is None else (made, nr)


class CompiledBackward(Node):
    """The node of one compiled call: its gradients are one program's results."""

    special = True
    alias = "CompiledFunctionBackward"
    kept: Any = None
    program: Callable[[list[Array]], list[Array]]
    outputs: Sequence[Key | None]
    cells: Sequence[tuple[Any, int, Tensor]] = ()

    def run(self, g: Any) -> Any:
        """Returns the gradients for the edges; RuntimeError where they would have to be recorded."""
        if modes.grad:
            raise RuntimeError(_TWICE)
        if self.kept is FREED:
            raise RuntimeError(FREED_MESSAGE)
        for cell, version, t in self.cells:
            if cell.version != version:
                raise saved_error(t, version)
        given = []
        for one, key in zip(g, self.keys, strict=True):  # type: ignore[arg-type]  # it has several outputs, always
            given.append(read(one if one._key.dtype is key.dtype else one.to(key.dtype)))
        arrays = iter(self.program([*self.kept, *given]))
        return [None if key is None else wrap(key.backend.settled(next(arrays), None), key) for key in self.outputs]

    def release(self) -> None:
        """Drops what the forward program left for this one."""
        self.kept = FREED
