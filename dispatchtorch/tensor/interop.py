"""The border to host arrays: numpy in, numpy out. The only file of this layer that knows numpy."""

from __future__ import annotations

from typing import Any

import numpy as np

from dispatchtorch._base.device import CPU, Device
from dispatchtorch._base.dtypes import DType, by_name, get_default_dtype
from dispatchtorch.plugin.backend import Backend
from dispatchtorch.plugin.selection import backend_for_device
from dispatchtorch.tensor.key import intern_key
from dispatchtorch.tensor.tensor import Tensor, read, wrap

__all__ = ["dtype_of_host", "from_host", "host_dtype", "host_of_data", "scalar", "to_host"]


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


def scalar(t: Tensor) -> Any:
    """Returns the first element as a Python number."""
    host = t._key.backend.to_host(read(t))
    value = host.item() if host.size == 1 else host.reshape(-1)[0].item()
    return value if isinstance(value, (bool, int, float, complex)) else float(value)


def host_of_data(data: Any, dtype: DType | None) -> np.ndarray[Any, Any]:
    """Returns a host array from nested sequences, numbers, tensors or arrays, by torch's inference rules.

    TypeError or ValueError, in torch's words, for ragged or non-numeric data.
    """
    if isinstance(data, np.ndarray):
        dtype_of_host(data)
        return data if dtype is None else _astype(data, host_dtype(dtype))
    if isinstance(data, Tensor):
        host = to_host(data)
        return host if dtype is None else _astype(host, host_dtype(dtype))
    if type(data) is float:
        return np.array(data, host_dtype(dtype or get_default_dtype()))
    plain = _without_tensors(data) if isinstance(data, (list, tuple)) else data
    try:
        host = np.array(plain)
    except ValueError:
        raise _ragged(data) from None
    if host.dtype.kind not in "biufcV" and host.size:
        if host.dtype.kind == "O":
            raise _ragged(data)
        raise TypeError(f"new(): invalid data type '{type(_first(data)).__name__}'") if not isinstance(
            data, (list, tuple)
        ) else ValueError(f"too many dimensions '{type(_first(data)).__name__}'")
    if dtype is None:
        dtype = _inferred(host, _first(data))
    return _astype(host, host_dtype(dtype))


def _astype(host: np.ndarray[Any, Any], target: np.dtype[Any]) -> np.ndarray[Any, Any]:
    if host.dtype == target:
        return host
    if host.dtype.kind == "c" and target.kind not in "cb":
        host = host.real
    with np.errstate(all="ignore"):
        return host.astype(target)


def _inferred(host: np.ndarray[Any, Any], first: Any) -> DType:
    if isinstance(first, (np.generic, np.ndarray, Tensor)) and host.dtype.kind != "O":
        return dtype_of_host(host)
    kind = host.dtype.kind
    if kind == "b":
        return by_name("bool")
    if kind in "iu" and host.size:
        return by_name("int64")
    return get_default_dtype().to_complex() if kind == "c" else get_default_dtype()


def _first(data: Any) -> Any:
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return data


def _without_tensors(data: Any) -> Any:
    if isinstance(data, (list, tuple)):
        return [_without_tensors(d) for d in data]
    return to_host(data) if isinstance(data, Tensor) else data


def _ragged(data: Any, dim: int = 0) -> Exception:
    """Returns torch's error for sequences of unequal length."""
    if isinstance(data, (list, tuple)) and data:
        lengths = [len(d) if isinstance(d, (list, tuple)) else -1 for d in data]
        if lengths[0] < 0 and all(n < 0 for n in lengths):
            bad = next((d for d in data if not isinstance(d, (bool, int, float, complex, np.generic))), data[0])
            return TypeError(f"not a sequence or number: {type(bad).__name__}") if bad is not None else TypeError(
                "must be real number, not NoneType"
            )
        for got in lengths:
            if got != lengths[0]:
                if lengths[0] < 0:
                    return TypeError("must be real number, not list")
                if got < 0:
                    return TypeError("not a sequence")
                return ValueError(f"expected sequence of length {lengths[0]} at dim {dim + 1} (got {got})")
        for inner in data:
            error = _ragged(inner, dim + 1)
            if isinstance(error, ValueError):
                return error
    return TypeError(f"Could not infer dtype of {type(data).__name__}")


def is_host(value: Any) -> bool:
    """Returns whether a value is a numpy array."""
    return isinstance(value, np.ndarray)
