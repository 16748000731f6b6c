"""torch.__config__: what this is made of, in words, for reports."""

from __future__ import annotations

import platform

from dispatchtorch._base.switches import get_num_interop_threads, get_num_threads
from dispatchtorch._version import __version__
from dispatchtorch.plugin.manager import manager

__all__ = ["parallel_info", "show"]


def show() -> str:
    """Returns the version, the Python it runs on, and the names of the backends that are known."""
    names = ", ".join(sorted(manager().backends()))
    return (
        f"dispatchtorch {__version__}, written in Python:\n  - {platform.python_implementation()} "
        f"{platform.python_version()} on {platform.system()} {platform.machine()}\n  - Backends: {names}\n"
    )


def parallel_info() -> str:
    """Returns the numbers of threads that were set; how many run is up to a backend's library."""
    return (
        f"ATen/Parallel:\n\tat::get_num_threads() : {get_num_threads()}\n"
        f"\tat::get_num_interop_threads() : {get_num_interop_threads()}\n"
    )
