"""Modules that an import need not wait for: each is imported at the first look at one of its names.

Must not know: what they are wanted for.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

__all__ = ["Late", "ctypes", "inspect", "pkgutil", "pluggy", "tempfile", "traceback"]


class Late(ModuleType):
    """A module that is imported at the first look at one of its names; each name is looked up once."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(importlib.import_module(self.__name__), name)
        setattr(self, name, value)
        return value


if TYPE_CHECKING:
    import ctypes
    import inspect
    import pkgutil
    import tempfile
    import traceback

    import pluggy
else:
    ctypes, inspect, pluggy = Late("ctypes"), Late("inspect"), Late("pluggy")
    pkgutil, tempfile, traceback = Late("pkgutil"), Late("tempfile"), Late("traceback")
