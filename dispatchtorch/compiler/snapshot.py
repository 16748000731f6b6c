"""All tensors of a backend that are alive: which arrays they hold, and how to put them back.

A trace runs ordinary code on placeholders, so whoever holds a placeholder afterwards was written. Tensors are found by
asking the garbage collector, which knows them all; that takes milliseconds and happens only when something is compiled.
Must not know: programs and functions.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from itertools import compress
from typing import Any

from dispatchtorch.plugin.backend import Array, Backend
from dispatchtorch.random.generator import Generator
from dispatchtorch.tensor.lens import is_contiguous
from dispatchtorch.tensor.storage import Storage
from dispatchtorch.tensor.tensor import Tensor, lens_of, storage_of

__all__ = ["Snapshot", "covers", "freshen", "only_what_is_new", "storage_behind", "tensors_alive"]


def _kinds() -> set[type]:
    found, waiting = {Tensor, Generator}, [Tensor]
    while waiting:
        below = waiting.pop().__subclasses__()
        found.update(below)
        waiting.extend(below)
    return found


def _alive() -> list[Any]:
    """Returns all live tensors and generators."""
    objects = gc.get_objects()
    return list(compress(objects, map(_kinds().__contains__, map(type, objects))))


def _alive_or_frozen() -> list[Any]:
    """Returns all live tensors and generators, those that `gc.freeze` has hidden too; what is there is frozen then."""
    frozen = gc.get_freeze_count() > 0
    if frozen:
        gc.unfreeze()
    try:
        return _alive()
    finally:
        if frozen:
            gc.freeze()


@contextlib.contextmanager
def only_what_is_new() -> Iterator[None]:
    """Keeps what is there out of the collector's sight: it lists and goes through what is made from now on.

    Where somebody else has done so already (`gc.freeze`), nothing is done.
    """
    mine = gc.get_freeze_count() == 0
    if mine:
        gc.freeze()
    try:
        yield
    finally:
        if mine:
            gc.unfreeze()


def tensors_alive(backend: Backend, among: list[Any] | None = None) -> list[Tensor]:
    """Returns every live tensor whose arrays the backend traces: its own, and those on its meshes."""
    found = []
    for t in _alive() if among is None else among:
        if isinstance(t, Tensor):
            try:
                if t._key.backend.engine is backend:
                    found.append(t)
            except AttributeError:  # one that is just being made
                continue
    return found


def storage_behind(t: Tensor) -> Storage | None:
    """Returns the tensor's storage, None where it has none of its own yet."""
    return None if t._cell is None else t._cell.storage


class Snapshot:
    """The arrays and gradients of all live tensors of a backend, and the states of all generators, before a trace."""

    def __init__(self, backend: Backend) -> None:
        alive = _alive_or_frozen()
        self.backend = backend
        self.tensors: dict[int, tuple[Tensor, Array, Any]] = {}
        self.storages: dict[int, tuple[Storage, Array, int]] = {}
        self.versions: dict[int, tuple[Any, int]] = {}
        self.generators = [(g, g.state_bytes()) for g in alive if isinstance(g, Generator)]
        self._holders: dict[int, Any] = {}  # id of an array -> the storage or tensor that is known by it
        for t in tensors_alive(backend, alive):
            self.add(t)

    def add(self, t: Tensor) -> None:
        """Takes in a tensor: from now on it was there before the trace."""
        self._part(t)
        self.tensors[id(t)] = (t, t._a, None if t._extra is None else t._extra.grad)
        cell = t._cell
        if cell is None:
            return
        self.versions[id(cell)] = (cell, cell.version)
        storage = cell.storage
        if storage is not None:
            self.storages[id(storage)] = (storage, storage.root, storage.stamp)

    def _part(self, t: Tensor) -> None:
        """Gives a holder an array of its own where it shares one: a captured array has to name who was read."""
        storage = storage_behind(t)
        holder: Any = t if storage is None else storage
        array = t._a if storage is None else storage.root
        known = self._holders.setdefault(id(array), holder)
        if known is holder:
            return
        own = self.backend.duplicate(array)
        self._holders[id(own)] = holder
        if storage is None:
            t._a = own
            return
        storage.root = own
        storage.stamp += 1
        freshen(t)

    def forget_reads(self) -> None:
        """Makes every tensor with a storage read from there again, so that a program meets storages only.

        One that shows a whole storage has its array, and reading it takes no step of the program.
        """
        for t, _, _ in self.tensors.values():
            if storage_behind(t) is not None and t._extra is not None:
                t._extra.stamp = -1
                freshen(t)

    def restore(self) -> None:
        """Puts everything back as it was."""
        for generator, state in self.generators:
            generator.load_state_bytes(state)
        for storage, root, stamp in self.storages.values():
            storage.root, storage.stamp = root, stamp
        for cell, version in self.versions.values():
            cell.version = version
        for t, a, grad in self.tensors.values():
            t._a = a
            if storage_behind(t) is None:
                if t._extra is not None:
                    t._extra.grad = grad
            elif id(t._cell.storage) not in self.storages:  # type: ignore[union-attr]  # it has a storage
                t._cell.storage = None  # type: ignore[union-attr]  # made while it was traced
                t._extra.lens, t._extra.grad = None, grad  # type: ignore[union-attr]  # a storage comes with a lens
            else:
                t._extra.grad, t._extra.stamp = grad, -1  # type: ignore[union-attr]  # as above
        for t, _, _ in self.tensors.values():
            freshen(t)

    def covering(self, storage: Storage) -> list[Tensor]:
        """Returns the tensors that show the whole of a storage as it lies."""
        return [t for t, _, _ in self.tensors.values() if storage_behind(t) is storage and covers(t, storage)]

    def settled(self, t: Tensor) -> Storage:
        """Returns the tensor's storage, made if there is none: what a program writes has one place."""
        storage = storage_of(t)
        self.storages.setdefault(id(storage), (storage, storage.root, storage.stamp))
        return storage


def covers(t: Tensor, storage: Storage) -> bool:
    """Returns whether a tensor shows the whole of its storage as it lies, in its dtype."""
    lens = lens_of(t)
    whole = lens.offset == 0 and is_contiguous(lens) and tuple(lens.shape) == tuple(storage.root.shape)
    return whole and t._a.dtype == storage.root.dtype


def freshen(t: Tensor) -> None:
    """Gives a tensor that covers its whole storage the storage's array."""
    storage, extra = storage_behind(t), t._extra
    if storage is None or extra is None or extra.lens is None:
        return
    if covers(t, storage):
        t._a, extra.stamp = storage.root, storage.stamp
