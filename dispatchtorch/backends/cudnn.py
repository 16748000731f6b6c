"""torch.backends.cudnn: switches that ordinary programs set; they are kept, and nothing reads them."""

from __future__ import annotations

__all__ = ["allow_tf32", "benchmark", "deterministic", "enabled", "is_available", "version"]

enabled: bool = True
benchmark: bool = False
deterministic: bool = False
allow_tf32: bool = True


def is_available() -> bool:
    """Returns False: kernels come from the backend's array library."""
    return False


def version() -> int | None:
    """Returns None, as PyTorch does where it is built without this library."""
    return None
