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
from dispatchtorch.compiler.history import History, is_spent, spent
from dispatchtorch.compiler.reach import MISSING, Reach, Slot, restored
from dispatchtorch.compiler.recording import Recording, UntraceableError
from dispatchtorch.compiler.snapshot import Snapshot, covers, storage_behind, tensors_alive
from dispatchtorch.plugin.backend import Array, Backend
from dispatchtorch.tensor.key import Key
from dispatchtorch.tensor.storage import Storage
from dispatchtorch.tensor.tensor import Tensor, lens_of, read

__all__ = ["Collector", "Entry", "Leaving"]


@dataclass(eq=False)
class Entry:
    """An entry of a container that a call makes anew: in a slot, or at the end of a list."""

    slot: Slot | None
    grown: Any  # the list, where it is appended to
    spec: Any
    leaves: list[int]  # numbers of makers
    before: Any  # what was there


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
    argument_grads: list[tuple[int, Key]] = field(default_factory=list)
    kept: list[Tensor] = field(default_factory=list)  # new ones, held where no run can put one
    kept_at: list[tuple[int, int | None]] = field(default_factory=list)  # their arrays' numbers, their storages'
    makers: list[results.Maker] = field(default_factory=list)
    groups: list[results.Group] = field(default_factory=list)
    spec: Any = None
    result: list[int] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
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
        stand_ins: dict[int, Tensor],
        since: int,
    ) -> None:
        self._snapshot, self._reach, self._recording, self._since = snapshot, reach, recording, since
        self._stand_ins, self._look_again = stand_ins, look_again
        self._numbers = {id(t): i for i, t in stand_ins.items()}
        self._made: dict[int, int] = {}  # id of a leaf -> number of its maker
        self._leaves: list[Any] = []  # keeps their ids theirs
        self._shared: dict[int, results.Group] = {}
        self._moved: set[int] = set()  # tensors that a slot held which holds another one now
        self.left = Leaving()

    def collect(self, result: Any, placeholders: Sequence[Array]) -> Leaving:
        """Returns everything that is left, ``result`` included."""
        left = self.left
        self._state()
        self._arguments(placeholders)
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
        for grad in grown.values():
            owner = owners[id(grad)]
            if owner._extra is not None and owner._extra.grad is grad:
                left.grown.append(owner)
                left.take(read(grad), grad._key.backend, owner)

    def _arguments(self, placeholders: Sequence[Array]) -> None:
        left = self.left
        for (i, t), placeholder in zip(self._stand_ins.items(), placeholders, strict=True):
            if read(t) is not placeholder:
                left.written.append(i)
                left.take(read(t), t._key.backend, i)
        for i, t in self._stand_ins.items():
            grad = None if t._extra is None else t._extra.grad
            if grad is not None:
                left.argument_grads.append((i, grad._key))
                left.take(read(grad), grad._key.backend, i)

    # --- entries of containers ---------------------------------------------------------------------------------------

    def _changed(self) -> list[tuple[list[Any], Entry]]:
        """Returns the entries that hold tensors and are new or other ones than before the call."""
        found: list[tuple[list[Any], Entry]] = []
        now: Reach | None = None
        for container, held in self._reach.changes():
            now = now or self._look_again()
            if id(container) not in now.containers:  # it was let go of
                restored(container, held)
                continue
            if isinstance(container, dict):
                keys = [key for key, value in container.items() if held.get(key, MISSING) is not value]
                slots = [(Slot(container, key), held.get(key, MISSING)) for key in keys]
            elif not isinstance(container, list):
                slots = [(Slot(container, None), held)] if not hasattr(container, "append") else []
            elif len(container) == len(held):
                pairs = enumerate(zip(container, held, strict=True))
                slots = [(Slot(container, i), old) for i, (new, old) in pairs if new is not old]
            elif len(container) > len(held) and all(a is b for a, b in zip(container, held, strict=False)):
                for value in container[len(held) :]:
                    leaves, spec = tree_flatten(value)
                    if self._counts(leaves):
                        found.append((leaves, Entry(None, container, spec, [], len(held))))
                continue
            else:
                slots = []
            for slot, old in slots:
                leaves, spec = tree_flatten(slot.get())
                if self._counts(leaves):
                    found.append((leaves, Entry(slot, None, spec, [], old)))
                    self._moved.update(id(leaf) for leaf in tree_flatten(old)[0] if isinstance(leaf, Tensor))
        return found

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
        for i, t in self._stand_ins.items():
            if storage_behind(t) is storage:
                return results.argument(i)
        if id(storage) in self._snapshot.storages:
            return results.constant(
                next(t for t, _, _ in self._snapshot.tensors.values() if storage_behind(t) is storage)
            )
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
        grads |= {id(t._extra.grad) for t in self._stand_ins.values() if t._extra is not None}
        known = {*self._snapshot.tensors, *self._numbers, *self._made, *grads}
        return [t for t in tensors_alive(backend) if id(t) not in known and backend.is_traced(t._a)]
