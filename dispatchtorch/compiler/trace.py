"""Tracing: an ordinary function is run once on placeholders, and what it read, made and wrote becomes one program.

Nothing is analysed. State that the function reads turns up among the arrays that the library's own trace has captured;
state that it writes holds a placeholder afterwards (`Leaving`). So parameters, gradients, optimizer state, running
statistics and whatever else a step touches become inputs and outputs without being named by anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from dispatchtorch._base.pytree import tree_flatten, tree_unflatten
from dispatchtorch.amp.casting import casts
from dispatchtorch.autograd.hooks import changes
from dispatchtorch.compiler.course import write_course
from dispatchtorch.compiler.dice import Dice
from dispatchtorch.compiler.guards import Guards
from dispatchtorch.compiler.history import History
from dispatchtorch.compiler.leaving import Collector, Given, Leaving
from dispatchtorch.compiler.program import FromSlot, Program
from dispatchtorch.compiler.reach import HOOK_TABLES, Reach
from dispatchtorch.compiler.recording import Recording, UntraceableError
from dispatchtorch.compiler.slots import MISSING, Slot, mark_of
from dispatchtorch.compiler.snapshot import Snapshot, covers, only_what_is_new, storage_behind
from dispatchtorch.dispatch.node import next_seq
from dispatchtorch.dispatch.tracing import tracing
from dispatchtorch.nn.modules.hooks import GLOBAL
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
    if reach.iterators():
        raise UntraceableError(f"the function reads an iterator, {reach.iterators()[0]}: give it what comes out of it")
    snapshot = Snapshot(backend)
    snapshot.forget_reads()
    recording = Recording(snapshot, moving)
    given, same = _told_apart(leaves, reach)
    with_grads = [i for i in given if (extra := leaves[i]._extra) is not None and extra.grad is not None]
    arrays = [*[read(leaves[i]) for i in given], *[read(leaves[i]._extra.grad) for i in with_grads]]
    found: list[Leaving] = []
    dice = Dice(reach.things.values())

    def staged(*placeholders: Array) -> list[Array]:
        since = next_seq()
        stand_ins = Given(flowing={i for i in given if leaves[i]._edge is not None})
        for i, placeholder in zip(given, placeholders, strict=False):
            stand_ins.tensors[i], stand_ins.arrays[i] = _stand_in(leaves[i], placeholder), placeholder
        for i, placeholder in zip(with_grads, placeholders[len(given) :], strict=True):
            grad = wrap(placeholder, (key := leaves[i]._extra.grad._key).fresh(key.zero_dim, key.requires))
            extra_of(stand_ins.tensors[i]).grad = grad
            stand_ins.gradients[i] = grad, placeholder
        number = {id(leaves[i]): i for i in given}
        args, kwargs = tree_unflatten([stand_ins.tensors.get(number.get(id(x), -1), x) for x in leaves], spec)
        flat = tree_flatten((args, kwargs))
        result = function(*args, **kwargs)
        _not_filled((args, kwargs), *flat)
        collector = Collector(snapshot, reach, lambda: Reach(function, leaves), recording, stand_ins, since)
        left = collector.collect(result)
        if dice.thrown():
            raise UntraceableError("Python's or numpy's generators are asked for numbers; ask the library's own")
        del result, args, kwargs
        gradients = []
        if left.live:
            left.history = History(left.live, since)
            gradients = left.history.walk(recording, backend)
            left.history.name_ends(stand_ins.tensors, snapshot)
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
        for holding in reach.changes():
            holding.restore()
        dice.put_back()
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
    for slot, before, _ in (*left.puts, *left.counts):
        slot.put(before)
    if any(t is leaves[i] for t, _ in left.grads for i in given):
        raise UntraceableError("an argument is a tensor that the function knows already, and gets a gradient")
    planning = _Planning(function, leaves, snapshot, recording, left, given, versions, with_grads, same)
    program = planning.plan(traced, donates)
    memory = {id(storage_behind(leaves[i]) or leaves[i]) for i in given}
    if not program.takes(leaves) or (left.written and len(memory) < len(given)):
        raise UntraceableError("an argument lies in the same memory as something that the function writes")
    return program


def _not_filled(arguments: Any, leaves: Sequence[Any], spec: Any) -> None:
    """Refuses a call that has changed the lists and dicts among its arguments, which are rebuilt for a trace."""
    now, as_now = tree_flatten(arguments)
    if as_now != spec or any(a is not b for a, b in zip(now, leaves, strict=True)):
        raise UntraceableError("a list or dict among the arguments is changed: return what is new")


def _told_apart(leaves: Sequence[Any], reach: Reach) -> tuple[list[int], list[tuple[int, Tensor]]]:
    """Returns the numbers of the tensors that are arguments, each once, and of those that are state as well.

    The function knows the latter itself: ``step(model.weight)`` of a function that calls the model.
    """
    given: dict[int, int] = {}
    same = []
    for i, leaf in enumerate(leaves):
        if not isinstance(leaf, Tensor):
            continue
        if leaf._key.requires and leaf._edge is None and id(leaf) in reach.things:
            same.append((i, leaf))
        else:
            given.setdefault(id(leaf), i)
    return list(given.values()), same


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


def _hooks_of(reach: Reach) -> Callable[[], Hashable]:
    """Returns what gives the hooks of all that a function comes to, as numbers; looks again only after changes."""
    modules = [[vars(module)[table] for table in HOOK_TABLES] for module in reach.modules]
    tables: list[Any] = [table for one in modules for table in one]
    tables += [GLOBAL.forward, GLOBAL.forward_pre, GLOBAL.backward, GLOBAL.backward_pre]
    tensors = [t for t in reach.things.values() if isinstance(t, Tensor) and t._key.requires]
    known: tuple[int, Hashable] = (-1, None)

    def look() -> Hashable:
        nonlocal known
        if known[0] != changes.count:
            found = [tuple(table) for table in tables]
            extras = [t._extra for t in tensors]
            found += [() if e is None else (*(e.hooks or ()), *(e.post_hooks or ())) for e in extras]
            known = changes.count, tuple(found)
        return known[1]

    return look


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
        with_grads: list[int],
        same: list[tuple[int, Tensor]],
    ) -> None:
        self._snapshot, self._recording, self._left = snapshot, recording, left
        self._reach = Reach(function, leaves)  # what was made on the way is part of it now
        self._guards = Guards()
        used = [t for t in leaves if isinstance(t, Tensor)]
        on_mesh = any(t._key.backend is not snapshot.backend for t in used)
        self._plan = Program(snapshot.backend, recording, left, given, versions, self._guards, on_mesh)
        self._plan.with_grads, self._plan.same = tuple(with_grads), tuple(same)
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
            if id(t) in owners and (storage is None or covers(t, storage)):
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
        filled = {mark_of(e.slot): e for e in self._left.entries if e.slot is not None}
        for entry in filled.values():
            assert entry.slot is not None  # only such are among them
            if entry.before is MISSING or not any(isinstance(x, Tensor) for x in tree_flatten(entry.before)[0]):
                self._guards.add(entry.slot, entry.before, "an entry that is made here", plain=True)
        put = {mark_of(slot): value for slot, value, _ in self._left.puts if self._reach.reads(slot)}
        idle = {mark_of(slot) for slot, _, _ in (*self._left.counts, *self._left.puts)} - put.keys()
        for slot, value, _ in self._left.puts:
            if mark_of(slot) in put:
                self._guards.add(slot, value, self._reach.name_of_slot(slot), plain=True)
        for slot, value, name, source in self._reach.plain():
            if slot.get() is value and mark_of(slot) not in idle and id(slot.container) not in self._recording.moved:
                self._guards.add(slot, value, name, plain=True)
                for step, thing, step_name in self._reach.way_from(source):
                    if mark_of(step) not in filled:
                        self._guards.add(step, thing, step_name)
        for slot, name in self._reach.absent():
            known = mark_of(slot) in filled or mark_of(slot) in idle
            if not known and id(slot.container) not in self._recording.moved:
                self._guards.add(slot, MISSING, name, plain=True)
        for slot, thing, name in self._reach.fixed():
            if mark_of(slot) not in filled and id(slot.container) not in self._recording.moved:
                self._guards.add(slot, thing, name)
        written = {id(slot.container) for slot, _, _ in (*self._left.puts, *self._left.counts)}
        written |= {id(e.slot.container) for e in self._left.entries if e.slot is not None}
        written |= {id(e.grown) for e in self._left.entries if e.slot is None and not self._reach.reads_list(e.grown)}
        for container, name in self._reach.held():
            if id(container) not in written:
                self._guards.add_container(container, name)
        self._guards.add_fact(_hooks_of(self._reach), "hooks: what is registered")
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
