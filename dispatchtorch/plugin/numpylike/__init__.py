"""Kernels that run over any array-API-like namespace: what a backend gets for nothing.

`KERNELS` maps an op's name to ``kernel(xp, *raw_arguments)``. A kernel may use the array API standard's names and
numpy's widespread ones, never a concrete library, and must not write into its arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dispatchtorch._base.folder import import_folder

__all__ = ["KERNELS", "kernel"]

KERNELS: dict[str, Callable[..., Any]]  # made at the first look, by `__getattr__`
_found: Final[dict[str, Callable[..., Any]]] = {}


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Registers ``function(xp, ...)`` as the shared kernel of the op of the same name; ValueError for a second one."""
    name = function.__name__
    if name in _found:
        raise ValueError(f"two shared kernels called {name}: {_found[name].__module__} and {function.__module__}")
    _found[name] = function
    return function


def __getattr__(name: str) -> Any:
    """Returns `KERNELS`: the families are imported when the first kernel is looked for, not at import."""
    if name != "KERNELS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_folder(__name__, __path__)  # every module here is a family of kernels
    globals()["KERNELS"] = _found
    return _found
