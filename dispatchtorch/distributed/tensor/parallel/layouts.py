"""What goes into a parallel module and comes out of it: ordinary tensors and tensors on a mesh.

Where every process has one device of the mesh, an ordinary tensor is what its process has of a whole, as in torch.
Where one process has several, it is the whole, and what is cut stays on the mesh. Must not know: modules.
"""

from __future__ import annotations

from typing import Any

from dispatchtorch.distributed.crossing import Gathered, Joined, Local, Spread, is_on_mesh, mesh_of
from dispatchtorch.distributed.device_mesh import DeviceMesh
from dispatchtorch.distributed.tensor.placement_types import Placement, Replicate, normalized, of_split, split_of
from dispatchtorch.tensor.tensor import Tensor, read

__all__ = ["let_out", "taken_in"]

Layouts = tuple[Placement, ...]


def _has_ranks(mesh: DeviceMesh) -> bool:
    """Returns whether each process has one device of the mesh, and there are several."""
    return mesh.arrays.processes == mesh.size() > 1


def _laid(t: Tensor, layouts: Layouts) -> Tensor:
    mesh = mesh_of(t)
    if not mesh.is_traced(t._a) and of_split(mesh.split(read(t))) == layouts:
        return t
    return Spread.apply(t, mesh, split_of(layouts))  # type: ignore[no-any-return]  # a tensor


def taken_in(t: Any, mesh: DeviceMesh, layouts: Layouts, wanted: Layouts) -> Any:
    """Returns a value on the mesh as ``wanted``; an ordinary tensor is there as ``layouts`` says."""
    if not isinstance(t, Tensor):
        return t
    ndim = len(t._a.shape)
    target = normalized(wanted, ndim)
    if is_on_mesh(t):
        return _laid(t, target)
    if _has_ranks(mesh):
        return _laid(Joined.apply(t, mesh.arrays, split_of(normalized(layouts, ndim))), target)
    return Spread.apply(t, mesh.arrays, split_of(target))


def let_out(t: Any, layouts: Layouts, local: bool) -> Any:
    """Returns a tensor on a mesh as ``layouts``; with ``local`` as an ordinary one where that means something."""
    if not is_on_mesh(t):
        return t
    target = normalized(layouts, len(t._a.shape))
    laid = _laid(t, target)
    if not local:
        return laid
    mesh = mesh_of(t)
    if mesh.processes == 1 and all(n == 1 for n in mesh.shape):
        return Gathered.apply(laid)
    if all(isinstance(p, Replicate) for p in target):
        return Gathered.apply(laid)
    return Local.apply(laid, split_of(target)) if mesh.processes > 1 else laid
