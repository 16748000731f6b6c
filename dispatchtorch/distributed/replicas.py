"""What ``DistributedDataParallel`` asks for: copies of a model in processes of a group, or on the devices of a mesh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispatchtorch._base.pytree import tree_flatten, tree_map
from dispatchtorch.autograd.function import Function
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.distributed.collectives import all_reduce, broadcast
from dispatchtorch.distributed.crossing import Gathered, Spread, is_on_mesh, on_mesh, replicated
from dispatchtorch.distributed.device_mesh import DeviceMesh
from dispatchtorch.distributed.groups import ProcessGroup, is_initialized, joined_group
from dispatchtorch.distributed.reductions import ReduceOp
from dispatchtorch.nn.parallel.distributed import Replicas
from dispatchtorch.plugin.selection import get_backend
from dispatchtorch.tensor.tensor import Tensor, read

__all__ = ["replicas_of", "sums_of"]


class InProcesses:
    """One copy in each process of a group; what goes between them goes in one piece a dtype."""

    def __init__(self, group: ProcessGroup) -> None:
        self._group = group

    def _together(self, tensors: Sequence[Tensor], exchange: Any) -> None:
        if self._group.size() == 1:
            return
        by_dtype: dict[Any, list[Tensor]] = {}
        for t in tensors:
            by_dtype.setdefault(t._key.dtype, []).append(t)
        for some in by_dtype.values():
            flat = FUNCTIONS["cat"]([t.detach().reshape(-1) for t in some])
            exchange(flat)
            start = 0
            for t in some:
                count = t.numel()
                t.detach().copy_(flat[start : start + count].reshape(tuple(t._a.shape)))
                start += count

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Gives all processes the first one's values."""
        self._together(tensors, lambda flat: broadcast(flat, group=self._group, group_src=0))

    def mean(self, tensors: Sequence[Tensor]) -> None:
        """Gives all processes the mean of theirs."""
        self._together(tensors, lambda flat: all_reduce(flat, ReduceOp.AVG, self._group))

    def used(self, flags: Sequence[bool]) -> list[bool]:
        """Returns which flags are set in some process."""
        told = FUNCTIONS["tensor"]([int(on) for on in flags], backend=get_backend(self._group.library))
        all_reduce(told, ReduceOp.MAX, self._group)
        return [bool(on) for on in told.tolist()]

    def take_in(self, inputs: Any) -> Any:
        """Returns the arguments: each process has its own."""
        return inputs

    def let_out(self, outputs: Any, inputs: Any) -> Any:
        """Returns the results: each process has its own."""
        return outputs


class OnDevices:
    """One model on all devices of a mesh of this process; batches are divided along their first dimension."""

    def __init__(self, mesh: DeviceMesh) -> None:
        self._mesh = mesh.arrays
        if mesh.ndim != 1:
            raise RuntimeError(f"Only 1D device mesh is supported, but got {mesh}.")

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Puts the tensors themselves on the mesh."""
        mesh = self._mesh
        for t in tensors:
            if not is_on_mesh(t):
                t.data = on_mesh(mesh.spread(read(t.detach()), replicated(mesh)), mesh, t)

    def mean(self, tensors: Sequence[Tensor]) -> None:
        """Does nothing: a gradient on the mesh is that of the whole batch."""

    def used(self, flags: Sequence[bool]) -> list[bool]:
        """Returns the flags: there is one model."""
        return list(flags)

    def take_in(self, inputs: Any) -> Any:
        """Returns the arguments on the mesh, cut where their first dimension allows it."""

        def spread(value: Any) -> Any:
            if not isinstance(value, Tensor) or is_on_mesh(value):
                return value
            shape = tuple(value._a.shape)
            even = bool(shape) and shape[0] % self._mesh.shape[0] == 0
            return Spread.apply(value, self._mesh, (0,) if even else (None,))

        return tree_map(spread, inputs)

    def let_out(self, outputs: Any, inputs: Any) -> Any:
        """Returns the results as ordinary tensors, unless an argument was on the mesh."""
        if any(is_on_mesh(value) for value in tree_flatten(inputs)[0]):
            return outputs
        return tree_map(lambda value: Gathered.apply(value) if is_on_mesh(value) else value, outputs)


class _Summed(Function):
    """The sum of a tensor over all processes of a group; so is its gradient."""

    @staticmethod
    def forward(ctx: Any, t: Tensor, group: ProcessGroup) -> Tensor:
        """Returns the sum."""
        ctx.group = group
        out = t.detach().clone()
        all_reduce(out, group=group)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Returns the sum of the gradients."""
        return _Summed.apply(grads[0], ctx.group), None


def sums_of(group: Any) -> Any:
    """Returns what adds up tensors of a group's processes, with a gradient; None where there is one process."""
    if not is_initialized() or joined_group(group).size() == 1:
        return None
    found = joined_group(group)
    return lambda t: _Summed.apply(t, found)


def replicas_of(group: Any, mesh: Any) -> Replicas:
    """Returns the copies for a process group or a mesh, those of the world for None."""
    if mesh is None:
        return InProcesses(joined_group(group))
    if not isinstance(mesh, DeviceMesh):
        raise TypeError(f"device_mesh has to be a DeviceMesh, not {type(mesh).__name__}")
    if mesh.arrays.processes == 1:
        return OnDevices(mesh)
    if mesh.arrays.processes == mesh.size():
        return InProcesses(mesh.get_group(0 if mesh.ndim == 1 else None))
    raise NotImplementedError(
        "DistributedDataParallel over processes that have several devices of a mesh each is not supported: spread the "
        "parameters and batches with distribute_tensor()"
    )
