"""torch.backends.mps: whether a backend here serves devices of that type."""

from __future__ import annotations

from dispatchtorch._base.errors import DeviceUnavailableError
from dispatchtorch.plugin.selection import backend_for_device

__all__ = ["is_available", "is_built"]


def is_available() -> bool:
    """Returns whether ``device="mps"`` would work: a backend serves it. Never raises."""
    try:
        backend_for_device("mps")
    except DeviceUnavailableError:
        return False
    return True


def is_built() -> bool:
    """Returns whether a backend for such devices is installed; there is one only where it also works."""
    return is_available()
