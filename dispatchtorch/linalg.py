"""torch.linalg: the door to the op table's linear algebra. It holds no logic."""

from __future__ import annotations

from typing import Any

from dispatchtorch import ops as _families  # noqa: F401 - importing them declares every function
from dispatchtorch.ops.matrices import LINALG, LinAlgError

__all__ = sorted((*LINALG, "LinAlgError"))

globals().update(LINALG)
globals()["LinAlgError"] = LinAlgError


def __getattr__(name: str) -> Any:
    """Raises AttributeError for what is not there; its presence tells type checkers that names come from a table."""
    raise AttributeError(f"module 'torch.linalg' has no attribute '{name}'")
