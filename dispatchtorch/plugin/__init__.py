"""What a backend is, and how one is found: everything that a plugin's author may import.

Layer 1: knows arrays and op names, never a tensor, never a gradient.
"""

import importlib
from typing import TYPE_CHECKING, Any

from dispatchtorch._base.config import flag as env_flag
from dispatchtorch._base.config import launched as env_value
from dispatchtorch._base.config import suggest as env_suggest
from dispatchtorch._base.errors import BackendUnavailableError
from dispatchtorch.plugin.backend import Array, Backend, BackendSpec, Gap, Halves, Kernel, KernelCall, Traced
from dispatchtorch.plugin.memory import keep_memory
from dispatchtorch.plugin.meshes import MeshBackend, Split

if TYPE_CHECKING:
    from dispatchtorch.plugin.hookspecs import HOOK_VERSION, Commands, hookimpl

__all__ = [
    "HOOK_VERSION",
    "Array",
    "Backend",
    "BackendSpec",
    "BackendUnavailableError",
    "Commands",
    "Gap",
    "Halves",
    "Kernel",
    "KernelCall",
    "MeshBackend",
    "Split",
    "Traced",
    "env_flag",
    "env_suggest",
    "env_value",
    "hookimpl",
    "keep_memory",
]


def __getattr__(name: str) -> Any:
    """Returns what the hooks' room has: it needs pluggy, which is imported when plugins are first looked for."""
    if name not in ("HOOK_VERSION", "Commands", "hookimpl"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module("dispatchtorch.plugin.hookspecs"), name)
    return value
