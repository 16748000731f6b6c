"""``torch.distributed.device_mesh``: devices in a grid, over which tensors are spread.

In one process a mesh has several of its devices, and the process is rank 0 of it; with several processes it has theirs,
and torch's ranks are theirs too where each has one device. Must not know: placements.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from math import prod
from typing import Any, Final

from dispatchtorch._base import config
from dispatchtorch._base.dtypes import int32
from dispatchtorch._base.host import np
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.distributed.crossing import admit_to
from dispatchtorch.distributed.groups import ProcessGroup, init_process_group, is_initialized, joined_group
from dispatchtorch.plugin.meshes import MeshBackend
from dispatchtorch.plugin.selection import default_backend, get_backend
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["DeviceMesh", "current_mesh", "init_device_mesh", "mesh_behind"]


class _Entered(threading.local):
    stack: tuple[DeviceMesh, ...] = ()


_entered: Final = _Entered()
_meshes: Final[dict[int, DeviceMesh]] = {}  # id of a backend -> the mesh that it is of


def current_mesh() -> DeviceMesh:
    """Returns the mesh of the innermost ``with`` block; RuntimeError outside of any."""
    if not _entered.stack:
        raise RuntimeError("No device mesh is currently active!")
    return _entered.stack[-1]


def mesh_behind(backend: MeshBackend) -> DeviceMesh:
    """Returns the mesh whose tensors have this backend."""
    return _meshes[id(backend)]


class DeviceMesh:
    """A grid of devices: ``mesh`` is an array of their numbers, counted over all processes.

    ``arrays`` is the backend of what lies on it. RuntimeError where there are not so many devices.

    >>> from dispatchtorch.distributed.device_mesh import DeviceMesh
    >>> with torch.use_backend("jax"):
    ...     mesh = DeviceMesh("cpu", [0])
    >>> mesh.size(), mesh.get_coordinate()
    (1, (0,))
    """

    def __init__(
        self,
        device_type: str,
        mesh: Any = None,
        *,
        mesh_dim_names: Sequence[str] | None = None,
        backend_override: Any = None,
    ) -> None:
        if mesh is None:
            raise TypeError("The mesh argument is required except for PRIVATE USAGE ONLY!")
        host = np.asarray(mesh.tolist() if isinstance(mesh, Tensor) else mesh)
        numbers = tuple(int(n) for n in host.reshape(-1))
        if len(set(numbers)) < len(numbers):
            raise AssertionError("Please use a non-overlapping layout when creating a DeviceMesh.")
        self._device_type = device_type
        self._numbers, self._shape = numbers, tuple(int(n) for n in host.shape)
        self._names = None if mesh_dim_names is None else tuple(mesh_dim_names)
        library = get_backend(joined_group(None).library) if is_initialized() else default_backend().engine
        self.arrays: MeshBackend = library.on_mesh(device_type, self._shape, numbers, self._names or ())
        self._root: DeviceMesh | None = None
        _meshes[id(self.arrays)] = self
        admit_to(self.arrays)

    @property
    def device_type(self) -> str:
        """Returns the type of all devices."""
        return self._device_type

    @property
    def mesh(self) -> Tensor:
        """Returns the numbers of the devices."""
        host = np.asarray(self._numbers, np.int32).reshape(self._shape)
        return FUNCTIONS["tensor"](host, dtype=int32, backend=self.arrays.beside)  # type: ignore[no-any-return]  # a tensor

    @property
    def mesh_dim_names(self) -> tuple[str, ...] | None:
        """Returns the names of the dimensions, if they have any."""
        return self._names

    @property
    def ndim(self) -> int:
        """Returns how many dimensions the grid has."""
        return len(self._shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """Returns the sizes of the grid."""
        return self._shape

    def size(self, mesh_dim: int | None = None) -> int:
        """Returns how many devices there are, in all or along a dimension."""
        return prod(self._shape) if mesh_dim is None else self._shape[mesh_dim]

    def _dim(self, mesh_dim: int | str) -> int:
        if isinstance(mesh_dim, int):
            return mesh_dim
        if self._names is None:
            raise KeyError("No `mesh_dim_names` found.")
        if mesh_dim not in self._names:
            raise KeyError(
                f"Mesh dimension '{mesh_dim}' does not exist.",
                f"Available mesh dimensions are: mesh_dim_names={self._names}",
            )
        return self._names.index(mesh_dim)

    def get_coordinate(self) -> tuple[int, ...] | None:
        """Returns where this process's first device is on the mesh; None where it has none there."""
        own = self.arrays.coordinates
        return own[0] if own else None

    def get_rank(self) -> int:
        """Returns the number of this process's first device, which is its rank where each process has one."""
        return self._of_all(joined_group(None).rank() if is_initialized() else 0)

    def _of_all(self, process: int) -> int:
        return self.arrays.beside.device_numbers(self._device_type)[process][0]

    def get_local_rank(self, mesh_dim: int | str | None = None) -> int:
        """Returns the place of this process's first device along a dimension."""
        if self.ndim > 1 and mesh_dim is None:
            raise RuntimeError(
                f"Found the DeviceMesh have {self.ndim} dimensions",
                "Optional kwarg `mesh_dim` needs to be specified when device_mesh.ndim > 1.",
            )
        at = self.get_coordinate()
        if at is None:
            raise AssertionError("Current rank is not part of this mesh")
        return at[self._dim(0 if mesh_dim is None else mesh_dim)]

    def get_group(self, mesh_dim: int | str | None = None) -> ProcessGroup:
        """Returns the group of the processes beside this one along a dimension; each has to have one device."""
        if not is_initialized():
            raise RuntimeError("DeviceMesh process groups not initialized!")
        if self.ndim > 1 and mesh_dim is None:
            raise RuntimeError(
                f"Found the DeviceMesh have {self.ndim} dimensions",
                "Optional kwarg `mesh_dim` needs to be specified when device_mesh.ndim > 1.",
                "If you want to get the list of all the ProcessGroups in the DeviceMesh,"
                "please use `get_all_groups()` instead.",
            )
        at = self.get_coordinate()
        if at is None or self.arrays.processes != self.size():
            raise RuntimeError("a mesh has process groups where every process has exactly one of its devices")
        dim = self._dim(0 if mesh_dim is None else mesh_dim)
        owners = [numbers[0] for numbers in self.arrays.beside.device_numbers(self._device_type)]
        host = np.asarray(self._numbers).reshape(self._shape)
        row = host[tuple(slice(None) if d == dim else n for d, n in enumerate(at))]
        world = joined_group(None)
        ranks = tuple(owners.index(int(n)) for n in row)
        return ProcessGroup(ranks, world.rank(), world.library, world.transport)

    def get_all_groups(self) -> list[ProcessGroup]:
        """Returns the group along each dimension."""
        return [self.get_group(dim) for dim in range(self.ndim)]

    def __getitem__(self, mesh_dim_names: str | tuple[str, ...]) -> DeviceMesh:
        """Returns the mesh along some dimensions, through this process's first device."""
        if self._names is None:
            raise RuntimeError("Cannot slice a DeviceMesh without mesh_dim_names!")
        wanted = (mesh_dim_names,) if isinstance(mesh_dim_names, str) else tuple(mesh_dim_names)
        if wanted == self._names:
            return self
        if not wanted or any(name not in self._names for name in wanted):
            raise KeyError(f"Invalid mesh_dim_names {wanted} specified. Valid mesh_dim_names are {list(self._names)}.")
        dims = [self._names.index(name) for name in wanted]
        if dims != sorted(dims):
            raise KeyError(f"Invalid mesh_dim_names {wanted} specified. Mesh dim indices should be in ascending order.")
        at = self.get_coordinate() or (0,) * self.ndim
        host = np.asarray(self._numbers).reshape(self._shape)
        sub = host[tuple(slice(None) if d in dims else n for d, n in enumerate(at))]
        made = DeviceMesh(self._device_type, sub, mesh_dim_names=wanted)
        made._root = self._root or self
        return made

    def _get_root_mesh(self) -> DeviceMesh:
        return self._root or self

    def _flatten(self, mesh_dim_name: str | None = None, backend_override: Any = None) -> DeviceMesh:
        """Returns the same devices in one dimension."""
        name = mesh_dim_name or "_".join(self._names or ())
        made = DeviceMesh(self._device_type, list(self._numbers), mesh_dim_names=(name,) if name else None)
        made._root = self._root or self
        return made

    @staticmethod
    def from_group(
        group: ProcessGroup | list[ProcessGroup],
        device_type: str,
        mesh: Any = None,
        *,
        mesh_dim_names: Sequence[str] | None = None,
    ) -> DeviceMesh:
        """Returns the mesh of one device of each process of a group; of several groups, the one that is given."""
        if isinstance(group, ProcessGroup):
            numbers = get_backend(group.library).device_numbers(device_type)
            return DeviceMesh(device_type, [numbers[r][0] for r in group.ranks], mesh_dim_names=mesh_dim_names)
        if not group:
            raise ValueError("Expects at least one ProcessGroup to be passed")
        if mesh is None:
            raise ValueError("Must pass mesh if passing multiple ProcessGroups")
        if mesh_dim_names is None:
            raise ValueError("Must pass mesh_dim_names if passing multiple ProcessGroups")
        return DeviceMesh(device_type, mesh, mesh_dim_names=mesh_dim_names)

    def __enter__(self) -> DeviceMesh:
        """Makes this the mesh of calls that name none."""
        _entered.stack = (*_entered.stack, self)
        return self

    def __exit__(self, *error: object) -> None:
        _entered.stack = _entered.stack[:-1]

    def _facts(self) -> tuple[Any, ...]:
        return self.arrays, self._device_type, self._shape, self._numbers, self._names

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DeviceMesh) and self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash(self._facts())

    def __repr__(self) -> str:
        sizes = (
            f"({', '.join(f'{n}={s}' for n, s in zip(self._names, self._shape, strict=True))})" if self._names else None
        )
        return f"DeviceMesh({sizes or self._shape}, '{self._device_type}', stride={self._strides()})"

    def _strides(self) -> tuple[int, ...]:
        """Returns how far apart neighbours along each dimension are in the row-major order of the whole mesh."""
        root = self._root or self
        if root is not self and root._names and self._names and set(self._names) <= set(root._names):
            return tuple([prod(root._shape[root._names.index(name) + 1 :]) for name in self._names])
        return tuple([prod(self._shape[dim + 1 :]) for dim in range(self.ndim)])


def init_device_mesh(
    device_type: str,
    mesh_shape: Iterable[int],
    *,
    mesh_dim_names: Sequence[str] | None = None,
    backend_override: Any = None,
) -> DeviceMesh:
    """Returns a mesh of the first devices of a type; joins the processes first where a launcher has started several.

    In one process the devices are its own. RuntimeError where there are too few.

    >>> from dispatchtorch.distributed.device_mesh import init_device_mesh
    >>> with torch.use_backend("jax"):
    ...     init_device_mesh("cpu", (1,), mesh_dim_names=("dp",))
    DeviceMesh((dp=1), 'cpu', stride=(1,))
    """
    shape = tuple(mesh_shape)
    if mesh_dim_names is not None:
        if len(set(mesh_dim_names)) != len(mesh_dim_names):
            raise RuntimeError(
                f"Each mesh_dim_name must be unique. Found repeated mesh_dim_name in mesh_dim_names {mesh_dim_names}"
            )
        if len(shape) != len(mesh_dim_names):
            raise RuntimeError(
                "mesh_shape and mesh_dim_names should have same length! "
                f"Found len(mesh_dim_names): {len(mesh_dim_names)} and len(mesh_shape):{len(shape)}."
            )
    if device_type and not device_type.isalpha():
        raise RuntimeError(
            f"Device type with index is not supported but got {device_type}. ",
            "If you maintained a 'torch.device' object, it's recommended to pass in 'device.type'.",
        )
    if not is_initialized() and all(config.launched(name) for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR")):
        init_process_group()
    return DeviceMesh(device_type, np.arange(prod(shape)).reshape(shape), mesh_dim_names=mesh_dim_names)
