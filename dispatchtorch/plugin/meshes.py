"""Arrays spread over a mesh of devices, and processes that share one: what a library has to offer for scale-out.

A mesh is a grid of devices, of one process or of several. An array on a mesh is one array with one shape; how it is
`Split` says for each dimension of the grid which dimension of the array is cut along it, or None where every device
there has all of it. The library computes an op on such arrays where they lie, and moves what has to be moved.

So a mesh is a backend (`MeshBackend`) beside the one that makes it (`Backend.on_mesh`): it has the same kernels and
dtypes, and its arrays meet others only on purpose. Must not know: tensors, placements as users write them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Literal, TypeAlias

from dispatchtorch.plugin.backend import Array, Backend, Kernel, Traced

__all__ = ["MeshBackend", "Split"]

Split: TypeAlias = tuple[int | None, ...]  # one entry a dimension of the mesh


class MeshBackend(Backend):
    """The backend of arrays on one mesh.

    A subclass says how arrays are laid out and looked at; kernels, dtypes and the compiler are those of `beside`, the
    backend whose arrays lie on one device. Arrays of other meshes and of `beside` are taken by `spread` and `joined`
    only. Every process that has a device of the mesh makes the same calls in the same order.
    """

    name: ClassVar[str] = "mesh"
    devices: ClassVar[tuple[str, ...]] = ()
    aliasing: ClassVar[Literal["native", "lens"]] = "lens"
    beside: Backend
    shape: tuple[int, ...]  # of the mesh
    coordinates: tuple[tuple[int, ...], ...]  # of this process's devices on the mesh; empty where it has none
    processes: int  # how many processes the mesh has devices of

    def __init__(self, beside: Backend) -> None:
        self.beside = beside
        self.name = beside.name  # type: ignore[misc]  # a mesh's name is its library's
        self.kernels: Mapping[str, Kernel] = beside.kernels
        self.gaps = beside.gaps
        self.capabilities = beside.capabilities  # type: ignore[misc]  # as above

    @abstractmethod
    def spread(self, array: Array, split: Split) -> Array:
        """Returns an array of this mesh, or of `beside`, with its values laid out as ``split`` says.

        Of an array of `beside` every process gives the whole. ValueError where a dimension cannot be cut evenly.
        """

    @abstractmethod
    def split(self, array: Array) -> Split:
        """Returns how an array is laid out; RuntimeError for a placeholder of a trace."""

    @abstractmethod
    def joined(self, local: Array, split: Split, *, alone: bool = False) -> Array:
        """Returns the array whose shard on each of a process's devices is that process's ``local``, of `beside`.

        ``alone``: only its first device has it, and zeros are on the others along dimensions of the mesh that cut.
        """

    @abstractmethod
    def shards(self, array: Array, split: Split | None = None) -> list[Array]:
        """Returns what this process has of an array, as arrays of `beside`; what is there twice comes once.

        The first is that of this process's first device. ``split`` is needed where ``array`` is a placeholder.
        """

    @abstractmethod
    def whole(self, array: Array) -> Array:
        """Returns all values as an array of `beside`; every process of the mesh has to call it."""

    # --- what a mesh has from the backend beside it --------------------------------------------------------------
    @property
    def engine(self) -> Backend:
        """Returns the backend beside, whose compiler sees arrays on meshes too."""
        return self.beside

    def dtype(self, name: str) -> Any:
        """Returns the library's spelling of a dtype."""
        return self.beside.dtype(name)

    def dtype_name(self, array: Array) -> str:
        """Returns the dtype's name of an array."""
        return self.beside.dtype_name(array)

    def synchronize(self) -> None:
        """Waits until everything that was launched is done."""
        self.beside.synchronize()

    def trace(self, function: Callable[..., list[Array]], arrays: Sequence[Array]) -> Traced:
        """Returns a function of arrays as the library traces it."""
        return self.beside.trace(function, arrays)

    def is_traced(self, array: Array) -> bool:
        """Returns whether an array is a placeholder of a trace."""
        return self.beside.is_traced(array)

    def aside(self) -> AbstractContextManager[Any]:
        """Returns a context in which arrays are made outside of the trace that is going on."""
        return self.beside.aside()

    def forget(self) -> None:
        """Frees what is kept only to be faster next time."""
        self.beside.forget()

    def set_at(self, array: Array, index: Any, value: Array) -> Array:
        """Returns a copy with the value at the index."""
        return self.beside.set_at(array, index, value)

    def reinterpret(self, array: Array, dtype: Any) -> Array:
        """Returns the bits of a flat array as elements of another dtype."""
        return self.beside.reinterpret(array, dtype)
