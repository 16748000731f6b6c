"""JAX as a backend: immutable arrays, each kernel jitted once per shapes, views and writes through lenses.

Loading it switches `jax_enable_x64` on for the process, since float64 and int64 have to exist; JAX's own programs in
the same process see 64-bit types from then on. Kernels that JAX does better than the shared ones are in `kernels`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, Literal

import jax
import jax.numpy as jnp
import numpy as np

from dispatchtorch.plugin import Backend, BackendUnavailableError, Gap, Kernel, KernelCall, Traced, keep_memory
from dispatchtorch_jax.binding import gathering, or_eager, strong
from dispatchtorch_jax.devices import Places
from dispatchtorch_jax.kernels import EAGER, KERNELS
from dispatchtorch_jax.meshes import OnMesh, at_home
from dispatchtorch_jax.tracing import trace

__all__ = ["JaxBackend"]

_settings: Any = jax.config  # untyped in JAX
_settings.update("jax_enable_x64", True)  # before the first array: without it float64 silently becomes float32

keep_memory(one_heap=True)  # XLA's buffers on the CPU come from the C library, in XLA's own threads
_PLACES: Final = Places()
_DTYPES: Final[dict[str, np.dtype[Any]]] = {
    name: np.dtype(name)
    for name in (
        *("bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64", "complex64", "complex128"),
    )
} | {
    name: np.dtype(getattr(jnp, name))
    for name in ("bfloat16", *(f"float8_{kind}" for kind in ("e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz", "e8m0fnu")))
}


class JaxBackend(Backend):
    """Tensors as `jax.Array`, on the CPU and on the accelerators that JAX has found."""

    name: ClassVar[str] = "jax"
    devices: ClassVar[tuple[str, ...]] = _PLACES.types
    aliasing: ClassVar[Literal["native", "lens"]] = "lens"
    capabilities: ClassVar[frozenset[str]] = frozenset(
        {"float16", "bfloat16", "float64", "complex64", "complex128", "jit", "sharding", "trace"}
    )
    kernels: Mapping[str, Kernel] = KERNELS
    gaps: tuple[Gap, ...] = ()

    def __init__(self) -> None:
        self._meshes: dict[Any, OnMesh] = {}

    @property
    def namespace(self) -> Any:
        """Returns jax.numpy."""
        return jnp

    def from_host(self, host: Any, device: str) -> Any:
        """Returns an array with a copy of the host's values; JAX may take the copy over, never the original."""
        copied = np.array(host, order="C", copy=True)
        if device == "cpu" and _PLACES.cpu_only:
            if not copied.ndim and copied.dtype.char == "d":  # a rate, mostly: nothing is to be compiled for it
                return jax.device_put(copied)
            return jnp.asarray(copied)
        return jax.device_put(copied, _PLACES.find(device))

    def to_host(self, array: Any) -> Any:
        """Returns a numpy array that cannot be written: on the CPU it is JAX's own memory."""
        return np.asarray(array)

    def place(self, array: Any, device: str) -> Any:
        """Returns the array on the device; itself where it is there already or only being traced."""
        if _PLACES.cpu_only or isinstance(array, jax.core.Tracer):
            return array
        return jax.device_put(array, _PLACES.find(device))

    def dtype(self, name: str) -> Any:
        """Returns numpy's (for bfloat16 and float8 ml_dtypes') dtype; KeyError for complex32."""
        return _DTYPES[name]

    def bind(self, kernel: Kernel, call: KernelCall) -> Kernel:
        """Returns the kernel jitted, with dims, flags and dtypes static; a data-dependent one stays as it is."""
        if kernel in EAGER:
            return kernel
        jitted: Kernel = jax.jit(strong(kernel), static_argnums=call.static)
        if not _PLACES.cpu_only:
            jitted = gathering(jitted)
        return jitted if call.elementwise or call.op.startswith("lens_") else or_eager(jitted, kernel)

    def device_count(self) -> int:
        """Returns how many accelerators there are; 1 where there is only the CPU."""
        return _PLACES.count

    def device_numbers(self, device_type: str) -> list[tuple[int, ...]]:
        """Returns for each process the numbers of its devices."""
        found: list[list[int]] = [[] for _ in range(jax.process_count())]
        for number, device in enumerate(_PLACES.everywhere(device_type)):
            found[device.process_index].append(number)
        return [tuple(numbers) for numbers in found]

    def on_mesh(
        self, device_type: str, shape: tuple[int, ...], numbers: tuple[int, ...], names: tuple[str, ...] = ()
    ) -> OnMesh:
        """Returns the backend of arrays on a mesh."""
        facts = (device_type, shape, numbers, names)
        found = self._meshes.get(facts)
        if found is None:
            found = self._meshes[facts] = OnMesh(self, _PLACES, *facts)
        return found

    def settled(self, value: Any, before: Any) -> Any:
        """Returns what came out of a program on one device, also where the program ran on a mesh."""
        if type(value.sharding) is jax.sharding.SingleDeviceSharding:
            return value
        return at_home(value, _PLACES.find("cpu") if before is None else next(iter(before.sharding.device_set)))

    def synchronize(self) -> None:
        """Waits for everything that was launched on any device."""
        for place in _PLACES.all:
            # Work on a device runs in the order of its launch, so a new array's being ready says that the rest is.
            jax.device_put(np.zeros((), np.int8), place).block_until_ready()

    def trace(self, function: Callable[..., list[Any]], arrays: Sequence[Any]) -> Traced:
        """Returns a function of arrays as a jaxpr; what it captured are the jaxpr's constants."""
        return trace(function, arrays, self._meshes)

    def is_traced(self, array: Any) -> bool:
        """Returns whether an array is one of JAX's tracers."""
        return isinstance(array, jax.core.Tracer)

    def asks_for_value(self, error: BaseException) -> bool:
        """Returns whether it is one of JAX's errors for tracers where values are wanted."""
        return isinstance(error, (jax.errors.JAXTypeError, jax.errors.JAXIndexError))

    def duplicate(self, array: Any) -> Any:
        """Returns a copy; on one device nothing is compiled for it, which ``asarray`` does for every shape.

        What lies on several devices, of which others may belong to other processes, cannot be put anywhere like that.
        """
        if array.sharding.num_devices > 1:
            return self.namespace.asarray(array, copy=True)
        return jax.device_put(array, may_alias=False)

    def is_gone(self, array: Any) -> bool:
        """Returns whether the array was donated."""
        return bool(array.is_deleted())

    def aside(self) -> Any:
        """Returns JAX's own context for values that are known while a function is traced."""
        return jax.ensure_compile_time_eval()

    def forget(self) -> None:
        """Frees compiled kernels, a megabyte for each few shapes; what is called again is compiled again."""
        clear: Any = jax.clear_caches  # untyped in JAX
        clear()

    def set_at(self, array: Any, index: Any, value: Any) -> Any:
        """Returns a copy with the value at the index; cheap under jit only, which is where it is called."""
        return array.at[index].set(value)


if not _PLACES.all:
    raise BackendUnavailableError("jax: no device of any platform was found; see JAX_PLATFORMS")
