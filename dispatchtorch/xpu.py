"""torch.xpu: no backend here serves such devices, which is what this says to programs that ask."""

from __future__ import annotations

from typing import Any

__all__ = ["device_count", "empty_cache", "is_available", "manual_seed", "synchronize"]


def is_available() -> bool:
    """Returns False."""
    return False


def device_count() -> int:
    """Returns 0."""
    return 0


def manual_seed(seed: int) -> None:
    """Does nothing: there is no device to seed."""


def empty_cache() -> None:
    """Does nothing: there is no device that keeps memory."""


def synchronize(device: Any = None) -> None:
    """Raises RuntimeError: there is no device to wait for."""
    raise RuntimeError("no backend here serves xpu devices")
