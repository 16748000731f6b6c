"""What goes between processes, as raw arrays: every collective is a kernel over one array with a row a process.

The rows lie each on a device of its process (`MeshBackend.joined`); the library's compiler turns the kernel into
communication. Nothing here sends anything by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from dispatchtorch.distributed.groups import ProcessGroup
from dispatchtorch.distributed.reductions import ReduceOp, reducer, row_taker
from dispatchtorch.plugin.backend import Array, Kernel, KernelCall
from dispatchtorch.plugin.meshes import MeshBackend

__all__ = ["every_row", "one_row", "reduced", "rows_for_me", "sent", "transposed"]


@lru_cache(maxsize=256)
def _standing(mesh: MeshBackend) -> Kernel:
    """Returns the kernel that makes an array a row."""
    xp = mesh.beside.namespace
    return mesh.beside.bind(lambda a: xp.expand_dims(a, axis=0), KernelCall("as_row"))


@lru_cache(maxsize=256)
def _swapper(mesh: MeshBackend) -> Kernel:
    xp = mesh.beside.namespace
    return mesh.bind(lambda a: xp.swapaxes(a, 0, 1), KernelCall("swap_processes"))


def _rows(mesh: MeshBackend, array: Array) -> Array:
    """Returns the array that has each process's own as a row."""
    if mesh.beside.is_traced(array):
        raise RuntimeError(
            "collectives run between processes and are no part of a traced function; spread tensors over a mesh "
            "(distribute_tensor) for that"
        )
    return mesh.joined(_standing(mesh)(array), (0,))


def _mine(mesh: MeshBackend, rows: Array) -> Array:
    """Returns this process's row."""
    return row_taker_beside(mesh)(mesh.shards(mesh.spread(rows, (0,)))[0])


@lru_cache(maxsize=256)
def row_taker_beside(mesh: MeshBackend) -> Kernel:
    """Returns the kernel that makes the only row an array of its own."""
    return mesh.beside.bind(lambda a: a[0], KernelCall("only_row"))


def reduced(group: ProcessGroup, device: str, array: Array, op: ReduceOp) -> Array:
    """Returns the reduction of every process's array."""
    mesh = group.mesh(device)
    return mesh.whole(reducer(mesh, op)(_rows(mesh, array)))


def every_row(group: ProcessGroup, device: str, array: Array) -> Array:
    """Returns an array with every process's as a row."""
    mesh = group.mesh(device)
    return mesh.whole(_rows(mesh, array))


def one_row(group: ProcessGroup, device: str, array: Array, member: int) -> Array:
    """Returns the array of one process."""
    mesh = group.mesh(device)
    return mesh.whole(row_taker(mesh, member)(_rows(mesh, array)))


def rows_for_me(group: ProcessGroup, device: str, rows: Array, *, op: ReduceOp | None = None, source: int = 0) -> Array:
    """Returns this process's row: of every process's rows reduced, or of those that ``source`` gave."""
    mesh = group.mesh(device)
    kernel = row_taker(mesh, source) if op is None else reducer(mesh, op)
    return _mine(mesh, kernel(_rows(mesh, rows)))


def transposed(group: ProcessGroup, device: str, rows: Array) -> Array:
    """Returns, as rows, what every process had as its row for this one."""
    mesh = group.mesh(device)
    return _mine(mesh, _swapper(mesh)(_rows(mesh, rows)))


def sent(group: ProcessGroup, device: str, array: Array, members: Sequence[int], source: int) -> Array:
    """Returns what member ``source`` gave, among these members only."""
    mesh = group.mesh_of(device, members)
    return mesh.whole(row_taker(mesh, list(members).index(source))(_rows(mesh, array)))
