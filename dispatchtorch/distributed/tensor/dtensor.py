"""``DTensor``: what a tensor on a mesh is called, and what it answers beside everything that tensors answer.

It is an ordinary tensor whose backend is a mesh (`plugin.meshes`), so it has no class of its own: `DTensor` is asked by
``isinstance``, and its members are there on tensors that lie on a mesh only. Placements are read off the array.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dispatchtorch._base.dtypes import DType
from dispatchtorch.autograd.grad_mode import no_grad
from dispatchtorch.distributed.crossing import Gathered, Joined, Local, Spread, added, is_on_mesh, mesh_of
from dispatchtorch.distributed.device_mesh import DeviceMesh, current_mesh, mesh_behind
from dispatchtorch.distributed.tensor.placement_types import (
    Partial,
    Placement,
    Replicate,
    Shard,
    normalized,
    of_split,
    split_of,
)
from dispatchtorch.tensor.tensor import Tensor, read

__all__ = ["DTensor", "checked"]


def checked(placements: Sequence[Placement] | None, mesh: DeviceMesh, ndim: int) -> tuple[Placement, ...]:
    """Returns one placement a dimension of the mesh, `Replicate` for None; errors for another number or dimension."""
    if placements is None:
        return tuple([Replicate() for _ in range(mesh.ndim)])
    for placement in placements:
        if isinstance(placement, Shard) and not -ndim <= placement.dim < ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-ndim}, {ndim - 1}], but got {placement.dim})"
                if ndim
                else f"Dimension specified as {placement.dim} but tensor has no dimensions"
            )
    given = normalized(placements, ndim)
    if len(given) != mesh.ndim:
        raise ValueError(
            "`placements` must have the same length as `device_mesh.ndim`! "
            f"Found placements length: {len(given)}, and device_mesh.ndim: {mesh.ndim}."
        )
    for i, placement in enumerate(given):
        if not isinstance(placement, Placement):
            raise RuntimeError(
                f"Trying to distribute tensor with unsupported placements {placement} on device mesh dimension {i}!"
            )
    return given


class _OnMesh(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return is_on_mesh(value)


class DTensor(Tensor, metaclass=_OnMesh):
    """A tensor on a mesh: made by `distribute_tensor`, by `from_local`, or by ops on such.

    >>> from dispatchtorch.distributed.tensor import DTensor, Shard, distribute_tensor, init_device_mesh
    >>> with torch.use_backend("jax"):
    ...     t = distribute_tensor(torch.ones(4), init_device_mesh("cpu", (1,)), [Shard(0)])
    >>> isinstance(t * 2, DTensor), (t * 2).placements
    (True, (Shard(dim=0),))
    """

    __slots__ = ()

    def __new__(cls, *args: Any, **kwargs: Any) -> DTensor:
        raise TypeError("DTensor is made by distribute_tensor() or DTensor.from_local()")

    if TYPE_CHECKING:

        def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    @staticmethod
    def from_local(
        local_tensor: Tensor,
        device_mesh: DeviceMesh | None = None,
        placements: Sequence[Placement] | None = None,
        *,
        run_check: bool = False,
        shape: Sequence[int] | None = None,
        stride: Sequence[int] | None = None,
        grad_placements: Sequence[Placement] | None = None,
    ) -> DTensor:
        """Returns the tensor whose shard on each of a process's devices is that process's ``local_tensor``.

        A `Partial` placement is reduced at once. Shards are of one size, so ``shape`` has nothing to add; gradients go
        back to where they came from, whatever ``grad_placements`` says.
        """
        if is_on_mesh(local_tensor):
            raise RuntimeError(f"the local_tensor argument only accepts torch.Tensor but got {DTensor} value.")
        mesh = device_mesh or current_mesh()
        given = checked(placements, mesh, len(local_tensor._a.shape))
        split = split_of(given)
        local = local_tensor.to(backend=mesh.arrays.beside)
        if any(isinstance(p, Partial) for p in given):
            names = tuple([p.reduce_op if isinstance(p, Partial) else None for p in given])
            return added(local, mesh.arrays, split, names)  # type: ignore[return-value]  # on a mesh: see above
        return Joined.apply(local, mesh.arrays, split)  # type: ignore[no-any-return]  # a tensor

    def to_local(self, *, grad_placements: Sequence[Placement] | None = None) -> Tensor:
        """Returns what this process's first device has of the tensor."""
        return Local.apply(self, None)  # type: ignore[no-any-return]  # a tensor

    def full_tensor(self, *, grad_placements: Sequence[Placement] | None = None) -> Tensor:
        """Returns all values as an ordinary tensor; every process of the mesh has to call it."""
        return Gathered.apply(self)  # type: ignore[no-any-return]  # a tensor

    def redistribute(
        self,
        device_mesh: DeviceMesh | None = None,
        placements: Sequence[Placement] | None = None,
        *,
        async_op: bool = False,
        forward_dtype: DType | None = None,
        backward_dtype: DType | None = None,
    ) -> DTensor:
        """Returns the tensor laid out anew, on the same mesh or in one process on another.

        ``forward_dtype`` and ``backward_dtype`` would be those of what is sent; the library sends values as they are.
        """
        if placements is None:
            raise RuntimeError("placements is needed for redistribute!")
        mesh = device_mesh or self.device_mesh
        given = checked(placements, mesh, len(self._a.shape))
        for i, placement in enumerate(given):
            if placement.is_partial():
                raise RuntimeError(
                    f"Can not redistribute from {self.placements[i]} to {placement}, redistributing to Partial is for "
                    "internal use only!"
                )
        out: Tensor = self if forward_dtype is None else self.to(forward_dtype)
        return Spread.apply(out, mesh.arrays, split_of(given))  # type: ignore[no-any-return]  # a tensor

    @property
    def device_mesh(self) -> DeviceMesh:
        """Returns the mesh."""
        return mesh_behind(mesh_of(self))

    @property
    def placements(self) -> tuple[Placement, ...]:
        """Returns how the tensor is laid out; RuntimeError where a function is traced."""
        return of_split(mesh_of(self).split(read(self)))

    @property
    def _local_tensor(self) -> Tensor:
        with no_grad():
            return Local.apply(self, None)  # type: ignore[no-any-return]  # a tensor


class _OnMeshOnly:
    """A member that tensors on a mesh have and others have not."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._member: Any = vars(DTensor)[name]

    def __get__(self, t: Any, owner: type | None = None) -> Any:
        if t is None:
            return self._member
        if not is_on_mesh(t):
            raise AttributeError(f"'{type(t).__name__}' object has no attribute '{self._name}'")
        return self._member.__get__(t, owner)


for _name in ("_local_tensor", "device_mesh", "full_tensor", "placements", "redistribute", "to_local"):
    setattr(Tensor, _name, _OnMeshOnly(_name))

_plainly_described = Tensor.__repr__


def _describe(self: Tensor, *args: Any, **kwargs: Any) -> str:
    if not is_on_mesh(self) or mesh_of(self).is_traced(self._a):
        return _plainly_described(self, *args, **kwargs)
    placements = of_split(mesh_of(self).split(read(self)))
    local = Local.apply(self.detach(), None)
    return f"DTensor(local_tensor={local}, device_mesh={mesh_behind(mesh_of(self))}, placements={placements})"


Tensor.__repr__ = _describe  # type: ignore[method-assign,assignment]  # what is on a mesh is shown as such
