"""Tracing: an ordinary function is run once on placeholders, and what it read, made and wrote becomes one program.

Nothing is analysed. State that the function reads turns up among the arrays that the library's own trace has captured;
state that it writes holds a placeholder afterwards (`Leaving`). So parameters, gradients, optimizer state, running
statistics and whatever else a step touches become inputs and outputs without being named by anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dispatchtorch._base.pytree import tree_flatten, tree_unflatten
from dispatchtorch.amp.casting import casts
from dispatchtorch.compiler.course import write_course
from dispatchtorch.compiler.history import History
from dispatchtorch.compiler.leaving import Collector, Leaving
from dispatchtorch.compiler.program import FromSlot, Program
from dispatchtorch.compiler.reach import MISSING, Guards, Reach, Slot, restored
from dispatchtorch.compiler.recording import Recording, UntraceableError
from dispatchtorch.compiler.snapshot import Snapshot, only_what_is_new, storage_behind
from dispatchtorch.dispatch.node import next_seq
from dispatchtorch.dispatch.tracing import tracing
from dispatchtorch.plugin.backend import Array, Backend
from dispatchtorch.tensor.lens import Lens, is_contiguous, is_non_overlapping_and_dense
from dispatchtorch.tensor.storage import Storage
from dispatchtorch.tensor.tensor import Parameter, Tensor, extra_of, lens_of, read, wrap

__all__ = ["trace"]


def trace(
    function: Callable[..., Any],
    leaves: Sequence[Any],
    spec: Any,
    backend: Backend,
    moving: set[tuple[int, str]],
    donates: bool,
) -> Program:
    """Returns the program of one call; everything is then as before the call. Raises what the function raises.

    ``leaves`` and ``spec`` are the flattened arguments, ``moving`` the options that had better be read at each run;
    ``donates``: whether the program may take over memory. The caller runs the program to have the call's effects.
    """
    reach = Reach(function, leaves)
    snapshot = Snapshot(backend)
    snapshot.forget_reads()
    recording = Recording(snapshot, moving)
    given = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
    arrays = [read(leaves[i]) for i in given]
    found: list[Leaving] = []

    def staged(*placeholders: Array) -> list[Array]:
        since = next_seq()
        stand_ins = {i: _stand_in(leaves[i], placeholder) for i, placeholder in zip(given, placeholders, strict=True)}
        args, kwargs = tree_unflatten([stand_ins.get(i, leaf) for i, leaf in enumerate(leaves)], spec)
        result = function(*args, **kwargs)
        collector = Collector(snapshot, reach, lambda: Reach(function, leaves), recording, stand_ins, since)
        left = collector.collect(result, placeholders)
        del result, args, kwargs
        gradients = []
        if left.live:
            left.history = History(left.live, since)
            gradients = left.history.walk(recording, backend)
            left.history.name_ends(stand_ins, snapshot)
        collector.look_for_kept()
        for t in left.kept:
            storage = storage_behind(t)
            root = None if storage is None else left.take(storage.root, storage.backend)
            left.kept_at.append((left.take(read(t), t._key.backend), root))
        found.append(left)
        return [*left.arrays, *gradients]

    before, tracing.now = tracing.now, recording
    kept_casts, casts.kept = casts.kept, {}
    try:
        with only_what_is_new():
            traced = backend.trace(staged, arrays)
    except BaseException:
        for container, held in reach.changes():
            restored(container, held)
        raise
    finally:
        tracing.now = before
        casts.kept = kept_casts
        versions = [(cell, cell.version - old) for cell, old in snapshot.versions.values() if cell.version != old]
        snapshot.restore()
        recording.undo()
    left = found[0]
    for entry in left.entries:
        if entry.slot is None:
            del entry.grown[entry.before :]
        else:
            entry.slot.put(entry.before)
    program = _Planning(function, leaves, snapshot, recording, left, given, versions).plan(traced, donates)
    memory = [storage_behind(leaves[i]) or leaves[i] for i in given]
    distinct = {id(leaves[i]) for i in given}
    if not program.takes(leaves) or (left.written and len({id(m) for m in memory}) < len(distinct)):
        raise UntraceableError("an argument lies in the same memory as something that the function writes")
    return program


def _stand_in(leaf: Tensor, placeholder: Array) -> Tensor:
    """Returns a tensor like an argument, around a placeholder."""
    key = leaf._key
    t = wrap(placeholder, key.fresh(key.zero_dim, key.requires))
    if type(leaf) is Parameter:
        t.__class__ = Parameter
    elif type(leaf) is not Tensor:
        raise UntraceableError(f"an argument is a {type(leaf).__name__}, which is more than an array")
    lens = lens_of(leaf)
    if not is_contiguous(lens) and is_non_overlapping_and_dense(lens):
        extra_of(t).lens = Lens(lens.shape, lens.strides, 0)
    return t


class _Planning:
    """Makes a program of what a trace has found."""

    def __init__(
        self,
        function: Any,
        leaves: Sequence[Any],
        snapshot: Snapshot,
        recording: Recording,
        left: Leaving,
        given: list[int],
        versions: list[tuple[Any, int]],
    ) -> None:
        self._snapshot, self._recording, self._left = snapshot, recording, left
        self._reach = Reach(function, leaves)  # what was made on the way is part of it now
        self._guards = Guards()
        used = [t for t in leaves if isinstance(t, Tensor)]
        on_mesh = any(t._key.backend is not snapshot.backend for t in used)
        self._plan = Program(snapshot.backend, recording, left, given, versions, self._guards, on_mesh)
        self._replaced = self._slots_replaced()

    def plan(self, traced: Any, donates: bool) -> Program:
        """Returns the program."""
        plan, left = self._plan, self._left
        settled: dict[int, tuple[Storage, list[Tensor]]] = {}
        for t in left.plain:
            storage = self._snapshot.settled(t)
            settled[id(storage)] = (storage, [t])
        for storage in left.stores:
            settled[id(storage)] = (storage, self._snapshot.covering(storage))
        plan.stores_out = list(settled.values())
        order = {id(storage): i for i, storage in enumerate([*left.stores, *[storage_behind(t) for t in left.plain]])}
        plan.stores_out = sorted(plan.stores_out, key=lambda pair: order[id(pair[0])])
        if left.history is not None:
            seeds = {id(seed): j for j, seed in enumerate(self._recording.seeds)}
            positions = [i for i, array in enumerate(traced.captured) if id(array) in seeds]
            halves = traced.split(len(left.arrays), positions)
            plan.backward(halves, [seeds[id(traced.captured[i])] for i in positions])
            traced = halves.first
        self._sources(traced.captured, settled)
        self._relied_upon()
        plan.finish(traced, donates)
        write_course(plan)
        return plan

    # --- where a run finds its inputs --------------------------------------------------------------------------------

    def _sources(self, captured: Sequence[Array], settled: dict[int, tuple[Storage, list[Tensor]]]) -> None:
        tensors = self._snapshot.tensors
        supplied = {id(array): i for i, array in enumerate(self._recording.supplied)}
        owners = {id(grad): t for t, _, grad in tensors.values() if grad is not None}
        holders: dict[int, Any] = {}
        for t, a, _ in tensors.values():
            storage = storage_behind(t)
            array = a if storage is None else storage.root
            if id(t) in owners:
                holders[id(array)] = owners[id(t)], None, True
            elif id(array) not in holders:
                holders[id(array)] = t, storage, False
        plan = self._plan
        for i, array in enumerate(captured):
            number = supplied.get(id(array))
            if number is not None:
                plan.supplied.append((i, number))
                continue
            if self._snapshot.backend.is_traced(array):
                raise UntraceableError("something has kept a placeholder of an earlier trace")
            if id(array) not in holders:
                plan.constants.append((i, array))
                continue
            t, storage, is_grad = holders[id(array)]
            plan.on_mesh = plan.on_mesh or t._key.backend is not plan.backend
            slot = self._replaced.get(id(t))
            if slot is not None:
                plan.slots.append((i, slot))
                self._watch_container(slot.slot)
            elif is_grad:
                plan.grads.append((i, t))
                self._watch(t)
            else:
                storage = self._snapshot.settled(t) if storage is None else storage
                shown = settled.get(id(storage)) or (storage, self._snapshot.covering(storage))
                plan.stores.append((i, *shown))
                for one in shown[1]:
                    self._watch(one)
        for _, shown_by in plan.stores_out:
            for t in shown_by:
                self._watch(t)

    def _slots_replaced(self) -> dict[int, FromSlot]:
        """Returns for the tensors that were in slots which each run fills anew: which slot, and which leaf there."""
        found = {}
        for entry in self._left.entries:
            if entry.slot is None or entry.before is MISSING:
                continue
            leaves, spec = tree_flatten(entry.before)
            if not any(isinstance(leaf, Tensor) for leaf in leaves):
                continue
            for i, leaf in enumerate(leaves):
                if isinstance(leaf, Tensor):
                    if len(self._reach.slots_of(leaf)) > 1:
                        raise UntraceableError(
                            f"{self._reach.name_of(leaf) or 'a tensor'} is replaced in one place and known in another"
                        )
                    found[id(leaf)] = FromSlot(entry.slot, spec, i, leaf._key, tuple(leaf._a.shape))
        return found

    # --- what has to stay as it is -----------------------------------------------------------------------------------

    def _watch(self, t: Tensor) -> None:
        """Has the way to a tensor guarded."""
        for slot, thing, name in self._reach.way_to(t):
            self._guards.add(slot, thing, name)

    def _watch_container(self, slot: Slot) -> None:
        """Has the way to the container of a slot guarded, the slot itself excepted."""
        for thing in self._reach.things.values():
            if thing is slot.container or getattr(thing, "__dict__", None) is slot.container:
                for step, there, name in self._reach.way_to(thing):
                    self._guards.add(step, there, name)
                return

    def _relied_upon(self) -> None:
        """Has everything else guarded that the function can have asked."""
        filled = {
            (id(e.slot.container), id(e.slot.key) if isinstance(e.slot.key, Tensor) else e.slot.key): e
            for e in self._left.entries
            if e.slot is not None
        }
        for entry in filled.values():
            assert entry.slot is not None  # only such are among them
            if entry.before is MISSING or not any(isinstance(x, Tensor) for x in tree_flatten(entry.before)[0]):
                self._guards.add(entry.slot, entry.before, "an entry that is made here", plain=True)
        for slot, value, name in self._reach.plain():
            if slot.get() is value:
                self._guards.add(slot, value, name, plain=True)
        for module in self._reach.modules:
            self._guards.add(Slot(module.__dict__, "training"), module.training, "training", plain=True)
            for name, child in module._modules.items():
                if child is not None:
                    self._guards.add(Slot(module._modules, name), child, f"{type(module).__name__}.{name}")
        given = {id(t) for t, _ in self._left.grads} | {id(t) for t in self._left.grown}
        self._plan.gradless = [
            t
            for t, _, grad in self._snapshot.tensors.values()
            if id(t) in given and grad is None and id(t) not in self._recording.dropped
        ]
