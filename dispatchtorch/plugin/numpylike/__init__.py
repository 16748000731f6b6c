"""Kernels that run over any array-API-like namespace: what a backend gets for nothing.

`KERNELS` maps an op's name to ``kernel(xp, *raw_arguments)``. A kernel may use the array API standard's names and numpy's
widespread ones, never a concrete library, and must not write into its arguments.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, Final

__all__ = ["KERNELS", "kernel"]

KERNELS: Final[dict[str, Callable[..., Any]]] = {}


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Registers ``function(xp, ...)`` as the shared kernel of the op of the same name; ValueError for a second one."""
    name = function.__name__
    if name in KERNELS:
        raise ValueError(f"two shared kernels called {name}: {KERNELS[name].__module__} and {function.__module__}")
    KERNELS[name] = function
    return function


for _family in pkgutil.iter_modules(__path__):  # every module here is a family of kernels; a new file needs no mention
    importlib.import_module(f"{__name__}.{_family.name}")
