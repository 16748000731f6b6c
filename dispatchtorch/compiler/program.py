"""A traced call as one program: gathers inputs, runs, and puts what came out where the call would have put it.

A run does in Python only what cannot be done once: it looks whether everything is where it was, draws numbers, fills
lists from storages and storages from lists. Memory of state that is overwritten is given to the library, if nobody else
holds it; the references that are known are counted. Must not know: how a call is traced, when to trace.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from sys import getrefcount
from typing import Any, Final, NamedTuple

from dispatchtorch._base.host import np
from dispatchtorch._base.pytree import tree_flatten, tree_unflatten
from dispatchtorch.compiler.history import CompiledBackward
from dispatchtorch.compiler.leaving import Entry, Leaving
from dispatchtorch.compiler.reach import Guards, Slot
from dispatchtorch.compiler.recording import DRAWN, RATE, Recording
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
        self._events, self._facts = tuple(recording.events), tuple(recording.guards)
        self._watched = tuple([one for one in recording.watched.values() if one[1]])
        self._given, self._versions = tuple(given), tuple(versions)
        self._lies: list[Any] = list(left.lies)
        self.on_mesh = on_mesh or any(own is not backend for own, _ in left.lies)
        self._fresh, self._grown, self._dropped = tuple(left.grads), tuple(left.grown), tuple(left.dropped)
        self._written, self._argument_grads = tuple(left.written), tuple(left.argument_grads)
        self._makers, self._groups, self._entries = tuple(left.makers), tuple(left.groups), tuple(left.entries)
        self._spec, self._result = left.spec, tuple(left.result)
        self._single = left.result[0] if len(left.result) == 1 and left.spec.type is None else -1
        self._live: Any = None
        if left.history is not None:
            self._live = tuple(left.history.ends), left.history.keys, [t._key for t in left.live]
            self._live_shapes = [tuple(t._a.shape) for t in left.live]
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
        replaced = {id(t) for t, _ in self._fresh} | {id(t) for t in self._grown}
        old = [one for one in self.grads if id(one[1]) in replaced and one[0] not in saved]
        grads = [one for one in self.grads if id(one[1]) not in replaced or one[0] in saved]
        self._owned = [(storage, shown) for _, storage, shown in owned]
        self._lent = [storage for _, storage, _ in lent]
        self._old, self._grads = [t for _, t in old], [t for _, t in grads]
        self._from_slots = [slot for _, slot in self.slots]
        self._touched = overwritten | {id(one[1]) for one in self.stores} if self._written else overwritten
        self._supplied = [number for _, number in self.supplied]
        self._constants = [array for _, array in self.constants]
        bound = [(t, storage) for _, storage, shown in self.stores for t in shown]
        bound += [(t, storage) for storage, shown in self.stores_out for t in shown]
        self._bound = list({id(t): (t, storage, t._key) for t, storage in bound}.values())
        self._stores_out = [(storage, [(t, extra_of(t)) for t in shown]) for storage, shown in self.stores_out]
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
        self._run = traced.compile(taken, kept)
        self.inputs, self.taken = len(taken) + len(kept) + len(self._given), len(taken)
        self.donated_bytes = sum([_bytes(traced.captured[i]) for i in taken])
        self.outputs = (
            len(self._stores_out) + len(self._fresh) + len(self._grown) + len(self._written)
            + len(self._argument_grads) + len(self._makers)
        )  # fmt: skip
        for used in (self.stores, self.grads, self.slots, self.supplied, self.constants):
            used.clear()

    # --- does it hold? -----------------------------------------------------------------------------------------------

    def holds(self) -> bool:
        """Returns whether the state is still what the program was made for."""
        for t, storage, key in self._bound:
            if t._key is not key or t._cell is None or t._cell.storage is not storage:
                return False
        for options, names, values in self._watched:
            for name, value in zip(names, values):
                now = options[name]
                if now is not value and now != value:
                    return False
        for get, value, _ in self._facts:
            if get() != value:
                return False
        if not self.guards.hold():
            return False
        for t in (*self._old, *self._grads):
            if t._extra is None or t._extra.grad is None:
                return False
        for t in self.gradless:
            if t._extra is not None and t._extra.grad is not None:
                return False
        return not self._from_slots or all(one.get() is not None for one in self._from_slots)

    def takes(self, leaves: Sequence[Any]) -> bool:
        """Returns whether no argument lies in memory that the program writes, or that it reads while it writes that."""
        for i in self._given:
            cell = leaves[i]._cell
            if cell is not None and id(cell.storage) in self._touched:
                return False
        return True

    def broken(self) -> tuple[str, set[tuple[int, str]]]:
        """Returns why the program does not hold any more, in words, and the options that have changed."""
        moved = set()
        why = ""
        for options, names, values in self._watched:
            for name, value in zip(names, values):
                now = options[name]
                if now is not value and now != value:
                    moved.add((id(options), name))
                    why = why or f"the optimizer's {name} was {value!r} and is {now!r}"
        for t, storage, key in self._bound:
            if not why and t._key is not key:
                why = "a tensor requires a gradient now, or does no longer"
            if not why and (t._cell is None or t._cell.storage is not storage):
                why = "the memory of a tensor has been replaced (.data, resize_)"
        for get, value, words in self._facts:
            if not why and get() != value:
                why = f"{words} has changed"
        why = why or self.guards.broken()
        if not why and any(t._extra is None or t._extra.grad is None for t in (*self._old, *self._grads)):
            why = "a gradient that was there is None"
        if not why and any(t._extra is not None and t._extra.grad is not None for t in self.gradless):
            why = "a gradient that was None is there"
        if not why and self._from_slots and not all(one.get() is not None for one in self._from_slots):
            why = "a tensor that is kept has another shape or dtype"
        return why, moved

    # --- running -----------------------------------------------------------------------------------------------------

    def run(self, leaves: Sequence[Any]) -> Any:
        """Returns what the call returns, for the flattened arguments, and does to all state what the call does."""
        supplied: list[Any] = []
        for kind, act, place in self._events:
            if kind == RATE:
                name, index = place
                supplied.append(np.float64(act[name] if index is None else act[name][index]))
            elif kind == DRAWN:
                supplied.append(act() if not self.on_mesh else place[0].from_host(act(), place[1]))
            else:
                act()
        lent = [storage.root for storage in self._lent]
        if self._grads:
            lent += [read(t._extra.grad) for t in self._grads]  # type: ignore[union-attr, arg-type]  # see `holds`
        if self._from_slots:
            lent += [read(one.get()) for one in self._from_slots]  # type: ignore[arg-type]  # as above
        if supplied:
            lent += [supplied[number] for number in self._supplied]
        lent += self._constants
        given = [read(leaves[i]) for i in self._given]
        taken = self._given_up()
        if not self.runs:
            begin = time.perf_counter()
            arrays = self._run(taken, lent, given)
            self.seconds = time.perf_counter() - begin
        else:
            try:
                arrays = self._run(taken, lent, given)
            except Exception as error:
                if any(self.backend.is_gone(a) for a in taken):
                    raise RuntimeError(_LOST) from error
                raise
        self.runs += 1
        return self._placed(arrays, leaves, lent, given)

    def _given_up(self) -> list[Array]:
        """Returns the arrays whose memory the program may have: copies of those that somebody else holds too.

        The first run has copies of all: a program that fails at all mostly fails then, and must not take state with it.
        """
        copy = self.backend.duplicate
        if not self.runs:
            arrays = [storage.root for storage, _ in self._owned]
            arrays += [read(t._extra.grad) for t in self._old]  # type: ignore[union-attr, arg-type]  # see `holds`
            return [copy(a) for a in arrays]
        taken = []
        for storage, shown in self._owned:
            a = storage.root
            held = _ALONE
            for t in shown:
                if t._a is a:
                    held += 1
            taken.append(a if getrefcount(a) <= held else copy(a))
        for owner in self._old:
            grad = owner._extra.grad  # type: ignore[union-attr]  # see `holds`
            a = read(grad)  # type: ignore[arg-type]  # as above
            mine = grad._cell is None and getrefcount(grad) <= _ALONE and getrefcount(a) <= _ALONE  # type: ignore[union-attr]
            taken.append(a if mine else copy(a))
        return taken

    def _placed(self, arrays: list[Array], leaves: Sequence[Any], lent: list[Array], given: list[Array]) -> Any:
        if self.on_mesh:
            arrays = self._settled(arrays, leaves)
        at = 0
        for storage, shown in self._stores_out:
            storage.root = value = arrays[at]
            stamp = storage.stamp = storage.stamp + 1
            for t, extra in shown:
                t._a = value
                extra.stamp = stamp
            at += 1
        for owner, key in self._fresh:
            grad = new(Tensor)
            grad._a, grad._key = arrays[at], key
            grad._edge = grad._cell = grad._extra = None
            extra_of(owner).grad = grad
            at += 1
        for owner in self._grown:
            _into(owner._extra.grad, arrays[at])  # type: ignore[union-attr, arg-type]  # see `holds`
            at += 1
        for owner in self._dropped:
            if owner._extra is not None:
                owner._extra.grad = None
        for number in self._written:
            write(leaves[number], arrays[at])
            cell_of(leaves[number]).version += 1
            at += 1
        for number, key in self._argument_grads:
            _accumulate(leaves[number], wrap(arrays[at], key))
            at += 1
        for cell, by in self._versions:
            cell.version += by
        for t, (own, root) in self.keeps:
            t._a = arrays[own]
            if root is not None and t._cell is not None and t._cell.storage is not None:
                t._cell.storage.root = arrays[root]
        node = None if self._live is None else self._node(arrays, leaves, lent, given)
        if self._single == 0 and not self._entries and not self._groups:
            return self._makers[0](arrays, leaves, node)
        made = [make(arrays, leaves, node) for make in self._makers]
        for group in self._groups:
            group.forget()
        for entry in self._entries:
            _enter(entry, made)
        if self._single >= 0:
            return made[self._single]
        return tree_unflatten([made[i] for i in self._result], self._spec)

    def _settled(self, arrays: list[Array], leaves: Sequence[Any]) -> list[Array]:
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

    def _node(self, arrays: list[Array], leaves: Sequence[Any], lent: list[Array], given: list[Array]) -> Any:
        """Returns the node of a call whose results have a history."""
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


def _references(holder: Any) -> int:
    a = holder.root
    return getrefcount(a)


_ALONE: Final = _references(Storage(object(), None))  # type: ignore[arg-type]  # what a storage's array has, seen from a function


def _bytes(array: Any) -> int:
    return int(getattr(array, "nbytes", 0))


def _edge(t: Tensor | None) -> Any:
    return None if t is None or not t._key.requires else t._edge or t


def _into(grad: Tensor, value: Array) -> None:
    """Writes a gradient that stays the same tensor."""
    if grad._cell is None or grad._cell.storage is None:
        grad._a = value
    else:
        write(grad, value)


def _accumulate(t: Tensor, grad: Tensor) -> None:
    extra = extra_of(t)
    extra.grad = grad if extra.grad is None else extra.grad + grad


def _enter(entry: Entry, made: list[Any]) -> None:
    """Puts what a run has made into a container."""
    value = tree_unflatten([made[i] for i in entry.leaves], entry.spec)
    if entry.slot is None:
        entry.grown.append(value)
    else:
        entry.slot.put(value)
