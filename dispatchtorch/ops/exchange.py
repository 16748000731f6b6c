"""Tensors to and from other array libraries: DLPack, Python's buffers, and numpy's functions called on tensors.

Memory is shared where the backend's arrays live where the other library's do and can be written; else it is copied.
"""

from __future__ import annotations

import enum
import warnings
from typing import Any, Final

from dispatchtorch._base.device import CPU, Device, asked_device
from dispatchtorch._base.dtypes import DType, by_name
from dispatchtorch._base.host import np
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS
from dispatchtorch.ops.create import Where, finished, from_numpy, place
from dispatchtorch.plugin.selection import backend_for_device
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.key import intern_key
from dispatchtorch.tensor.tensor import Tensor, read, wrap

__all__ = ["DLDeviceType", "from_dlpack", "frombuffer", "to_dlpack"]


class DLDeviceType(enum.IntEnum):
    """Where DLPack says that memory is; the numbers are DLPack's."""

    kDLCPU = 1
    kDLCUDA = 2
    kDLCUDAHost = 3
    kDLOpenCL = 4
    kDLVulkan = 7
    kDLMetal = 8
    kDLVPI = 9
    kDLROCM = 10
    kDLROCMHost = 11
    kDLExtDev = 12
    kDLCUDAManaged = 13
    kDLOneAPI = 14
    kDLWebGPU = 15
    kDLHexagon = 16
    kDLMAIA = 17


_TYPES: Final = {
    DLDeviceType.kDLCPU: "cpu", DLDeviceType.kDLCUDA: "cuda", DLDeviceType.kDLCUDAHost: "cpu",
    DLDeviceType.kDLCUDAManaged: "cuda", DLDeviceType.kDLROCM: "cuda", DLDeviceType.kDLMetal: "mps",
    DLDeviceType.kDLOneAPI: "xpu",
}  # fmt: skip


# --- DLPack ----------------------------------------------------------------------------------------------------------


def _dlpack_device(self: Tensor) -> tuple[DLDeviceType, int]:
    """Returns DLPack's number of the device's type, and the device's index."""
    kind, index = read(self).__dlpack_device__()
    return DLDeviceType(int(kind)), int(index)


def _dlpack(
    self: Tensor,
    *,
    stream: Any = -1,
    max_version: tuple[int, int] | None = None,
    dl_device: tuple[Any, int] | None = None,
    copy: bool | None = None,
) -> Any:
    """Returns a DLPack capsule over the tensor's memory; BufferError for a tensor that requires a gradient."""
    if self._key.requires:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    given: dict[str, Any] = {"dl_device": dl_device, "copy": copy, "max_version": max_version}
    if stream != -1 and self._key.device.type != "cpu":
        given["stream"] = stream
    elif stream not in (-1, None):
        raise AssertionError("stream should be None on cpu.")
    return read(self).__dlpack__(**{name: value for name, value in given.items() if value is not None})


class _Held:
    """A bare capsule, made to look like the array that DLPack's readers want."""

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule

    def __dlpack__(self, **options: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return DLDeviceType.kDLCPU, 0


def to_dlpack(tensor: Tensor) -> Any:
    """Returns a DLPack capsule over the tensor's memory, for one reader."""
    return _dlpack(tensor)


def from_dlpack(ext_tensor: Any, *, device: Where = None, copy: bool | None = None) -> Tensor:
    """Returns a tensor over the memory of another library's array, or of a DLPack capsule.

    Memory is shared where the backend's arrays can be written and the other's may be; ``copy=True`` always copies, and
    ``copy=False`` raises ValueError where sharing cannot be.

    >>> import numpy
    >>> torch.from_dlpack(numpy.arange(3))
    tensor([0, 1, 2])
    """
    if type(ext_tensor).__name__ == "PyCapsule":
        ext_tensor = _Held(ext_tensor)
    if not hasattr(ext_tensor, "__dlpack__"):
        raise RuntimeError(
            "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only once, so you "
            "might have already constructed a tensor from it once."
        )
    kind, index = ext_tensor.__dlpack_device__()
    where = Device(_TYPES.get(DLDeviceType(int(kind)), "cpu"), None if int(kind) == 1 else int(index))
    backend = backend_for_device(where.type)
    if where.type == "cpu":
        host = np.from_dlpack(ext_tensor)
        shares = backend.aliasing == "native" and "cpu" in backend.devices and host.flags.writeable
        if copy is False and not shares:
            raise ValueError(f"cannot share this memory: the backend {backend.name} has to copy it")
        raw = host if shares and not copy else backend.from_host(host, "cpu")
        dtype = interop.dtype_of_host(host)
    else:
        raw = backend.namespace.from_dlpack(ext_tensor)
        raw = backend.copy(raw) if copy else raw
        dtype = by_name(backend.dtype_name(raw))
    made = wrap(raw, intern_key(backend, where, dtype, not raw.shape))
    if device is not None and Device(device) != where:
        return METHODS["to"](made, Device(device))  # type: ignore[no-any-return]  # an entry of the table
    return made


# --- buffers ---------------------------------------------------------------------------------------------------------


def frombuffer(buffer: Any, *, dtype: DType, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """Returns a flat tensor over a buffer's memory, of ``count`` elements after ``offset`` bytes.

    ValueError for what is no buffer and for bytes that do not divide into elements.

    >>> torch.frombuffer(bytearray(b"abc"), dtype=torch.uint8)
    tensor([97, 98, 99], dtype=torch.uint8)
    """
    try:
        raw = memoryview(buffer)
    except TypeError:
        raise ValueError("object does not implement Python buffer protocol.") from None
    size, whole = dtype.itemsize, raw.nbytes
    if whole == 0 or count == 0:
        raise ValueError(f"both buffer length ({whole}) and count ({count}) must not be 0")
    if not 0 <= offset < whole:
        raise ValueError(
            f"offset ({offset} bytes) must be non-negative and no greater than buffer length ({whole} bytes) minus 1"
        )
    left = whole - offset
    if count > 0 and count * size > left:
        raise ValueError(
            f"requested buffer length ({count} * {size} bytes) after offset ({offset} bytes) must not be greater than "
            f"actual buffer length ({whole} bytes)"
        )
    if count < 0 and left % size:
        raise ValueError(
            f"buffer length ({left} bytes) after offset ({offset} bytes) must be a multiple of element size ({size})"
        )
    if raw.readonly:
        warnings.warn(
            "The given buffer is not writable, and PyTorch does not support non-writable tensors. This means you can "
            "write to the underlying (supposedly non-writable) buffer using the tensor. You may want to copy the "
            "buffer to protect its data or make it writable before converting it to a tensor. This type of warning "
            "will be suppressed for the rest of this program.",
            UserWarning,
            stacklevel=2,
        )
    host = np.frombuffer(raw, interop.host_dtype(dtype), count, offset)
    backend, where = place(CPU) if asked_device() is None else place()
    shares = backend.aliasing == "native" and where.type == "cpu"
    made = wrap(host if shares else backend.from_host(host, str(where)), intern_key(backend, where, dtype, False))
    return finished(made, requires_grad)


# --- numpy's functions -----------------------------------------------------------------------------------------------


def _array_wrap(self: Tensor, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
    """Returns what a numpy function made of this tensor as a tensor; bools become uint8, as in torch."""
    return from_numpy(array.astype("uint8") if array.dtype == bool else array)


METHODS.update({"__dlpack__": _dlpack, "__dlpack_device__": _dlpack_device, "__array_wrap__": _array_wrap})
METHODS["__array_priority__"] = 1000  # type: ignore[assignment]  # a number: ours come before numpy's own operators
FUNCTIONS.update({"from_dlpack": from_dlpack, "to_dlpack": to_dlpack, "frombuffer": frombuffer})
