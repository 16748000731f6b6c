"""Checkpoints that torch reads, and torch's read here: ``save``, ``load``, and what may be loaded safely."""

from dispatchtorch.serialization.allowed import add_safe_globals, clear_safe_globals, get_safe_globals, safe_globals
from dispatchtorch.serialization.checkpoint import get_unsafe_globals_in_checkpoint, load, save

__all__ = [
    "add_safe_globals",
    "clear_safe_globals",
    "get_safe_globals",
    "get_unsafe_globals_in_checkpoint",
    "load",
    "safe_globals",
    "save",
]
