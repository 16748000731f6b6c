"""Sparse tensors as data: where the elements are, and what they are; every other element is zero.

A sparse tensor is a `Tensor` whose "array" is a `Coo`, two dense tensors, and whose key has a backend of its own, so
that it shares no plan with a dense one. Must not know ops or gradients.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, cast

from dispatchtorch.plugin.backend import Backend
from dispatchtorch.tensor.key import Key, intern_key
from dispatchtorch.tensor.tensor import Tensor, alias_of, new

__all__ = ["Coo", "SparseBackend", "SparseTensor", "as_sparse", "dense_key", "is_sparse_key", "laid_out"]


class Coo:
    """Coordinates and values: ``indices`` is (sparse dims, count), ``values`` (count, *dense sizes).

    ``coalesced``: the coordinates are sorted and none is there twice.
    """

    __slots__ = ("coalesced", "indices", "shape", "values")

    def __init__(self, indices: Tensor, values: Tensor, shape: tuple[int, ...], coalesced: bool) -> None:
        self.indices = indices
        self.values = values
        self.shape = shape
        self.coalesced = coalesced

    @property
    def size(self) -> int:
        """Returns the number of elements of the tensor, zeros included."""
        count = 1
        for n in self.shape:
            count *= n
        return count

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("copy_() between dense and sparse Tensors is not implemented!")

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError("a sparse tensor has no memory of its own; convert with .to_dense() first")

    @property
    def ndim(self) -> int:
        """Returns the number of dimensions, sparse and dense."""
        return len(self.shape)

    @property
    def count(self) -> int:
        """Returns how many elements (or dense slices) are kept."""
        return int(self.values._a.shape[0])

    @property
    def sparse_dim(self) -> int:
        """Returns how many of the dimensions the coordinates name."""
        return int(self.indices._a.shape[0])


class SparseBackend:
    """A backend as the keys of sparse tensors have it: it has the same devices and dtypes, and no kernel."""

    aliasing: Final = "sparse"

    def __init__(self, dense: Backend) -> None:
        self.dense = dense

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dense, name)

    @property
    def engine(self) -> Any:
        """Returns itself: no compiler traces coordinates."""
        return self


class SparseTensor(Tensor):
    """A tensor most of whose elements are zero, in coordinate format; its array is a `Coo`."""

    __slots__ = ()

    _a: Coo


@lru_cache(maxsize=64)
def _backend(dense: Backend) -> Backend:
    return cast(Backend, SparseBackend(dense))


def is_sparse_key(key: Key) -> bool:
    """Returns whether tensors with this key are sparse."""
    backend: object = key.backend  # a stand-in is no subclass
    return isinstance(backend, SparseBackend)


def laid_out(key: Key, layout: Any) -> Key:
    """Returns the key of tensors of a layout with a dense key's device and dtype; NotImplementedError where none is."""
    name = repr(layout)
    if name == "torch.strided":
        return key
    if name != "torch.sparse_coo":
        raise NotImplementedError(f"of the layouts there are torch.strided and torch.sparse_coo, not {name}")
    return intern_key(_backend(key.backend), key.device, key.dtype, False)


def dense_key(key: Key) -> Key:
    """Returns the key of a dense tensor with the same device and dtype, not 0-dimensional."""
    backend: object = key.backend  # a stand-in is no subclass
    dense = backend.dense if isinstance(backend, SparseBackend) else key.backend
    return intern_key(dense, key.device, key.dtype, False)


def as_sparse(indices: Tensor, values: Tensor, shape: tuple[int, ...], coalesced: bool) -> SparseTensor:
    """Returns a sparse tensor around two dense ones, whose memory it shares; it has no history."""
    key = values._key
    t = new(SparseTensor)
    t._a = Coo(alias_of(indices), alias_of(values), tuple(shape), coalesced)
    t._key = intern_key(_backend(key.backend), key.device, key.dtype, not shape)
    t._edge = t._cell = t._extra = None
    return t
