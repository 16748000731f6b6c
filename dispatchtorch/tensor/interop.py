"""The border to host arrays: numpy in, numpy out. The only file of this layer that knows numpy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from dispatchtorch._base.device import CPU, Device
from dispatchtorch._base.dtypes import DType, by_name, get_default_dtype
from dispatchtorch._base.host import np
from dispatchtorch.plugin.backend import Backend
from dispatchtorch.plugin.selection import backend_for_device
from dispatchtorch.tensor.key import intern_key
from dispatchtorch.tensor.tensor import Tensor, read, wrap

__all__ = ["dtype_of_host", "from_host", "host_as", "host_dtype", "host_of_data", "new_host_of", "scalar", "to_host"]


def host_dtype(dtype: DType) -> np.dtype[Any]:
    """Returns numpy's spelling of a dtype; imports ml_dtypes for the types numpy lacks."""
    if dtype.name == "bfloat16" or dtype.name.startswith("float8_"):
        import ml_dtypes  # an extra: only who asks for these types pays

        narrow: np.dtype[Any] = np.dtype(getattr(ml_dtypes, dtype.name))
        return narrow
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
    if type(data) is float and (dtype is None or dtype.category > 1):
        return np.array(data, host_dtype(dtype or get_default_dtype()))
    plain = _without_tensors(data) if isinstance(data, (list, tuple)) else data
    try:
        host = np.array(plain)
    except ValueError:
        raise _refusal(data, dtype) from None
    if host.dtype.kind == "O" and isinstance(_first(data), int) and all(isinstance(v, int) for v in _leaves(data)):
        _check_range(host, data, dtype)
        return host.astype(host_dtype(dtype or by_name("int64")))
    if host.dtype.kind not in "biufcV" and host.size:
        if host.dtype.kind == "U" and not isinstance(_first(data), str):
            raise _refusal(data, dtype)
        if host.dtype.kind == "O":
            raise _refusal(data, dtype)
        raise (
            TypeError(f"new(): invalid data type '{type(_first(data)).__name__}'")
            if not isinstance(data, (list, tuple))
            else ValueError(f"too many dimensions '{type(_first(data)).__name__}'")
        )
    _check_range(host, data, dtype)
    if dtype is None:
        dtype = _inferred(host, _first(data))
    return _astype(host, host_dtype(dtype))


_KINDS: Final = {frozenset((bool,)): "bool", frozenset((int,)): "int64", frozenset((float,)): ""}


def new_host_of(data: Any) -> tuple[np.ndarray[Any, Any], DType] | None:
    """Returns a new host array, and its dtype, of a number or a list of numbers of one kind; None for anything else."""
    kind = type(data)
    if kind is list:
        name = _KINDS.get(frozenset(map(type, data)))
    elif kind is float:
        name = ""
    elif kind is bool:
        name = "bool"
    else:
        name = "int64" if kind is int else None
    if name is None:
        return None
    dtype = by_name(name) if name else get_default_dtype()
    try:
        return np.array(data, _hosts[dtype]), dtype
    except (KeyError, OverflowError):  # in torch's words, by the long way
        return None


_hosts: Final = {by_name(name): name for name in ("bool", "int64", "float32", "float64")}


def host_as(data: Any, dtype: DType) -> np.ndarray[Any, Any]:
    """Returns a host array of ``dtype`` from data of any, cast as C does: what is too large wraps, fractions go."""
    host = host_of_data(data, None)
    if host.dtype.kind == "c" and dtype.category < 3:
        raise TypeError("must be real number, not complex")
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


def _refusal(data: Any, dtype: DType | None) -> Exception:
    """Returns torch's error for data that makes no array: odd things first, then lengths, then depths."""
    sizes: list[int] = []
    inner = data
    while isinstance(inner, (list, tuple)):
        sizes.append(len(inner))
        if not inner:
            break
        inner = inner[0]
    leaves = list(_leaves(data))
    for leaf in leaves:
        if isinstance(leaf, str):
            return TypeError("new(): invalid data type 'str'")
        if not isinstance(leaf, (bool, int, float, complex, np.generic, np.ndarray, Tensor)):
            return RuntimeError(f"Could not infer dtype of {type(leaf).__name__}")
    real = any(isinstance(leaf, (float, complex)) for leaf in leaves) if dtype is None else dtype.category > 1
    return _misfit(data, sizes, 0, real) or TypeError(f"not a sequence or number: {type(data).__name__}")


def _leaves(data: Any) -> Iterator[Any]:
    if isinstance(data, (list, tuple)):
        for inner in data:
            yield from _leaves(inner)
    else:
        yield data


def _misfit(data: Any, sizes: list[int], dim: int, real: bool) -> Exception | None:
    nested = isinstance(data, (list, tuple))
    if dim == len(sizes):
        if not nested:
            return None
        kind = type(data).__name__
        return TypeError(
            f"must be real number, not {kind}" if real else f"'{kind}' object cannot be interpreted as an integer"
        )
    if not nested:
        return TypeError("not a sequence")
    if len(data) != sizes[dim]:
        return ValueError(f"expected sequence of length {sizes[dim]} at dim {dim} (got {len(data)})")
    return next((error for inner in data if (error := _misfit(inner, sizes, dim + 1, real)) is not None), None)


def _check_range(host: np.ndarray[Any, Any], data: Any, dtype: DType | None) -> None:
    """Raises torch's error for Python numbers that an integer dtype cannot hold."""
    if host.dtype.kind in "uO" and host.size and (dtype is None or dtype is by_name("int64")):
        raise ValueError("Overflow when unpacking long long")
    if host.dtype.kind == "c" and dtype is not None and dtype.category < 3:
        raise TypeError(
            "must be real number, not complex"
            if dtype.category == 2
            else "'complex' object cannot be interpreted as an integer"
        )
    if dtype is None or dtype.category != 1 or host.dtype.kind not in "iuf" or not host.size:
        return
    info = np.iinfo(host_dtype(dtype))
    low, high = host.min(), host.max()
    if not (low >= (info.min or -info.max) and high <= info.max):
        raise RuntimeError(f"value cannot be converted to type {dtype.name} without overflow")


def is_host(value: Any) -> bool:
    """Returns whether a value is a numpy array."""
    return isinstance(value, np.ndarray)
