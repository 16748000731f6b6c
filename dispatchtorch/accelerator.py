"""torch.accelerator: the device besides the CPU, if a backend here serves one, whatever it is called.

Streams and counts of memory belong to a backend's library and are not told.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, Final

from dispatchtorch import cpu, cuda, mps, mtia, xpu
from dispatchtorch._base.device import Device

__all__ = [
    "current_accelerator", "current_device_idx", "current_device_index", "device_count", "device_index", "empty_cache",
    "get_device_module",    "is_available", "set_device_idx", "set_device_index", "synchronize",
]  # fmt: skip

_NONE: Final = "Cannot access accelerator device when none is available."


def is_available() -> bool:
    """Returns whether a backend here serves a device besides the CPU."""
    return cuda.is_available()


def device_count() -> int:
    """Returns how many such devices there are."""
    return cuda.device_count()


def current_accelerator(check_available: bool = False) -> Device | None:
    """Returns the type of that device; None where there is none."""
    return Device("cuda") if is_available() else None


def _require() -> None:
    if not is_available():
        raise RuntimeError(_NONE)


def current_device_index() -> int:
    """Returns the index that the device has without a number; RuntimeError where there is none."""
    _require()
    return cuda.current_device()


def set_device_index(device: Device | str | int | None, /) -> None:
    """Chooses the device, of which only the first can be meant; RuntimeError where there is none."""
    _require()
    index = device if isinstance(device, int) else Device(device or "cuda").index
    if index not in (None, 0, -1):
        raise NotImplementedError("only the first device can be the current one; name another where a tensor is made")


current_device_idx = current_device_index
set_device_idx = set_device_index


class device_index:
    """A context in which a device is the current one; only the first, or None for no change."""

    def __init__(self, device: int | None, /) -> None:
        self.idx = device

    def __enter__(self) -> None:
        if self.idx is not None:
            set_device_index(self.idx)

    def __exit__(self, *error: object) -> None:
        return None


def synchronize(device: Any = None, /) -> None:
    """Waits until the device has done what was launched; RuntimeError where there is none."""
    _require()
    cuda.synchronize()


def empty_cache() -> None:
    """Does nothing where there is a device, RuntimeError where there is none."""
    _require()


_MODULES: Final = {"cpu": cpu, "cuda": cuda, "mps": mps, "mtia": mtia, "xpu": xpu}


def get_device_module(device: Device | str | None = None) -> ModuleType:
    """Returns the module of a type of device, ``torch.cuda`` for "cuda"; without one, that of the accelerator or CPU.

    RuntimeError for what names no device.
    """
    if device is None:
        kind = "cuda" if is_available() else "cpu"
    elif isinstance(device, (str, Device)):
        kind = Device(device).type
    else:
        raise RuntimeError(f"Invalid value of device '{device}', expect torch.device, str, or None")
    found = _MODULES.get(kind)
    if found is None:
        raise RuntimeError(f"Device '{kind}' does not have a corresponding module registered as 'torch.{kind}'.")
    return found
