"""Arrays over several devices: JAX's named sharding on a mesh, in one process or in several.

XLA places ops by the sharding of their arguments, so kernels are those of the backend beside. What a kernel makes out
of nothing, and so on one device, is put on the mesh. JAX cuts evenly only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import sharding as _layouts
from jax.sharding import Mesh, NamedSharding

from dispatchtorch.plugin import Backend, Kernel, KernelCall, MeshBackend, Split
from dispatchtorch_jax.binding import or_eager, strong
from dispatchtorch_jax.devices import Places
from dispatchtorch_jax.kernels import EAGER

__all__ = ["OnMesh", "at_home", "gathered_on_mesh"]

PartitionSpec: Any = _layouts.PartitionSpec  # untyped in JAX
Spec = Any


class OnMesh(MeshBackend):
    """Arrays on one mesh."""

    def __init__(
        self,
        beside: Backend,
        places: Places,
        device_type: str,
        shape: tuple[int, ...],
        numbers: tuple[int, ...],
        names: tuple[str, ...],
    ) -> None:
        super().__init__(beside)
        found = places.everywhere(device_type)
        if numbers and max(numbers) >= len(found):
            hint = "; XLA_FLAGS=--xla_force_host_platform_device_count=N makes N of the CPU" * (device_type == "cpu")
            raise RuntimeError(
                f"jax: a mesh of shape {shape} needs device {max(numbers)} of type {device_type!r}, and there are "
                f"{len(found)}{hint}"
            )
        self.devices = (device_type,)  # type: ignore[misc]  # a mesh has devices of one type
        self.shape = shape
        self._home = places.find(device_type)
        grid = np.array([found[i] for i in numbers], dtype=object).reshape(shape)
        self.mesh = Mesh(grid, names or tuple(f"d{i}" for i in range(len(shape))))
        here = jax.process_index()
        own = [i for i in np.ndindex(*shape) if found[numbers[_row_major(i, shape)]].process_index == here]
        self.coordinates = tuple(tuple(int(n) for n in i) for i in own)
        self._own = [found[numbers[_row_major(i, shape)]] for i in own]
        self.processes = len({found[i].process_index for i in numbers})
        self._everywhere = NamedSharding(self.mesh, PartitionSpec())
        self._namespace = _Namespace(self)

    @property
    def namespace(self) -> Any:
        """Returns jax.numpy, whose new arrays lie on the mesh."""
        return self._namespace

    # --- in and out ------------------------------------------------------------------------------------------------
    def from_host(self, host: Any, device: str) -> Any:
        """Returns an array with a copy of the host's values on every device."""
        return self._put(np.array(host, order="C", copy=True), self._everywhere)

    def to_host(self, array: Any) -> Any:
        """Returns a numpy array; where values are in other processes too, all of them have to ask for it."""
        if not array.is_fully_addressable and not array.is_fully_replicated:
            array = _laid(array, self._everywhere)
        return np.asarray(array if array.is_fully_addressable else array.addressable_data(0))

    def _put(self, array: Any, sharding: Any) -> Any:
        """Returns the values of a host's array or of one device's, which are all of them, laid out."""
        if self.processes == 1:
            return jax.device_put(array, sharding)
        host = np.asarray(array)
        return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])

    # --- kernels ---------------------------------------------------------------------------------------------------
    def bind(self, kernel: Kernel, call: KernelCall) -> Kernel:
        """Returns the kernel jitted, with results on the mesh; a write keeps the base laid out as it is."""
        if kernel in EAGER:
            run = kernel
        else:
            jitted: Kernel = jax.jit(strong(kernel), static_argnums=call.static)
            run = jitted if call.elementwise or call.op.startswith("lens_") else or_eager(jitted, kernel)
        here = self._here
        if call.op == "lens_put":

            def put(base: Any, value: Any) -> Any:
                out = here(run(base, value))
                return out if isinstance(out, jax.core.Tracer) else _laid(out, base.sharding)

            return put

        def bound(*args: Any) -> Any:
            out = run(*args)
            return tuple([here(o) for o in out]) if isinstance(out, (tuple, list)) else here(out)

        bound.__name__ = getattr(kernel, "__name__", "kernel")
        return bound

    def settled(self, value: Any, before: Any) -> Any:
        """Returns what came out of a program on this mesh."""
        here = self._here(value)
        return here if before is None or before.shape != here.shape else _laid(here, before.sharding)

    def _here(self, out: Any) -> Any:
        if isinstance(out, jax.core.Tracer) or not isinstance(out, jax.Array):
            return out
        sharding = out.sharding
        if type(sharding) is NamedSharding and sharding.mesh == self.mesh:
            return out
        if len(sharding.device_set) == self.mesh.size and self.mesh.size > 1:  # in a form of XLA's own
            return _laid(out, NamedSharding(self.mesh, _spec_of(out, self.mesh)))
        return self._put(out, self._everywhere)

    # --- layouts ---------------------------------------------------------------------------------------------------
    def _sharding(self, shape: tuple[int, ...], split: Split) -> NamedSharding:
        names: list[tuple[str, ...]] = [() for _ in shape]
        for size, name, dim in zip(self.shape, self.mesh.axis_names, split, strict=True):
            if dim is not None:
                names[dim] = (*names[dim], name)
                pieces = prod(n for n, at in zip(self.shape, split, strict=True) if at == dim)
                if shape[dim] % pieces:
                    raise ValueError(
                        f"jax: dimension {dim} of a tensor of shape {tuple(shape)} cannot be cut into {pieces} equal "
                        f"shards (a mesh of {'x'.join(map(str, self.shape))}); JAX cuts evenly only, so pad it, or "
                        f"replicate it along the dimension of the mesh that has {size} devices"
                    )
        return _sharding(self.mesh, PartitionSpec(*[n if len(n) > 1 else n[0] if n else None for n in names]))

    def spread(self, array: Any, split: Split) -> Any:
        """Returns the values laid out; XLA moves what has to be moved."""
        sharding = self._sharding(tuple(array.shape), split)
        if isinstance(array, jax.core.Tracer):
            return _laid(array, sharding)
        lies = array.sharding
        return _laid(array, sharding) if getattr(lies, "mesh", None) == self.mesh else self._put(array, sharding)

    def split(self, array: Any) -> Split:
        """Returns which dimension of the array each dimension of the mesh cuts."""
        if isinstance(array, jax.core.Tracer):
            raise RuntimeError(
                "jax: how a tensor is laid out is not known while a function is traced; ask outside of it"
            )
        found: dict[str, int] = {}
        for dim, names in enumerate(_spec_of(array, self.mesh)):
            for name in (names,) if isinstance(names, str) else names or ():
                found[name] = dim
        return tuple([found.get(name) for name in self.mesh.axis_names])

    def joined(self, local: Any, split: Split, *, alone: bool = False) -> Any:
        """Returns the array of which every process gives what lies on its devices."""
        shape = list(local.shape)
        for size, dim in zip(self.shape, split, strict=True):
            if dim is not None:
                shape[dim] *= size
        sharding = self._sharding(tuple(shape), split)
        if isinstance(local, jax.core.Tracer):
            if any(dim is not None for dim in split):
                raise RuntimeError("jax: a shard cannot be joined with others while a function is traced")
            return _laid(local, sharding)
        other = jnp.zeros_like(local) if alone else local
        first, pieces = self.coordinates[0], []
        for at, device in zip(self.coordinates, self._own, strict=True):
            same = all(dim is None or a == b for dim, a, b in zip(split, at, first, strict=True))
            pieces.append(jax.device_put(local if same else other, device))
        return jax.make_array_from_single_device_arrays(tuple(shape), sharding, pieces)

    def shards(self, array: Any, split: Split | None = None) -> list[Any]:
        """Returns this process's shards on its first device, each once."""
        if isinstance(array, jax.core.Tracer):
            if split is None or any(dim is not None for dim in split):
                raise RuntimeError("jax: a shard cannot be taken out while a function is traced")
            return [_laid(array, self._everywhere)]
        found: dict[Any, Any] = {}
        by_device = {shard.device: shard for shard in array.addressable_shards}
        for device in self._own:
            shard = by_device[device]
            found.setdefault(str(shard.index), shard.data)
        return [jax.device_put(data, self._home) for data in found.values()]

    def whole(self, array: Any) -> Any:
        """Returns all values on this process's first device."""
        everywhere = _laid(array, self._everywhere)
        if isinstance(array, jax.core.Tracer):
            return everywhere
        return jax.device_put(everywhere.addressable_data(0), self._home)


class _Namespace:
    """jax.numpy with what the engine makes out of nothing put on a mesh; within a kernel it is jax.numpy itself."""

    def __init__(self, backend: OnMesh) -> None:
        def made(name: str) -> Callable[..., Any]:
            function = getattr(jnp, name)

            def make(*args: Any, **kwargs: Any) -> Any:
                return backend._here(function(*args, **kwargs))

            return make

        for name in ("arange", "asarray", "full", "ones", "zeros"):
            setattr(self, name, made(name))

    def __getattr__(self, name: str) -> Any:
        return getattr(jnp, name)


def _row_major(index: tuple[int, ...], shape: tuple[int, ...]) -> int:
    place = 0
    for i, n in zip(index, shape, strict=True):
        place = place * n + i
    return place


@lru_cache(maxsize=4096)
def _sharding(mesh: Mesh, spec: Spec) -> NamedSharding:
    return NamedSharding(mesh, spec)


@lru_cache(maxsize=4096)
def _layer(sharding: Any) -> Callable[[Any], Any]:
    return jax.jit(lambda a: a, out_shardings=sharding)


def _laid(array: Any, sharding: Any) -> Any:
    if not isinstance(array, jax.core.Tracer) and array.sharding == sharding:
        return array
    return _layer(sharding)(array)


def _spec_of(array: Any, mesh: Mesh) -> Spec:
    """Returns the partition of an array by the mesh's names, read off its shards where XLA has given it no names."""
    sharding = array.sharding
    if type(sharding) is NamedSharding and sharding.mesh == mesh:
        return sharding.spec
    if sharding.is_fully_replicated:
        return PartitionSpec()
    indices = sharding.devices_indices_map(array.shape)
    grid: Any = mesh.devices
    names: list[tuple[str, ...]] = [() for _ in array.shape]
    for axis, name in enumerate(mesh.axis_names):
        beside = [0] * grid.ndim
        beside[axis] = grid.shape[axis] - 1
        pair = indices[grid[(0,) * grid.ndim]], indices[grid[tuple(beside)]]  # corners along one dimension
        for dim, (a, b) in enumerate(zip(*pair, strict=True)):
            if a != b:
                names[dim] = (*names[dim], name)
    return PartitionSpec(*[n if len(n) > 1 else n[0] if n else None for n in names])


def gathered_on_mesh(arrays: list[Any]) -> list[Any]:
    """Returns arrays that one program takes: where some lie on a mesh, the others are put on all of its devices."""
    meshes = {a.sharding.mesh: None for a in arrays if isinstance(a, jax.Array) and type(a.sharding) is NamedSharding}
    if not meshes:
        return arrays
    (mesh, *_) = sorted(meshes, key=lambda m: -m.size)
    everywhere = _sharding(mesh, PartitionSpec())
    several = len({device.process_index for device in mesh.devices.flat}) > 1
    return [
        a
        if not isinstance(a, jax.Array) or type(a.sharding) is NamedSharding
        else jax.make_array_from_callback(a.shape, everywhere, np.asarray(a).__getitem__)
        if several
        else jax.device_put(a, everywhere)
        for a in arrays
    ]


def at_home(array: Any, home: Any) -> Any:
    """Returns a program's result on one device, where it came out on a mesh."""
    if type(array.sharding) is not NamedSharding:
        return array
    if not array.is_fully_replicated:
        array = _layer(_sharding(array.sharding.mesh, PartitionSpec()))(array)
    return jax.device_put(array.addressable_data(0), home)
