"""What the host does during a trace, in order: numbers drawn, rates read, schedules moved on, facts relied upon.

Must not know: how arrays are found, what a program does with all this.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterable
from typing import Any, NoReturn, TypeVar

from dispatchtorch._base.dtypes import float64
from dispatchtorch._base.host import np
from dispatchtorch.compiler.snapshot import Snapshot
from dispatchtorch.dispatch.tracing import Tracing, tracing
from dispatchtorch.plugin.backend import Array, Backend
from dispatchtorch.tensor.key import intern_key
from dispatchtorch.tensor.tensor import Tensor, wrap

__all__ = ["DRAWN", "EFFECT", "RATE", "Rate", "Recording", "UntraceableError"]

T = TypeVar("T")
DRAWN, RATE, EFFECT = 0, 1, 2


class UntraceableError(RuntimeError):
    """The function does something that no program can repeat."""


class Rate:
    """An option that a program reads at each run. One that stays is not handed over anew: its array is kept."""

    __slots__ = ("_backend", "_device", "_seen", "array", "value")

    def __init__(self, value: Any, array: Array, backend: Backend, device: str) -> None:
        self._backend, self._device = backend, device
        self._seen: Any = None
        self.value: Any = value if type(value) is float else self  # others might change as they are
        self.array = array

    def moved(self, now: Any) -> Any:
        """Returns what a program gets for a number that is not the one whose array is kept."""
        if type(now) is not float or now is not self._seen:
            self._seen = now
            return np.float64(now)
        self.value, self.array = now, self._backend.from_host(np.asarray(now, np.float64), self._device)
        return self.array


class Recording(Tracing):
    """One trace. ``moving`` are options that have been seen to change: (id of the dict, name)."""

    def __init__(self, snapshot: Snapshot, moving: set[tuple[int, str]]) -> None:
        self._backend, self._snapshot, self._moving = snapshot.backend, snapshot, moving
        self.events: list[tuple[int, Any, Any]] = []
        self.supplied: list[Array] = []
        self.guards: list[tuple[Callable[[], Hashable], Hashable, str]] = []
        self.watched: dict[int, tuple[dict[str, Any], tuple[str, ...], tuple[Any, ...]]] = {}
        self.dropped: dict[int, Tensor] = {}  # whose gradient was dropped before anything was added to it
        self.seeds: list[Array] = []  # gradients to come, of a call whose results have a history
        self.born: set[int] = set()  # state that was made on the way
        self.moved: set[int] = set()  # what schedules and the like change at every run: their own attributes
        self.moved_groups: set[int] = set()  # and the optimizer's options
        self._rates: dict[Any, Tensor] = {}
        self._undo: list[Callable[[], None]] = []

    def supply(self, make: Callable[[], Any], backend: Backend, device: str) -> Array:
        """Returns an array that stands outside of the trace, so that the trace captures it as what it is."""
        if backend.engine is not self._backend:
            return backend.from_host(make(), device)
        with backend.aside():
            array = backend.from_host(make(), device)
        self.events.append((DRAWN, make, (backend, device)))
        self.supplied.append(array)
        return array

    def rate(self, options: dict[str, Any], name: str, like: Tensor, index: int | None = None) -> Tensor:
        """Returns a 0-dimensional float64 tensor; the same one until something happens on the host."""
        mark = (id(options), name, index)
        known = self._rates.get(mark)
        if known is not None:
            return known
        key = like._key
        value = options[name] if index is None else options[name][index]
        with self._backend.aside():
            raw = key.backend.from_host(np.asarray(value, np.float64), str(key.device))
        self.events.append((RATE, options, (name, index, Rate(value, raw, key.backend, str(key.device)))))
        self.supplied.append(raw)
        found = self._rates[mark] = wrap(raw, intern_key(key.backend, key.device, float64, True))
        return found

    def changes(self, options: dict[str, Any], name: str) -> bool:
        """Returns whether an option was another one when a program was wanted before."""
        return (id(options), name) in self._moving

    def effect(self, owner: Any, run: Callable[[], None]) -> None:
        """Runs it, and remembers how ``owner`` was."""
        owners = _with_members(owner)
        before = [
            {name: copy.copy(v) if isinstance(v, (list, dict)) else v for name, v in vars(one).items()}
            for one in owners
        ]
        groups = owner.optimizer.param_groups if hasattr(owner, "optimizer") else []
        old_groups = [dict(group) for group in groups]

        def undo() -> None:
            for one, held in zip(owners, before, strict=True):
                vars(one).update(held)
            for group, old in zip(groups, old_groups, strict=True):
                group.update(old)

        self._undo.append(undo)
        self.moved.update(id(vars(one)) for one in owners)
        self.moved_groups.update(id(group) for group in groups)
        self.events.append((EFFECT, run, None))
        self._rates.clear()
        tracing.now = None
        try:
            run()
        finally:
            tracing.now = self

    def watch(self, options: dict[str, Any], names: Iterable[str]) -> None:
        """Notes the options that are not read at each run."""
        still = tuple([name for name in names if not self.changes(options, name)])
        self.watched[id(options)] = (options, still, tuple([options[name] for name in still]))

    def guard(self, read: Callable[[], Hashable], words: str) -> None:
        """Notes a fact."""
        self.guards.append((read, read(), words))

    def lasting(self, make: Callable[[], T]) -> T:
        """Returns a tensor that is made now; the snapshot takes it in as if it had always been there."""
        tracing.now = None
        try:
            with self._backend.aside():
                made = make()
        finally:
            tracing.now = self
        if isinstance(made, Tensor):
            self._snapshot.add(made)
            self.born.add(id(made))
        return made

    def cleared(self, owner: Tensor) -> None:
        """Notes an owner whose gradient is still what it was when the trace began, so that it does not matter."""
        known = self._snapshot.tensors.get(id(owner))
        now = None if owner._extra is None else owner._extra.grad
        if known is not None and now is known[2]:
            self.dropped[id(owner)] = owner

    def refuse(self, words: str) -> NoReturn:
        """Raises UntraceableError."""
        raise UntraceableError(words)

    def undo(self) -> None:
        """Takes back what was done on the host."""
        for one in reversed(self._undo):
            one()


def _with_members(owner: Any) -> list[Any]:
    """Returns a schedule and the schedules that it is made of."""
    return [owner, *[one for member in getattr(owner, "_schedulers", ()) for one in _with_members(member)]]
