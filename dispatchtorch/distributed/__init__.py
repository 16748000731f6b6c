"""torch.distributed, as in a PyTorch that was built without it: libraries ask whether it is there, and it is not.

Must not know: processes.
"""

from __future__ import annotations

__all__ = ["is_available", "is_initialized"]


def is_available() -> bool:
    """Returns False: there are no process groups here."""
    return False


def is_initialized() -> bool:
    """Returns False: no process group has been made."""
    return False
