"""All tensors of a backend that are alive: which arrays they hold, and how to put them back.

A trace runs ordinary code on placeholders, so whoever holds a placeholder afterwards was written. Tensors are found by
asking the garbage collector, which knows them all; that takes milliseconds and happens only when something is compiled.
Must not know: programs and functions.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

from dispatchtorch.plugin.backend import Array, Backend
from dispatchtorch.tensor.lens import is_contiguous
from dispatchtorch.tensor.storage import Storage
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["Snapshot", "storage_behind", "tensors_alive"]


def tensors_alive(backend: Backend) -> Iterator[Tensor]:
    """Yields every live tensor whose arrays the backend traces: its own, and those on its meshes."""
    for found in gc.get_objects():
        if issubclass(type(found), Tensor):  # not isinstance: that may ask a stranger's __class__
            try:
                if found._key.backend.engine is backend:
                    yield found
            except AttributeError:  # one that is just being made
                continue


def storage_behind(t: Tensor) -> Storage | None:
    """Returns the tensor's storage, None where it has none of its own yet."""
    return None if t._cell is None else t._cell.storage


class Snapshot:
    """The arrays and gradients of all live tensors of a backend, before a trace."""

    def __init__(self, backend: Backend) -> None:
        self.tensors: dict[int, tuple[Tensor, Array, Any]] = {}
        self.storages: dict[int, tuple[Storage, Array, int]] = {}
        self.versions: dict[int, tuple[Any, int]] = {}
        for t in tensors_alive(backend):
            grad = None if t._extra is None else t._extra.grad
            self.tensors[id(t)] = (t, t._a, grad)
            cell = t._cell
            if cell is None:
                continue
            self.versions[id(cell)] = (cell, cell.version)
            storage = cell.storage
            if storage is not None:
                self.storages[id(storage)] = (storage, storage.root, storage.stamp)

    def forget_reads(self) -> None:
        """Makes every tensor with a storage read from there again, so that a program meets storages only."""
        for t, _, _ in self.tensors.values():
            if storage_behind(t) is not None and t._extra is not None:
                t._extra.stamp = -1

    def restore(self) -> None:
        """Puts everything back as it was."""
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


def freshen(t: Tensor) -> None:
    """Gives a tensor that covers its whole storage the storage's array."""
    storage, extra = storage_behind(t), t._extra
    if storage is None or extra is None or extra.lens is None:
        return
    whole = is_contiguous(extra.lens) and extra.lens.offset == 0 and tuple(storage.root.shape) == extra.lens.shape
    if whole and storage.root.dtype == t._a.dtype:
        t._a, extra.stamp = storage.root, storage.stamp
