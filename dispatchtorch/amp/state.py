"""Autocast's switches: for each thread and kind of device whether it is on, in which dtype, and the casts it keeps."""

from __future__ import annotations

import threading
import warnings
from typing import Any, Final

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import DType, bfloat16, float16
from dispatchtorch.amp.casting import casts, rearm

__all__ = [
    "autocast_decrement_nesting",
    "autocast_increment_nesting",
    "clear_autocast_cache",
    "get_autocast_cpu_dtype",
    "get_autocast_dtype",
    "get_autocast_gpu_dtype",
    "is_autocast_available",
    "is_autocast_cache_enabled",
    "is_autocast_cpu_enabled",
    "is_autocast_enabled",
    "set_autocast_cache_enabled",
    "set_autocast_cpu_dtype",
    "set_autocast_cpu_enabled",
    "set_autocast_dtype",
    "set_autocast_enabled",
    "set_autocast_gpu_dtype",
]

_FIRST: Final = {
    "cpu": bfloat16, "cuda": float16, "mps": float16, "xpu": float16, "hpu": bfloat16, "xla": bfloat16,
    "mtia": float16, "maia": bfloat16, "ipu": float16, "privateuseone": float16,
}  # fmt: skip


class _Switches(threading.local):
    """One thread's settings; `casting.casts` has what calls look at."""

    dtypes: dict[str, DType] | None = None
    nesting: int = 0


_switches: Final = _Switches()


def _kind(device_type: str) -> str:
    """Returns a device's type; torch's errors for unknown ones and for those that have no autocast."""
    kind = Device(device_type).type
    if kind not in _FIRST:
        raise RuntimeError("unknown device type for autocast in get_autocast_dispatch_key_from_device_type")
    return kind


def is_autocast_available(device_type: str) -> bool:
    """Returns whether there is autocast for a type of device.

    >>> torch.amp.is_autocast_available("cpu"), torch.amp.is_autocast_available("meta")
    (True, False)
    """
    return Device(device_type).type in _FIRST


def is_autocast_enabled(device_type: str | None = None) -> bool:
    """Returns whether autocast is on in this thread, for a type of device ("cuda" by default)."""
    return _kind("cuda" if device_type is None else device_type) in casts.on


def set_autocast_enabled(device_type: Any, enabled: bool | None = None) -> None:
    """Switches autocast on or off in this thread: ``(device_type, enabled)``, or ``(enabled)`` for "cuda"."""
    kind, on = ("cuda", device_type) if enabled is None else (_kind(device_type), enabled)
    was = casts.on
    casts.on = {k: v for k, v in was.items() if k != kind}
    if on:
        casts.on[kind] = get_autocast_dtype(kind)
    rearm(kind, bool(on) - (kind in was))


def get_autocast_dtype(device_type: str) -> DType:
    """Returns the dtype that autocast computes in, for a type of device: bfloat16 on the CPU, if it was not set."""
    kind = _kind(device_type)
    return (_switches.dtypes or {}).get(kind, _FIRST[kind])


def set_autocast_dtype(device_type: str, dtype: DType) -> None:
    """Sets the dtype that autocast computes in, for a type of device."""
    kind = _kind(device_type)
    _switches.dtypes = {**(_switches.dtypes or {}), kind: dtype}
    if kind in casts.on:
        casts.on = {**casts.on, kind: dtype}


def is_autocast_cache_enabled() -> bool:
    """Returns whether casts of parameters are kept until the outermost autocast ends."""
    return casts.keeping


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Sets whether casts of parameters are kept until the outermost autocast ends."""
    casts.keeping = enabled


def clear_autocast_cache() -> None:
    """Drops the casts that were kept."""
    casts.kept = {}


def autocast_increment_nesting() -> int:
    """Returns how many autocasts are now entered in this thread, one more."""
    _switches.nesting += 1
    return _switches.nesting


def autocast_decrement_nesting() -> int:
    """Returns how many autocasts are now entered in this thread, one less."""
    _switches.nesting -= 1
    return _switches.nesting


def _deprecated(old: str, new: str) -> None:
    warnings.warn(f"torch.{old} is deprecated. Please use torch.{new} instead.", DeprecationWarning, stacklevel=3)


def is_autocast_cpu_enabled() -> bool:
    """Returns ``is_autocast_enabled("cpu")``; deprecated."""
    _deprecated("is_autocast_cpu_enabled()", "is_autocast_enabled('cpu')")
    return is_autocast_enabled("cpu")


def set_autocast_cpu_enabled(enabled: bool) -> None:
    """Does ``set_autocast_enabled("cpu", enabled)``; deprecated."""
    _deprecated("set_autocast_cpu_enabled(enabled)", "set_autocast_enabled('cpu', enabled)")
    set_autocast_enabled("cpu", enabled)


def get_autocast_cpu_dtype() -> DType:
    """Returns ``get_autocast_dtype("cpu")``; deprecated."""
    _deprecated("get_autocast_cpu_dtype()", "get_autocast_dtype('cpu')")
    return get_autocast_dtype("cpu")


def set_autocast_cpu_dtype(dtype: DType) -> None:
    """Does ``set_autocast_dtype("cpu", dtype)``; deprecated."""
    _deprecated("set_autocast_cpu_dtype(dtype)", "set_autocast_dtype('cpu', dtype)")
    set_autocast_dtype("cpu", dtype)


def get_autocast_gpu_dtype() -> DType:
    """Returns ``get_autocast_dtype("cuda")``; deprecated."""
    _deprecated("get_autocast_gpu_dtype()", "get_autocast_dtype('cuda')")
    return get_autocast_dtype("cuda")


def set_autocast_gpu_dtype(dtype: DType) -> None:
    """Does ``set_autocast_dtype("cuda", dtype)``; deprecated."""
    _deprecated("set_autocast_gpu_dtype(dtype)", "set_autocast_dtype('cuda', dtype)")
    set_autocast_dtype("cuda", dtype)
