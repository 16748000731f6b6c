"""How values of several processes become one: torch's ``ReduceOp``, and each as a kernel over a leading dimension."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from functools import lru_cache, reduce
from typing import Any, Final

from dispatchtorch.plugin.backend import Kernel, KernelCall
from dispatchtorch.plugin.meshes import MeshBackend

__all__ = ["ReduceOp", "reducer", "row_taker"]


class ReduceOp(IntEnum):
    """Which reduction a collective computes; `PREMUL_SUM` needs a factor and is not supported."""

    SUM = 0
    AVG = 1
    PRODUCT = 2
    MIN = 3
    MAX = 4
    BAND = 5
    BOR = 6
    BXOR = 7
    PREMUL_SUM = 8

    def __repr__(self) -> str:
        return f"<RedOpType.{self.name}: {self.value}>"

    def __str__(self) -> str:
        return f"RedOpType.{self.name}"


def _mean(xp: Any, a: Any) -> Any:
    total = xp.sum(a, axis=0, dtype=a.dtype)
    return (total / a.shape[0]).astype(a.dtype)


def _folded(name: str) -> Callable[[Any, Any], Any]:
    return lambda xp, a: reduce(getattr(xp, name), [a[i] for i in range(a.shape[0])])


_KERNELS: Final[dict[ReduceOp, Callable[[Any, Any], Any]]] = {
    ReduceOp.SUM: lambda xp, a: xp.any(a, axis=0) if a.dtype == bool else xp.sum(a, axis=0, dtype=a.dtype),
    ReduceOp.AVG: _mean,
    ReduceOp.PRODUCT: lambda xp, a: xp.all(a, axis=0) if a.dtype == bool else xp.prod(a, axis=0, dtype=a.dtype),
    ReduceOp.MIN: lambda xp, a: xp.min(a, axis=0),
    ReduceOp.MAX: lambda xp, a: xp.max(a, axis=0),
    ReduceOp.BAND: _folded("bitwise_and"),
    ReduceOp.BOR: _folded("bitwise_or"),
    ReduceOp.BXOR: _folded("bitwise_xor"),
}


@lru_cache(maxsize=256)
def reducer(mesh: MeshBackend, op: ReduceOp) -> Kernel:
    """Returns the kernel that reduces the leading dimension, along which the processes lie."""
    chosen = _KERNELS.get(op)
    if chosen is None:
        raise NotImplementedError(f"reductions by {op} are not supported; multiply before and use ReduceOp.SUM")
    kernel, xp = chosen, mesh.beside.namespace
    return mesh.bind(lambda a: kernel(xp, a), KernelCall("reduce_processes"))


@lru_cache(maxsize=256)
def row_taker(mesh: MeshBackend, row: int) -> Kernel:
    """Returns the kernel that takes what one process gave."""
    return mesh.bind(lambda a: a[row], KernelCall("take_process"))
