"""torch.multiprocessing: Python's ``multiprocessing`` whose queues and pipes carry tensors in shared memory.

Importing it teaches Python's own pickler of that module how tensors travel.
"""

from __future__ import annotations

import multiprocessing as _python
import sys
from multiprocessing import *  # noqa: F403 - the same names, as in torch
from typing import Final

from dispatchtorch.multiprocessing.processes import (
    ProcessContext,
    ProcessExitedException,
    ProcessRaisedException,
    SpawnContext,
    spawn,
    start_processes,
)
from dispatchtorch.multiprocessing.reductions import init_reductions

__all__ = [
    "ProcessContext",
    "ProcessExitedException",
    "ProcessRaisedException",
    "SpawnContext",
    "get_all_sharing_strategies",
    "get_sharing_strategy",
    "set_sharing_strategy",
    "spawn",
    "start_processes",
]
__all__ += _python.__all__

_ALL: Final = {"file_system"} if sys.platform in ("darwin", "win32") else {"file_descriptor", "file_system"}
_strategy = "file_system" if sys.platform in ("darwin", "win32") else "file_descriptor"


def set_sharing_strategy(new_strategy: str) -> None:
    """Keeps a name; AssertionError for one that torch does not know. Memory is shared by descriptors in any case."""
    global _strategy
    if new_strategy not in _ALL:
        raise AssertionError(f"invalid sharing strategy {new_strategy!r}, expected one of {_ALL}")
    _strategy = new_strategy


def get_sharing_strategy() -> str:
    """Returns the name that was set last."""
    return _strategy


def get_all_sharing_strategies() -> set[str]:
    """Returns the names that may be set."""
    return _ALL


init_reductions()
