"""Ways between ordinary tensors and those on a mesh, with their derivatives.

A tensor on a mesh is an ordinary `Tensor` whose backend is the mesh's; nothing else is told. Must not know: how
programs call these ways.
"""

from __future__ import annotations

import threading
import warnings
from typing import Any, Final

from dispatchtorch._base.device import Device
from dispatchtorch.autograd.function import Function
from dispatchtorch.dispatch.lifting import takes_in
from dispatchtorch.dispatch.record import refresh
from dispatchtorch.plugin.backend import Array
from dispatchtorch.plugin.meshes import MeshBackend, Split
from dispatchtorch.tensor.key import intern_key
from dispatchtorch.tensor.tensor import Tensor, read, wrap

__all__ = [
    "Gathered",
    "Joined",
    "Local",
    "Spread",
    "added",
    "admission",
    "admit_to",
    "is_on_mesh",
    "mesh_of",
    "on_mesh",
    "replicated",
]


def is_on_mesh(t: Any) -> bool:
    """Returns whether a value is a tensor on a mesh."""
    return isinstance(t, Tensor) and isinstance(t._key.backend, MeshBackend)


def mesh_of(t: Tensor) -> MeshBackend:
    """Returns the mesh that a tensor lies on."""
    backend = t._key.backend
    assert isinstance(backend, MeshBackend)  # callers have looked
    return backend


def _raw(t: Tensor) -> Array:
    if t._key.view:
        refresh(t)
    return read(t)


def on_mesh(raw: Array, mesh: MeshBackend, like: Tensor) -> Tensor:
    """Returns a tensor of a mesh around an array, with the dtype of another tensor."""
    return wrap(raw, intern_key(mesh, _place(mesh), like._key.dtype, not raw.shape))


def _beside(raw: Array, mesh: MeshBackend, like: Tensor) -> Tensor:
    return wrap(raw, intern_key(mesh.beside, _place(mesh), like._key.dtype, not raw.shape))


def _place(mesh: MeshBackend) -> Device:
    """Returns this process's first device of the mesh's type."""
    kind = mesh.devices[0]
    return Device(kind) if kind == "cpu" else Device(kind, 0)


def replicated(mesh: MeshBackend) -> Split:
    """Returns the layout in which every device has the whole."""
    return (None,) * len(mesh.shape)


class Spread(Function):
    """The same values on a mesh, laid out anew."""

    @staticmethod
    def forward(ctx: Any, t: Tensor, mesh: MeshBackend, split: Split) -> Tensor:
        """Returns the tensor on the mesh."""
        raw = _raw(t)
        source = t._key.backend
        if isinstance(source, MeshBackend):
            ctx.back = None if source.is_traced(raw) else source.split(raw)
        ctx.source = source
        return on_mesh(mesh.spread(raw, split), mesh, t)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Returns the gradient where the tensor was."""
        (g,) = grads
        source = ctx.source
        if not isinstance(source, MeshBackend):
            return Gathered.apply(g), None, None
        return g if ctx.back is None else Spread.apply(g, source, ctx.back), None, None


class Gathered(Function):
    """All values as an ordinary tensor."""

    @staticmethod
    def forward(ctx: Any, t: Tensor) -> Tensor:
        """Returns the tensor beside the mesh."""
        ctx.mesh = mesh = mesh_of(t)
        raw = _raw(t)
        ctx.back = replicated(mesh) if mesh.is_traced(raw) else mesh.split(raw)
        return _beside(mesh.whole(raw), mesh, t)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Returns the gradient on the mesh, cut as the tensor was."""
        return Spread.apply(grads[0], ctx.mesh, ctx.back)


class Local(Function):
    """What this process's first device has, as an ordinary tensor."""

    @staticmethod
    def forward(ctx: Any, t: Tensor, split: Split | None) -> Tensor:
        """Returns the shard; ``split`` is needed where a function is traced."""
        ctx.mesh = mesh = mesh_of(t)
        raw = _raw(t)
        ctx.split = mesh.split(raw) if split is None else split
        return _beside(mesh.shards(raw, ctx.split)[0], mesh, t)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Returns the gradient of the shards that the processes have looked at, zeros for others."""
        return Joined.apply(grads[0], ctx.mesh, ctx.split, True), None


class Joined(Function):
    """The tensor of which each of a process's devices, or with ``alone`` only its first, has what the process gives."""

    @staticmethod
    def forward(ctx: Any, t: Tensor, mesh: MeshBackend, split: Split, alone: bool = False) -> Tensor:
        """Returns the joined tensor."""
        ctx.mesh, ctx.split, ctx.alone = mesh, split, alone
        return on_mesh(mesh.joined(_raw(t), split, alone=alone), mesh, t)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Returns the gradient of what this process gave: of all its shards together."""
        mesh: MeshBackend = ctx.mesh
        (g,) = grads
        places = {_pieces(mesh, ctx.split, at): at for at in mesh.coordinates[: 1 if ctx.alone else None]}
        if len(places) == 1:
            laid = g if mesh.is_traced(_raw(g)) else Spread.apply(g, mesh, ctx.split)
            return Local.apply(laid, ctx.split), None, None, None
        whole = Gathered.apply(g)
        total: Any = None
        for place in places:
            piece = whole
            for dim, (number, count) in place:
                size = piece._a.shape[dim] // count
                piece = piece.narrow(dim, number * size, size)
            total = piece if total is None else total + piece
        return total, None, None, None


def _pieces(mesh: MeshBackend, split: Split, at: tuple[int, ...]) -> tuple[tuple[int, tuple[int, int]], ...]:
    """Returns for each dimension of a tensor that is cut which of how many pieces lies at a place of the mesh."""
    found: dict[int, tuple[int, int]] = {}
    for dim, size, place in zip(split, mesh.shape, at, strict=True):
        if dim is not None:
            number, count = found.get(dim, (0, 1))
            found[dim] = (number * size + place, count * size)
    return tuple(found.items())


# --- reductions of parts ---------------------------------------------------------------------------------------------

_REDUCTIONS: Final = {"sum": "sum", "avg": "mean", "product": "prod", "min": "amin", "max": "amax"}


def added(t: Tensor, mesh: MeshBackend, split: Split, partial: tuple[str | None, ...]) -> Tensor:
    """Returns the tensor on a mesh of which each process gives a part, to be reduced along dimensions of the mesh.

    ``partial`` names the reduction along each dimension of the mesh, None for others; ValueError for a mixture.
    """
    names = {name for name in partial if name is not None}
    if len(names) > 1 or names - set(_REDUCTIONS):
        raise ValueError(f"partial placements have to be of one reduction of {sorted(_REDUCTIONS)}, not {partial}")
    ahead = sum(name is not None for name in partial)
    places = iter(range(ahead))
    full = tuple(
        [
            next(places) if name is not None else None if dim is None else dim + ahead
            for name, dim in zip(partial, split, strict=True)
        ]
    )
    out = Joined.apply(t.reshape((*(1,) * ahead, *t._a.shape)), mesh, full)
    for name in names:
        for _ in range(ahead):
            out = getattr(out, _REDUCTIONS[name])(0)
    return out  # type: ignore[no-any-return]  # a tensor


# --- what an op makes of an ordinary tensor beside one on a mesh -----------------------------------------------------


class Admission(threading.local):
    """Whether ordinary tensors count as replicated where they meet tensors on a mesh, in this thread."""

    open = False


admission: Final = Admission()
_MIXED: Final = (
    "got mixed torch.Tensor and DTensor, need to convert all torch.Tensor to DTensor before calling distributed "
    "operators! Please see https://docs.pytorch.org/docs/main/distributed.tensor.html"
    "#mixed-tensor-and-dtensor-operations for more details."
)


def admit_to(mesh: MeshBackend) -> None:
    """Says what becomes of tensors that meet those of a mesh: numbers come in, others if `admission` is open."""

    def door(t: Tensor) -> Tensor:
        if is_on_mesh(t):
            raise RuntimeError(
                "DTensor does not support cross-mesh operation! Got meshes of shape "
                f"{mesh.shape} {mesh_of(t).shape}. Please make sure all the arguments have the same DeviceMesh."
            )
        if t._a.size == 1 and len(t._a.shape) == 1:
            warnings.warn(
                "Found a non-scalar tensor with numel=1 and ndim!=0, we are implicitly creating a replicated DTensor "
                "for it. However, please consider changing it to a scalar tensor or explicitly create a DTensor under "
                "distributed environment.",
                stacklevel=2,
            )
        if t._a.size != 1 and not admission.open:
            raise RuntimeError(_MIXED)
        return Spread.apply(t, mesh, replicated(mesh))  # type: ignore[no-any-return]  # a tensor

    takes_in(mesh, door)
