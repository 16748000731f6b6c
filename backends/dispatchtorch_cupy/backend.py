"""CuPy as a backend: writable arrays on an NVIDIA GPU that alias natively.

The array module is an argument: the rules of this file, the conversions it makes and those it never makes, can be
tested where there is no GPU, over any module that is as strict as CuPy.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from dispatchtorch.plugin import Backend, BackendUnavailableError, Gap, Kernel, KernelCall
from dispatchtorch_cupy.kernels import kernels_over
from dispatchtorch_cupy.namespace import Namespace

__all__ = ["CupyBackend"]


class CupyBackend(Backend):
    """Tensors on the GPU as `cupy.ndarray`.

    ``module`` stands in for cupy, ``special`` for cupyx.scipy.special.
    """

    name: ClassVar[str] = "cupy"
    devices: ClassVar[tuple[str, ...]] = ("cuda",)
    aliasing: ClassVar[Literal["native", "lens"]] = "native"
    capabilities: ClassVar[frozenset[str]] = frozenset({"float16", "float64", "complex64", "complex128"})
    gaps: tuple[Gap, ...] = ()

    def __init__(self, module: Any = None, special: Any = None) -> None:
        if module is None:
            module, special = _library()
        self._module = module
        self._namespace = Namespace(module)
        self._ufunc = type(module.add)
        self._count = _device_count(module)
        self.kernels: Mapping[str, Kernel] = kernels_over(self._namespace, special)

    @property
    def namespace(self) -> Any:
        """Returns cupy, with the array API standard's names that its older releases lack."""
        return self._namespace

    def from_host(self, host: Any, device: str) -> Any:
        """Returns a copy of the host array on the device, in C order."""
        with self._device(device):
            return self._module.array(host, order="C")

    def place(self, array: Any, device: str) -> Any:
        """Returns the array on the device, copied where it is on another."""
        if self._count == 1:
            return array
        with self._device(device) as wanted:
            return array if array.device == wanted else self._module.array(array)

    def _device(self, device: str) -> Any:
        index = int(device.partition(":")[2] or 0)
        if index >= self._count:
            raise BackendUnavailableError(
                f"{self.name}: there is no device {device!r}; the driver reports {self._count}"
            )
        return self._module.cuda.Device(index)

    def to_host(self, array: Any) -> Any:
        """Returns a copy of the values as a numpy array; waits for them."""
        return array.get()

    def dtype(self, name: str) -> Any:
        """Returns the dtype of this name; KeyError for those that CuPy lacks (bfloat16, complex32)."""
        if name in ("bfloat16", "complex32"):
            raise KeyError(name)
        return self._module.dtype(name)

    def bind(self, kernel: Kernel, call: KernelCall) -> Kernel:
        """Returns the kernel itself; with several GPUs, the kernel launched on the one that its arguments are on."""
        return kernel if self._count == 1 else self._on_their_device(kernel)

    def _on_their_device(self, kernel: Kernel) -> Kernel:
        def placed(*args: Any) -> Any:
            flat = [b for a in args for b in (a if isinstance(a, (list, tuple)) else (a,))]
            device = next((a.device for a in flat if hasattr(a, "device")), None)
            if device is None:
                return kernel(*args)
            with device:
                return kernel(*args)

        placed.__name__ = getattr(kernel, "__name__", "kernel")
        return placed

    def takes_out(self, kernel: Kernel) -> bool:
        """Returns whether the kernel is a bare ufunc."""
        return isinstance(kernel, self._ufunc)

    def device_count(self) -> int:
        """Returns how many GPUs the driver reports."""
        return self._count

    def synchronize(self) -> None:
        """Waits for the current stream."""
        self._module.cuda.get_current_stream().synchronize()

    def flat(self, array: Any) -> Any:
        """Returns the one-dimensional array over the memory that ``array`` spans."""
        if array.flags.c_contiguous:
            return array.reshape(-1)
        if array.size == 0:
            return self._module.empty((0,), dtype=array.dtype)
        pairs = zip(array.shape, array.strides, strict=True)
        extent = 1 + sum((n - 1) * (stride // array.itemsize) for n, stride in pairs)
        return self._module.lib.stride_tricks.as_strided(array, (extent,), (array.itemsize,))

    def strided(self, root: Any, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Any:
        """Returns a view of the flat root."""
        size = root.itemsize
        steps = tuple([stride * size for stride in strides])
        return self._module.lib.stride_tricks.as_strided(root[offset:], shape, steps)

    def address(self, array: Any) -> int:
        """Returns the device address of the first element."""
        return int(array.data.ptr)

    def write(self, target: Any, value: Any) -> None:
        """Writes, cast as C does; a value that overlaps the target in memory is copied first, for GPUs do not look."""
        if getattr(value, "size", 0) and self._module.may_share_memory(target, value):
            value = value.copy()
        target[...] = value


def _library() -> tuple[Any, Any]:
    """Returns cupy and its special functions; BackendUnavailableError says what is missing."""
    try:
        module = importlib.import_module("cupy")
    except ImportError as error:
        raise BackendUnavailableError(
            f"cupy: the library cannot be imported ({error}); install the build for your driver: "
            'pip install "dispatchtorch[cupy-cuda12]" or "dispatchtorch[cupy-cuda13]"'
        ) from error
    return module, importlib.import_module("cupyx.scipy.special")


def _device_count(module: Any) -> int:
    try:
        count = int(module.cuda.runtime.getDeviceCount())
    except Exception as error:  # CUDARuntimeError, whose class is only known to the library
        raise BackendUnavailableError(f"cupy: no CUDA device can be used: {error}") from error
    if count == 0:
        raise BackendUnavailableError("cupy: the driver reports no CUDA device")
    return count
