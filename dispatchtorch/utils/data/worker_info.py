"""What a worker process knows about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["WorkerInfo", "get_worker_info", "set_worker_info"]


@dataclass(frozen=True)
class WorkerInfo:
    """Which worker this is, of how many, what it was seeded with, and its own copy of the data set."""

    id: int
    num_workers: int
    seed: int
    dataset: Any
    rng: Any = None
    worker_method: str | None = "multiprocessing"


_here: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Returns what this worker knows about itself; None in the main process.

    >>> from dispatchtorch.utils.data import get_worker_info
    >>> get_worker_info() is None
    True
    """
    return _here


def set_worker_info(info: WorkerInfo | None) -> None:
    """Says which worker this process is."""
    global _here
    _here = info
