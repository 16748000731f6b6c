"""Where a program's state lives between two runs: a storage, a tensor of its own, a parameter's gradient.

Each holder gives the array that it holds now and takes the one that a run made of it. Must not know: traces.
"""

from __future__ import annotations

from dispatchtorch.compiler.snapshot import freshen, storage_behind
from dispatchtorch.plugin.backend import Array, Backend
from dispatchtorch.tensor.key import Key
from dispatchtorch.tensor.storage import Storage
from dispatchtorch.tensor.tensor import Tensor, extra_of, read, wrap, write

__all__ = ["GradHolder", "Holder", "StaleError", "StorageHolder", "TensorHolder"]


class StaleError(Exception):
    """The state is no longer of the kind that a program was made for."""


class Holder:
    """Something that holds an array."""

    def get(self) -> Array:
        """Returns the array; StaleError where there is none any more."""
        raise NotImplementedError

    def put(self, value: Array) -> None:
        """Takes the next array."""
        raise NotImplementedError

    def pattern(self) -> Array:
        """Returns an array like which the next one lies on its devices."""
        return self.get()

    @property
    def backend(self) -> Backend:
        """Returns the backend of the array."""
        raise NotImplementedError

    def tensors(self) -> list[Tensor]:
        """Returns the tensors that are known to show the array."""
        raise NotImplementedError


class StorageHolder(Holder):
    """A storage; tensors that cover it are brought up to date at once, views when they are read."""

    __slots__ = ("covering", "storage")

    def __init__(self, storage: Storage, covering: list[Tensor]) -> None:
        self.storage = storage
        self.covering = covering

    def get(self) -> Array:
        """Returns the storage's array."""
        return self.storage.root

    def put(self, value: Array) -> None:
        """Gives the storage its next array, for all that share it."""
        self.storage.root = value
        self.storage.stamp += 1
        for t in self.covering:
            freshen(t)

    @property
    def backend(self) -> Backend:
        """Returns the storage's backend."""
        return self.storage.backend

    def tensors(self) -> list[Tensor]:
        """Returns the tensors that cover the storage."""
        return self.covering


class TensorHolder(Holder):
    """A tensor without a storage, unless it has got one since."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def get(self) -> Array:
        """Returns the tensor's array."""
        return read(self.tensor)

    def put(self, value: Array) -> None:
        """Gives the tensor its next array."""
        if storage_behind(self.tensor) is None:
            self.tensor._a = value
        else:
            write(self.tensor, value)

    @property
    def backend(self) -> Backend:
        """Returns the tensor's backend."""
        return self.tensor._key.backend

    def tensors(self) -> list[Tensor]:
        """Returns the tensor."""
        return [self.tensor]


class GradHolder(Holder):
    """The gradient of a tensor, which is a new one at each step or the same all the time."""

    __slots__ = ("fresh", "key", "owner")

    def __init__(self, owner: Tensor, key: Key, fresh: bool = True) -> None:
        self.owner = owner
        self.key = key
        self.fresh = fresh  # whether a run leaves a new tensor there

    def get(self) -> Array:
        """Returns the gradient's array; StaleError where there is no gradient."""
        grad = None if self.owner._extra is None else self.owner._extra.grad
        if grad is None:
            raise StaleError
        return read(grad)

    def put(self, value: Array) -> None:
        """Gives the owner its next gradient."""
        extra = extra_of(self.owner)
        if self.fresh or extra.grad is None:
            extra.grad = wrap(value, self.key)
        else:
            TensorHolder(extra.grad).put(value)

    def pattern(self) -> Array:
        """Returns the owner's array: a gradient lies like it."""
        return read(self.owner)

    @property
    def backend(self) -> Backend:
        """Returns the gradient's backend."""
        return self.key.backend

    def tensors(self) -> list[Tensor]:
        """Returns the owner."""
        return [self.owner]
