"""The border to host arrays: numpy in, numpy out. The only file of this layer that knows numpy."""

from __future__ import annotations

from typing import Any

import numpy as np

from dispatchtorch._base.device import CPU, Device
from dispatchtorch._base.dtypes import DType, by_name
from dispatchtorch.plugin.backend import Backend
from dispatchtorch.plugin.selection import backend_for_device
from dispatchtorch.tensor.key import intern_key
from dispatchtorch.tensor.tensor import Tensor, read, wrap

__all__ = ["dtype_of_host", "from_host", "host_dtype", "to_host"]


def host_dtype(dtype: DType) -> np.dtype[Any]:
    """Returns numpy's spelling of a dtype; imports ml_dtypes for the types numpy lacks."""
    if dtype.name == "bfloat16":
        import ml_dtypes  # an extra: only who asks for bfloat16 pays

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(dtype.name)


def dtype_of_host(host: np.ndarray[Any, Any]) -> DType:
    """Returns the dtype of a host array; TypeError in torch's words for one that no tensor can have."""
    try:
        return by_name(host.dtype.name)
    except KeyError:
        raise TypeError(
            f"can't convert np.ndarray of type {host.dtype.type.__module__}.{host.dtype.type.__name__}. The only "
            "supported types are: float64, float32, float16, complex64, complex128, int64, int32, int16, int8, "
            "uint64, uint32, uint16, uint8, and bool."
        ) from None


def from_host(host: Any, device: Device | None = None, backend: Backend | None = None) -> Tensor:
    """Returns a new tensor with a host array's values; never aliases it."""
    host = np.asarray(host)
    device = device or CPU
    backend = backend or backend_for_device(device.type)
    dtype = dtype_of_host(host)
    raw = backend.from_host(host, str(device))
    return wrap(raw, intern_key(backend, device, dtype, not host.shape))


def to_host(t: Tensor) -> np.ndarray[Any, Any]:
    """Returns a numpy array with the tensor's values; on the numpy backend it aliases the tensor."""
    host: np.ndarray[Any, Any] = t._key.backend.to_host(read(t))
    return host
