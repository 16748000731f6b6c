"""torch.cuda: whether a backend here serves CUDA devices, and what an ordinary program asks of them before it begins.

It holds no state: a device belongs to its backend, and random numbers come from the generator of `torch.manual_seed`.
Must not know: which backends there are, or their libraries.
"""

from __future__ import annotations

from dispatchtorch._base.errors import DeviceUnavailableError
from dispatchtorch.ops.legacy_types import CUDA_TYPES
from dispatchtorch.plugin.backend import Backend
from dispatchtorch.plugin.selection import backend_for_device
from dispatchtorch.random import generator

__all__ = [
    "current_device", "device_count", "empty_cache", "is_available", "is_initialized", "manual_seed", "manual_seed_all",
    "synchronize",
]  # fmt: skip


def is_available() -> bool:
    """Returns whether ``device="cuda"`` would work: a backend serves it and finds a device. Never raises."""
    return device_count() > 0


def device_count() -> int:
    """Returns how many CUDA devices the backend that serves them finds; 0 where none does."""
    backend = _backend()
    if backend is None:
        return 0
    return backend.device_count() if backend.devices[0] == "cuda" else 1


def is_initialized() -> bool:
    """Returns whether there is a device to use; nothing has to be set up before one is."""
    return is_available()


def current_device() -> int:
    """Returns 0, the device that ``"cuda"`` without a number means; torch's error where there is none."""
    backend_for_device("cuda")
    return 0


def synchronize(device: object = None) -> None:
    """Waits until the backend has done what was launched; torch's error where there is no device."""
    backend_for_device("cuda").synchronize()


def empty_cache() -> None:
    """Does nothing: what a backend's library keeps is its own business."""


def manual_seed(seed: int) -> None:
    """Seeds the generator, which is one for all devices; without a device it does nothing, as in torch."""
    if is_available():
        generator.manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Seeds as `manual_seed` does, for there is one generator however many devices there are."""
    manual_seed(seed)


def _backend() -> Backend | None:
    try:
        return backend_for_device("cuda")
    except DeviceUnavailableError:
        return None


globals().update(CUDA_TYPES)
