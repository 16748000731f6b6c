"""What a compiler is told while it traces a function: numbers drawn on the host, options of optimizers, schedules.

A traced function runs once and is replayed as one program. What happens on the host in between has to happen again at
every replay: random numbers and learning rates come in as inputs, schedules move on. Code that does such a thing asks
`tracing.now`, which is None outside of a trace. Must not know: who traces, or how.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import Any, Final

from dispatchtorch.plugin.backend import Array, Backend
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["Tracing", "drawn_on_host", "tracing"]


class Tracing(ABC):
    """One trace, as seen by the code that is traced."""

    @abstractmethod
    def supply(self, make: Callable[[], Any], backend: Backend, device: str) -> Array:
        """Returns the array that ``make`` gives now; every replay calls ``make`` again and uses what it gives then."""

    @abstractmethod
    def rate(self, read: Callable[[], float], like: Tensor) -> Tensor:
        """Returns a number of the host as a float64 tensor, read again at every replay."""

    @abstractmethod
    def effect(self, owner: Any, run: Callable[[], None]) -> None:
        """Runs something that changes ``owner`` on the host alone, now and at every replay."""

    @abstractmethod
    def guard(self, read: Callable[[], Hashable]) -> None:
        """Notes that the program holds as long as ``read`` gives what it gives now."""


class _State:
    """The trace that this process is in."""

    now: Tracing | None = None


tracing: Final = _State()


def drawn_on_host(make: Callable[[], Any], backend: Backend, device: str) -> Array:
    """Returns a backend's array of numbers that are drawn on the host."""
    if tracing.now is None:
        return backend.from_host(make(), device)
    return tracing.now.supply(make, backend, device)
