"""Tensors that begin on a mesh: spread from ordinary ones, or filled where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispatchtorch._base.dtypes import DType
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS
from dispatchtorch.distributed import exchange
from dispatchtorch.distributed.crossing import is_on_mesh, on_mesh
from dispatchtorch.distributed.device_mesh import DeviceMesh, current_mesh
from dispatchtorch.distributed.groups import joined_group
from dispatchtorch.distributed.tensor.dtensor import DTensor, checked
from dispatchtorch.distributed.tensor.placement_types import Partial, Placement, split_of
from dispatchtorch.plugin.backend import Array
from dispatchtorch.plugin.selection import use_backend
from dispatchtorch.tensor.tensor import Tensor, read

__all__ = ["distribute_tensor", "empty", "full", "ones", "rand", "randn", "zeros"]


def distribute_tensor(
    tensor: Tensor,
    device_mesh: DeviceMesh | None = None,
    placements: Sequence[Placement] | None = None,
    *,
    src_data_rank: int | None = 0,
) -> DTensor:
    """Returns a leaf's values on a mesh, as a leaf: replicated, or cut by `Shard`.

    With several processes the first one's values count, those of each process with ``src_data_rank=None``. ValueError
    where a dimension cannot be cut evenly.

    >>> from dispatchtorch.distributed.tensor import Replicate, distribute_tensor, init_device_mesh
    >>> with torch.use_backend("jax"):
    ...     distribute_tensor(torch.ones(2), init_device_mesh("cpu", (1,)), [Replicate()]).full_tensor()
    tensor([1., 1.])
    """
    mesh = device_mesh or current_mesh()
    if tensor._edge is not None:
        raise RuntimeError("`distribute_tensor` should be used to distribute leaf tensors! but found non-leaf tensor!")
    given = checked(placements, mesh, len(tensor._a.shape))
    if is_on_mesh(tensor):
        return _same(tensor, mesh, given)  # type: ignore[arg-type]  # on a mesh
    if any(isinstance(p, Partial) for p in given):
        raise NotImplementedError("distribute_tensor() with Partial is not supported: values are whole or cut")
    raw = read(tensor.detach().to(backend=mesh.arrays.beside))
    if src_data_rank is not None and mesh.arrays.processes > 1:
        raw = _first_ones(mesh, raw, src_data_rank)
    made = on_mesh(mesh.arrays.spread(raw, split_of(given)), mesh.arrays, tensor)
    return METHODS["requires_grad_"](made, tensor._key.requires)  # type: ignore[no-any-return]  # a tensor


def _same(tensor: DTensor, mesh: DeviceMesh, given: tuple[Placement, ...]) -> DTensor:
    if tensor.device_mesh != mesh:
        raise ValueError(
            f"Cannot distribute a DTensor with device mesh {tensor.device_mesh} to a different device mesh {mesh}."
        )
    if tensor.placements != given:
        raise ValueError(
            f"Cannot distribute a DTensor with placements {tensor.placements} to a different placements {given}. do "
            "you want to call `redistribute` instead?"
        )
    return tensor


def _first_ones(mesh: DeviceMesh, raw: Array, source: int) -> Array:
    """Returns the values of one process of the mesh."""
    world = joined_group(None)
    owners = mesh.arrays.beside.device_numbers(mesh.device_type)
    wanted = set(mesh._numbers)
    members = [rank for rank, numbers in enumerate(owners) if wanted.intersection(numbers)]
    return exchange.sent(world, mesh.device_type, raw, members, members[source])


def _sizes(size: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else tuple(size)


def _spread(
    made: Tensor,
    device_mesh: DeviceMesh | None,
    placements: Sequence[Placement] | None,
    requires_grad: bool,
    source: int | None = None,
) -> DTensor:
    out = distribute_tensor(made, device_mesh, placements, src_data_rank=source)
    return METHODS["requires_grad_"](out) if requires_grad else out


def full(
    size: Any,
    fill_value: Any,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    requires_grad: bool = False,
    device_mesh: DeviceMesh | None = None,
    placements: Sequence[Placement] | None = None,
) -> DTensor:
    """Returns one number everywhere, on a mesh."""
    with use_backend((device_mesh or current_mesh()).arrays.beside):
        made = FUNCTIONS["full"](tuple(size), fill_value, dtype=dtype)
    return _spread(made, device_mesh, placements, requires_grad)


def _filled(name: str, doc: str) -> Any:
    def make(
        *size: Any,
        requires_grad: bool = False,
        dtype: DType | None = None,
        layout: Any = None,
        device_mesh: DeviceMesh | None = None,
        placements: Sequence[Placement] | None = None,
    ) -> DTensor:
        with use_backend((device_mesh or current_mesh()).arrays.beside):
            made = FUNCTIONS[name](_sizes(size), dtype=dtype)
        source = 0 if name.startswith("rand") else None  # every process draws from a generator of its own
        return _spread(made, device_mesh, placements, requires_grad, source)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = doc
    return make


empty = _filled("empty", "Returns a tensor of a shape on a mesh.")
ones = _filled("ones", "Returns ones on a mesh.")
rand = _filled("rand", "Returns numbers of the generator's, uniform in [0, 1), on a mesh; the same for every mesh.")
randn = _filled("randn", "Returns normal numbers of the generator's on a mesh; the same for every mesh.")
zeros = _filled("zeros", "Returns zeros on a mesh.")
