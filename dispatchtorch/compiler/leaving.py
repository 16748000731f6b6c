"""What a traced call leaves behind: where every placeholder is that outlives it, and what a run has to put there.

The snapshot says which tensors were there before; whoever holds a placeholder now was written or is new. The reach of
the function says which entries of dicts and lists are new or other ones. Must not know: how a program is run.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dispatchtorch._base.pytree import tree_flatten
from dispatchtorch.compiler import results
from dispatchtorch.compiler.guards import is_plain
from dispatchtorch.compiler.history import History, is_spent, spent
from dispatchtorch.compiler.reach import Reach
from dispatchtorch.compiler.recording import Recording, UntraceableError
from dispatchtorch.compiler.slots import MISSING, Holding, Slot
from dispatchtorch.compiler.snapshot import Snapshot, covers, storage_behind, tensors_alive
from dispatchtorch.plugin.backend import Array, Backend
from dispatchtorch.tensor.key import Key
from dispatchtorch.tensor.storage import Storage
from dispatchtorch.tensor.tensor import Tensor, lens_of, read

__all__ = ["Collector", "Entry", "Given", "Leaving"]


@dataclass(eq=False)
class Entry:
    """An entry of a container that a call makes anew: in a slot, or at the end of a list."""

    slot: Slot | None
    grown: Any  # the list, where it is appended to
    spec: Any
    leaves: list[int]  # numbers of makers
    before: Any  # what was there


@dataclass(eq=False)
class Given:
    """What stands for the arguments in a trace, by their numbers; an argument that is given twice has one stand-in."""

    tensors: dict[int, Tensor] = field(default_factory=dict)
    arrays: dict[int, Array] = field(default_factory=dict)
    gradients: dict[int, tuple[Tensor, Array]] = field(default_factory=dict)
    flowing: set[int] = field(default_factory=set)  # those whose real gradient goes on through a history


@dataclass(eq=False)
class Leaving:
    """The arrays that leave a trace, in the order of these lists, and whose they are."""

    arrays: list[Array] = field(default_factory=list)
    stores: list[Storage] = field(default_factory=list)
    plain: list[Tensor] = field(default_factory=list)  # tensors without a storage, which get one after the trace
    grads: list[tuple[Tensor, Key]] = field(default_factory=list)
    grown: list[Tensor] = field(default_factory=list)  # owners whose gradient was written in place
    dropped: list[Tensor] = field(default_factory=list)
    written: list[int] = field(default_factory=list)
    argument_grads: list[tuple[int, Key, bool]] = field(default_factory=list)  # whether it stays the same tensor
    argument_drops: list[int] = field(default_factory=list)
    kept: list[Tensor] = field(default_factory=list)  # new ones, held where no run can put one
    kept_at: list[tuple[int, int | None]] = field(default_factory=list)  # their arrays' numbers, their storages'
    makers: list[results.Maker] = field(default_factory=list)
    groups: list[results.Group] = field(default_factory=list)
    spec: Any = None
    result: list[int] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    puts: list[tuple[Slot, Any, Any]] = field(default_factory=list)  # plain things: what was there, and what is
    counts: list[tuple[Slot, int, int]] = field(default_factory=list)  # numbers that go up: what was there, by how much
    history: History | None = None
    live: list[Tensor] = field(default_factory=list)  # results that backward() goes through later

    lies: list[tuple[Backend, Any]] = field(default_factory=list)  # whose each array is, and like what it is laid out

    def take(self, array: Array, backend: Backend, like: Storage | Tensor | int | None = None) -> int:
        """Adds an array and returns its number; it lies like a storage, a tensor or an argument."""
        self.arrays.append(array)
        self.lies.append((backend, like))
        return len(self.arrays) - 1


class Collector:
    """Finds what a call has left."""

    def __init__(
        self,
        snapshot: Snapshot,
        reach: Reach,
        look_again: Callable[[], Reach],
        recording: Recording,
        given: Given,
        since: int,
    ) -> None:
        self._snapshot, self._reach, self._recording, self._since = snapshot, reach, recording, since
        self._given, self._look_again = given, look_again
        self._of_gradients: dict[int, results.Maker] = {}  # id of a new gradient -> what gives it
        self._numbers = {id(t): i for i, t in given.tensors.items()}
        self._made: dict[int, int] = {}  # id of a leaf -> number of its maker
        self._leaves: list[Any] = []  # keeps their ids theirs
        self._shared: dict[int, results.Group] = {}
        self._moved: set[int] = set()  # tensors that a slot held which holds another one now
        self.left = Leaving()

    def collect(self, result: Any) -> Leaving:
        """Returns everything that is left, ``result`` included."""
        left = self.left
        self._state()
        self._arguments()
        flat, left.spec = tree_flatten(result)
        changed = self._changed()
        everything = [*flat, *[leaf for leaves, _ in changed for leaf in leaves]]
        self._sharing(everything)
        left.result = [self._maker(leaf) for leaf in flat]
        results_only = set(left.result)
        for leaves, entry in changed:
            entry.leaves = [self._maker(leaf) for leaf in leaves]
            for leaf, number in zip(leaves, entry.leaves, strict=True):
                if number not in results_only and any(leaf is t for t in left.live):
                    raise UntraceableError("the function keeps a tensor with its history; keep its detach()")
            left.entries.append(entry)
        return left

    # --- state -------------------------------------------------------------------------------------------------------

    def _state(self) -> None:
        left, backend = self.left, self._snapshot.backend
        tensors = self._snapshot.tensors.values()
        owners = {id(grad): t for t, _, grad in tensors if grad is not None}
        of_grads = {id(storage_behind(t)): t for t, _, _ in tensors if id(t) in owners}
        grown: dict[int, Tensor] = {}
        for storage, root, _ in list(self._snapshot.storages.values()):
            if storage.root is not root:
                grad = of_grads.get(id(storage))
                if grad is None:
                    left.stores.append(storage)
                elif not covers(grad, storage):
                    raise UntraceableError("a gradient is a view of memory that it shares, and that is written")
                else:
                    grown[id(grad)] = grad
        for t, a, _ in tensors:
            now = storage_behind(t)
            fresh = now is not None and id(now) not in self._snapshot.storages
            if (now is None and t._a is not a) or (fresh and backend.is_traced(read(t))):
                if id(t) in owners:
                    grown[id(t)] = t
                else:
                    left.plain.append(t)
        gradients = []
        for t, _, grad in tensors:
            now_grad = None if t._extra is None else t._extra.grad
            if now_grad is grad and not (now_grad is None and id(t) in self._recording.dropped):
                continue
            if now_grad is None:
                left.dropped.append(t)
            elif now_grad._edge is not None and now_grad._key.requires:
                raise UntraceableError("a gradient with a history of its own is kept (create_graph=True)")
            else:
                gradients.append((t, now_grad))
        for storage in left.stores:
            left.take(storage.root, storage.backend, storage)
        for t in left.plain:
            left.take(read(t), t._key.backend, t)
        for t, grad in gradients:
            left.grads.append((t, grad._key))
            left.take(read(grad), grad._key.backend, t)
            self._of_gradients[id(grad)] = results.gradient_of(results.constant(t))
        for grad in grown.values():
            owner = owners[id(grad)]
            if owner._extra is not None and owner._extra.grad is grad:
                left.grown.append(owner)
                left.take(read(grad), grad._key.backend, owner)

    def _arguments(self) -> None:
        left = self.left
        for i, t in self._given.tensors.items():
            if read(t) is not self._given.arrays[i]:
                left.written.append(i)
                left.take(read(t), t._key.backend, i)
        for i, t in self._given.tensors.items():
            grad = None if t._extra is None else t._extra.grad
            before, array = self._given.gradients.get(i, (None, None))
            if grad is None:
                left.argument_drops += [i] if before is not None else []
                continue
            self._of_gradients[id(grad)] = results.gradient_of(results.argument(i))
            if grad is before and read(grad) is array:
                continue
            if grad is not before and i in self._given.flowing:
                raise UntraceableError("backward() would go on through the history of an argument: detach() it")
            left.argument_grads.append((i, grad._key, grad is before))
            left.take(read(grad), grad._key.backend, i)

    # --- entries of containers ---------------------------------------------------------------------------------------

    def _changed(self) -> list[tuple[list[Any], Entry]]:
        """Returns the entries that hold tensors and are new or other ones than before the call."""
        found: list[tuple[list[Any], Entry]] = []
        now: Reach | None = None
        for holding in self._reach.changes():
            container = holding.container
            now = now or self._look_again()
            if id(container) not in now.containers:  # it was let go of
                holding.restore()
                continue
            own = self._reach.is_own(container) or id(container) in self._recording.moved
            own = own or id(container) in self._recording.moved_groups
            slots = holding.slots()
            if slots is None and not own:
                name = self._reach.name_of(container) or f"a {type(container).__name__}"
                raise UntraceableError(f"{name} loses entries or changes their order, which no program does again")
            for value in holding.grown():
                leaves, spec = tree_flatten(value)
                if self._counts(leaves) or not (own or any(isinstance(leaf, Tensor) for leaf in leaves)):
                    found.append((leaves, Entry(None, container, spec, [], len(holding.held))))
            for slot, old in slots or ():
                found += self._entry(slot, old, own)
            if own and isinstance(container, dict):
                self._options(container, holding)
        return found

    def _entry(self, slot: Slot, old: Any, own: bool) -> list[tuple[list[Any], Entry]]:
        """Returns the entry for a place that holds another thing now, if that is made anew by each run."""
        value = slot.get()
        leaves, spec = tree_flatten(value)
        if self._counts(leaves):
            self._moved.update(id(leaf) for leaf in tree_flatten(old)[0] if isinstance(leaf, Tensor))
            return [(leaves, Entry(slot, None, spec, [], old))]
        if own or (slot.key == "_opt_called" and value is True):  # an optimizer's note for its schedules
            return []
        if value is MISSING:
            raise UntraceableError(f"{slot.key!r} is taken away, which a program would not do again")
        if not all(map(is_plain, leaves)):
            return []
        if spec.type is not None:
            return [(leaves, Entry(slot, None, spec, [], old))]
        if type(value) is type(old) is int and self._reach.only_counts(slot):
            self.left.counts.append((slot, old, value - old))
        else:
            self.left.puts.append((slot, old, value))
        return []

    def _options(self, group: dict[str, Any], holding: Holding) -> None:
        """Refuses an optimizer's option that the function itself sets: a program would read it too early."""
        if "params" not in group or id(group) in self._recording.moved_groups:
            return
        for slot, _ in holding.slots() or ():
            if is_plain(slot.get()):
                raise UntraceableError(f"the optimizer's {slot.key} is set here: set it outside, or with a scheduler")

    def _counts(self, leaves: Sequence[Any]) -> bool:
        """Returns whether an entry has to be made anew by each run."""
        own = [
            leaf for leaf in leaves if isinstance(leaf, Tensor) and leaf._key.backend.engine is self._snapshot.backend
        ]
        return any(id(leaf) not in self._recording.born for leaf in own)

    # --- tensors -----------------------------------------------------------------------------------------------------

    def _sharing(self, leaves: Sequence[Any]) -> None:
        """Finds the storages that several new tensors share."""
        seen: dict[int, int] = {}
        for leaf in {id(leaf): leaf for leaf in leaves if isinstance(leaf, Tensor)}.values():
            storage = storage_behind(leaf)
            if storage is not None and id(leaf) not in self._snapshot.tensors and id(leaf) not in self._numbers:
                seen[id(storage)] = seen.get(id(storage), 0) + 1
        self._several = {storage for storage, count in seen.items() if count > 1}

    def _maker(self, leaf: Any) -> int:
        """Returns the number of what makes a leaf at each run."""
        known = self._made.get(id(leaf))
        if known is None:
            self.left.makers.append(self._making(leaf))
            self._leaves.append(leaf)
            known = self._made[id(leaf)] = len(self.left.makers) - 1
        return known

    def _making(self, leaf: Any) -> results.Maker:
        if not isinstance(leaf, Tensor) or leaf._key.backend.engine is not self._snapshot.backend:
            return results.constant(leaf)
        if id(leaf) in self._moved:
            raise UntraceableError("the function moves a tensor from one place to another; copy its values: copy_()")
        if id(leaf) in self._snapshot.tensors:
            return results.constant(leaf)
        if id(leaf) in self._numbers:
            return results.argument(self._numbers[id(leaf)])
        if id(leaf) in self._of_gradients:
            return self._of_gradients[id(leaf)]
        edge, output = self._edge(leaf)
        key = leaf._key
        storage = storage_behind(leaf)
        if storage is None or (covers(leaf, storage) and id(storage) not in self._several and not self._base(storage)):
            return results.fresh(
                self.left.take(read(leaf), key.backend), key.fresh(key.zero_dim, key.requires), edge, output
            )
        base = self._base(storage)
        if base is not None:
            return results.viewing(base, lens_of(leaf), key, edge, output)
        group = self._shared.get(id(storage))
        if group is None:
            group = self._shared[id(storage)] = results.Group(self.left.take(storage.root, key.backend), key.backend)
            group.shared = id(storage) in self._several
            self.left.groups.append(group)
        return results.showing(group, self.left.take(read(leaf), key.backend), lens_of(leaf), key, edge, output)

    def _base(self, storage: Storage) -> results.Maker | None:
        """Returns what gives a tensor that was there before and has this storage."""
        for i, t in self._given.tensors.items():
            if storage_behind(t) is storage:
                return results.argument(i)
        if id(storage) in self._snapshot.storages:
            return results.constant(
                next(t for t, _, _ in self._snapshot.tensors.values() if storage_behind(t) is storage)
            )
        for t in (*[t for t, _, _ in self._snapshot.tensors.values()], *self._given.tensors.values()):
            grad = None if t._extra is None else t._extra.grad
            if grad is not None and storage_behind(grad) is storage:
                return self._of_gradients.get(id(grad))
        plain = [t for t, _, _ in self._snapshot.tensors.values() if storage_behind(t) is storage]
        return results.constant(plain[0]) if plain else None

    def _edge(self, leaf: Tensor) -> tuple[Any, int]:
        """Returns a result's edge, or the number of its gradient where `backward` is still to come."""
        if not leaf._key.requires or leaf._edge is None:
            return None, -1
        if is_spent(leaf._edge, self._since):
            return spent(leaf._edge), -1
        self.left.live.append(leaf)
        return None, len(self.left.live) - 1

    # --- tensors that nobody expects ---------------------------------------------------------------------------------

    def look_for_kept(self) -> None:
        """Finds new tensors that are held where no run can put one."""
        if self._strangers():
            gc.collect()
            self.left.kept = self._strangers()

    def _strangers(self) -> list[Tensor]:
        backend = self._snapshot.backend
        grads = {id(t._extra.grad) for t, _ in self.left.grads if t._extra is not None}
        grads |= {id(grad) for grad, _ in self._given.gradients.values()}
        grads |= {id(t._extra.grad) for t in self._given.tensors.values() if t._extra is not None}
        extras = [leaf._extra for leaf in self._leaves if isinstance(leaf, Tensor)]
        bases = {id(extra.base) for extra in extras if extra is not None}  # what results are views of, and keep
        known = {*self._snapshot.tensors, *self._numbers, *self._made, *grads, *bases}
        return [t for t in tensors_alive(backend) if id(t) not in known and backend.is_traced(t._a)]
