"""A traced call as one program: gathers inputs, runs, and puts what came out where the call would have put it.

Here is what there is to look at, to gather and to put back; what each call goes through is written from it (`course`).
Must not know: how a call is traced, when to trace.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from dispatchtorch._base.pytree import tree_flatten, tree_unflatten
from dispatchtorch.compiler.guards import Guards
from dispatchtorch.compiler.history import CompiledBackward
from dispatchtorch.compiler.leaving import Entry, Leaving
from dispatchtorch.compiler.recording import Recording
from dispatchtorch.compiler.slots import Slot
from dispatchtorch.dispatch.node import next_seq
from dispatchtorch.plugin.backend import Array, Backend, Halves, Traced
from dispatchtorch.tensor.key import Key
from dispatchtorch.tensor.storage import Storage
from dispatchtorch.tensor.tensor import Tensor, cell_of, extra_of, new, read, wrap, write

__all__ = ["FromSlot", "Program"]

_LOST: Final = (
    "a compiled program failed while it was overwriting its state, and what it has taken over is gone: load the last "
    "checkpoint. With options={'donate': False} programs keep the state until they have succeeded."
)


class FromSlot(NamedTuple):
    """A tensor in a slot that each run fills anew."""

    slot: Slot
    spec: Any
    place: int
    key: Key
    shape: tuple[int, ...]

    def get(self) -> Tensor | None:
        """Returns what is there now; None where it is of another kind."""
        leaves, spec = tree_flatten(self.slot.get())
        if spec != self.spec:
            return None
        t = leaves[self.place]
        fits = isinstance(t, Tensor) and t._key is self.key and tuple(t._a.shape) == self.shape
        return t if fits else None


class Program:
    """One compiled call for arguments and state of certain kinds."""

    holds: Callable[[], bool]  # whether the state is still what the program was made for
    run: Callable[[Program, Sequence[Any]], Any]  # does to all state what the call does, gives what the call returns

    def __init__(
        self,
        backend: Backend,
        recording: Recording,
        left: Leaving,
        given: Sequence[int],
        versions: Sequence[tuple[Any, int]],
        guards: Guards,
        on_mesh: bool,
    ) -> None:
        self.backend, self.guards = backend, guards
        self.stores: list[tuple[int, Storage, list[Tensor]]] = []  # number among what was captured, and where it is
        self.grads: list[tuple[int, Tensor]] = []
        self.slots: list[tuple[int, FromSlot]] = []
        self.supplied: list[tuple[int, int]] = []
        self.constants: list[tuple[int, Array]] = []
        self.stores_out: list[tuple[Storage, list[Tensor]]] = []
        self.gradless: list[Tensor] = []
        self.equations = 0
        self.runs = self.last = 0  # how often it ran, and as which of its function's calls
        self.seconds = 0.0
        self.keeps = list(zip(left.kept, left.kept_at, strict=True))  # then it is right for this call only
        self.events, self.facts = tuple(recording.events), tuple(recording.guards)
        self.watched = tuple([one for one in recording.watched.values() if one[1]])
        self.given, self.versions = tuple(given), tuple(versions)
        self._lies: list[Any] = list(left.lies)
        self.on_mesh = on_mesh or any(own is not backend for own, _ in left.lies)
        self.fresh, self.grown, self.dropped = tuple(left.grads), tuple(left.grown), tuple(left.dropped)
        self.written, self.argument_grads = tuple(left.written), tuple(left.argument_grads)
        self.drops, self.puts, self.counts = tuple(left.argument_drops), tuple(left.puts), tuple(left.counts)
        self.with_grads: tuple[int, ...] = ()  # arguments that have a gradient already
        self.same: tuple[tuple[int, Tensor], ...] = ()  # arguments that the program knows
        self.makers, self._groups, self._entries = tuple(left.makers), tuple(left.groups), tuple(left.entries)
        self._spec, self._result = left.spec, tuple(left.result)
        self._single = left.result[0] if len(left.result) == 1 and left.spec.type is None else -1
        self._live: Any = None
        if left.history is not None:
            self._live = tuple(left.history.ends), left.history.keys, [t._key for t in left.live]
            self._live_shapes = [tuple(t._a.shape) for t in left.live]
        self.returns_one = self._single == 0 and not self._entries and not self._groups
        self._halves: tuple[Halves, list[int]] | None = None
        self._back: Any = None

    # --- making ------------------------------------------------------------------------------------------------------

    def backward(self, halves: Halves, used: list[int]) -> None:
        """Takes the half that computes gradients; ``used`` are the results whose gradients it needs."""
        self._halves = halves, used

    def finish(self, traced: Traced, donates: bool) -> None:
        """Compiles the program, now that all inputs are known."""
        self.equations = traced.size
        self._lies = [(i, *self._lies[i]) for i in traced.order or range(len(self._lies)) if i < len(self._lies)]
        saved = set() if self._halves is None else {id(a) for a in self._halves[0].captured}
        saved = {i for i, a in enumerate(traced.captured) if id(a) in saved}
        overwritten = {id(storage) for storage, _ in self.stores_out}
        if not donates:
            saved = set(range(len(traced.captured)))
        owned = [one for one in self.stores if id(one[1]) in overwritten and one[0] not in saved]
        lent = [one for one in self.stores if id(one[1]) not in overwritten or one[0] in saved]
        replaced = {id(t) for t, _ in self.fresh} | {id(t) for t in self.grown}
        old = [one for one in self.grads if id(one[1]) in replaced and one[0] not in saved]
        grads = [one for one in self.grads if id(one[1]) not in replaced or one[0] in saved]
        self.owned = [(storage, shown) for _, storage, shown in owned]
        self.lent = [storage for _, storage, _ in lent]
        self.old, self.read_grads = [t for _, t in old], [t for _, t in grads]
        self.from_slots = [slot for _, slot in self.slots]
        self._touched = overwritten | {id(one[1]) for one in self.stores} if self.written else overwritten
        self.supplied_at = [number for _, number in self.supplied]
        self.lasting = [array for _, array in self.constants]
        bound = [(t, storage) for _, storage, shown in self.stores for t in shown]
        bound += [(t, storage) for storage, shown in self.stores_out for t in shown]
        self.bound = list({id(t): (t, storage, t._key) for t, storage in bound}.values())
        self.placed = [(storage, [(t, extra_of(t)) for t in shown]) for storage, shown in self.stores_out]
        found: list[Any] = [*owned, *old]
        taken = [one[0] for one in found]
        found = [*lent, *grads, *self.slots, *self.supplied, *self.constants]
        kept = [one[0] for one in found]
        if self._halves is not None:
            order = {id(traced.captured[i]): place for place, i in enumerate(kept)}
            self._residuals = [order[id(a)] for a in self._halves[0].captured]
            needed = {id(a) for a in self._halves[0].captured}
            owners = [shown for i, _, shown in lent if id(traced.captured[i]) in needed]
            self._saved_cells = [t for shown in owners for t in shown[:1] if t._key.requires]
        self.compiled = traced.compile(taken, kept)
        self.inputs, self.taken = len(taken) + len(kept) + len(self.given), len(taken)
        self.donated_bytes = sum([_bytes(traced.captured[i]) for i in taken])
        self.outputs = (
            len(self.placed) + len(self.fresh) + len(self.grown) + len(self.written)
            + len(self.argument_grads) + len(self.makers)
        )  # fmt: skip
        for used in (self.stores, self.grads, self.slots, self.supplied, self.constants):
            used.clear()

    def takes(self, leaves: Sequence[Any]) -> bool:
        """Returns whether no argument lies in memory that the program writes, or that it reads while it writes that."""
        for i in self.given:
            cell = leaves[i]._cell
            if cell is not None and id(cell.storage) in self._touched:
                return False
        return all(leaves[i] is t for i, t in self.same)

    # --- why not? ----------------------------------------------------------------------------------------------------

    def broken(self) -> tuple[str, set[tuple[int, str]]]:
        """Returns why the program does not hold any more, in words, and the options that have changed."""
        moved = set()
        why = ""
        for options, names, values in self.watched:
            for name, value in zip(names, values):
                now = options[name]
                if now is not value and now != value:
                    moved.add((id(options), name))
                    why = why or f"the optimizer's {name} was {value!r} and is {now!r}"
        for t, storage, key in self.bound:
            if not why and t._key is not key:
                why = "a tensor requires a gradient now, or does no longer"
            if not why and (t._cell is None or t._cell.storage is not storage):
                why = "the memory of a tensor has been replaced (.data, resize_)"
        for get, value, words in self.facts:
            if not why and get() != value:
                why = f"{words} has changed"
        why = why or self.guards.broken()
        if not why and any(t._extra is None or t._extra.grad is None for t in (*self.old, *self.read_grads)):
            why = "a gradient that was there is None"
        if not why and any(t._extra is not None and t._extra.grad is not None for t in self.gradless):
            why = "a gradient that was None is there"
        if not why and self.from_slots and not all(one.get() is not None for one in self.from_slots):
            why = "a tensor that is kept has another shape or dtype"
        return why, moved

    # --- running -----------------------------------------------------------------------------------------------------

    def begun(self, lent: list[Array], given: list[Array]) -> list[Array]:
        """Returns what the first run gives, and takes its time.

        It has copies of all that it overwrites: a program that fails at all mostly fails then, and must not take state
        with it.
        """
        copy = self.backend.duplicate
        taken = [copy(storage.root) for storage, _ in self.owned]
        taken += [copy(read(t._extra.grad)) for t in self.old]  # type: ignore[union-attr, arg-type]  # `holds` has looked
        begin = time.perf_counter()
        arrays = self.compiled(taken, lent, given)
        self.seconds = time.perf_counter() - begin
        return arrays

    def blamed(self, error: Exception, taken: list[Array]) -> Exception:
        """Returns what to raise for an error of a later run: the error itself, if state is still there."""
        if not any(self.backend.is_gone(a) for a in taken):
            return error
        lost = RuntimeError(_LOST)
        lost.__cause__ = error
        return lost

    def grow(self, owner: Tensor, value: Array) -> None:
        """Writes a gradient that stays the same tensor."""
        grad: Tensor = owner._extra.grad  # type: ignore[union-attr, assignment]  # `holds` has looked
        if grad._cell is None or grad._cell.storage is None:
            grad._a = value
        else:
            write(grad, value)

    def write(self, argument: Tensor, value: Array) -> None:
        """Writes an argument."""
        write(argument, value)
        cell_of(argument).version += 1

    def give_grad(self, argument: Tensor, value: Array, key: Key) -> None:
        """Gives an argument another gradient."""
        extra_of(argument).grad = wrap(value, key)

    def keep(self, arrays: list[Array]) -> None:
        """Fills tensors that the traced call has put where no run can put one."""
        for t, (own, root) in self.keeps:
            t._a = arrays[own]
            if root is not None and t._cell is not None and t._cell.storage is not None:
                t._cell.storage.root = arrays[root]

    def result(self, arrays: list[Array], leaves: Sequence[Any], node: Any) -> Any:
        """Returns what the call returns, and fills the entries that it makes anew."""
        made = [make(arrays, leaves, node) for make in self.makers]
        for group in self._groups:
            group.forget()
        for entry in self._entries:
            _enter(entry, made)
        if self._single >= 0:
            return made[self._single]
        return tree_unflatten([made[i] for i in self._result], self._spec)

    def settled(self, arrays: list[Array], leaves: Sequence[Any]) -> list[Array]:
        """Returns what came out of a program over a mesh where the tensors lie; all processes go in one order."""
        found = list(arrays)
        for i, backend, like in self._lies:
            if isinstance(like, Storage):
                before = like.root
            else:
                t = leaves[like] if type(like) is int else like
                before = None if t is None else read(t)
            found[i] = backend.settled(arrays[i], before)
        return found

    # --- going back --------------------------------------------------------------------------------------------------

    def node(self, arrays: list[Array], leaves: Sequence[Any], lent: list[Array], given: list[Array]) -> Any:
        """Returns the node of a call whose results have a history, for the way back."""
        assert self._halves is not None  # a live program has two halves
        halves, _ = self._halves
        ends, keys, roots = self._live
        node: Any = new(CompiledBackward)
        node.op, node.seq, node.saved, node.versions = None, next_seq(), (), None
        node.edges = tuple([_edge(leaves[end] if type(end) is int else end) for end in ends])
        node.shape, node.keys, node.outputs = self._live_shapes, roots, keys
        node.cells = [(cell_of(t), t._version, t) for t in self._saved_cells]
        node.kept = [lent[i] for i in self._residuals] + [given[i] for i in halves.given]
        node.kept += arrays[len(arrays) - halves.computed :] if halves.computed else []
        node.program = self._go_back
        return node

    def _go_back(self, arrays: list[Array]) -> list[Array]:
        assert self._halves is not None  # as above
        halves, used = self._halves
        if self._back is None:
            self._back = halves.second.compile((), ())
        count = len(arrays) - len(self._live[2])
        found: list[Array] = self._back([], [], [*arrays[:count], *[arrays[count + j] for j in used]])
        return found

    @property
    def goes_back(self) -> bool:
        """Returns whether there is a second program, for gradients."""
        return self._halves is not None


def _bytes(array: Any) -> int:
    return int(getattr(array, "nbytes", 0))


def _edge(t: Tensor | None) -> Any:
    return None if t is None or not t._key.requires else t._edge or t


def _enter(entry: Entry, made: list[Any]) -> None:
    """Puts what a run has made into a container."""
    value = tree_unflatten([made[i] for i in entry.leaves], entry.spec)
    if entry.slot is None:
        entry.grown.append(value)
    else:
        entry.slot.put(value)
