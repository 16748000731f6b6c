"""What a compiler is told while it traces a function: numbers drawn on the host, options of optimizers, schedules.

A traced function runs once and is replayed as one program. What happens on the host in between has to happen again at
every replay: random numbers and learning rates come in as inputs, schedules move on. Code that does such a thing asks
`tracing.now`, which is None outside of a trace. Must not know: who traces, or how.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final, NoReturn, TypeVar

from dispatchtorch.plugin.backend import Array, Backend
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["Tracing", "drawn_on_host", "lasting", "tracing"]

T = TypeVar("T")


class Tracing(ABC):
    """One trace, as seen by the code that is traced."""

    @abstractmethod
    def supply(self, make: Callable[[], Any], backend: Backend, device: str) -> Array:
        """Returns the array that ``make`` gives now; every replay calls ``make`` again and uses what it gives then."""

    @abstractmethod
    def rate(self, options: dict[str, Any], name: str, like: Tensor, index: int | None = None) -> Tensor:
        """Returns a number among ``options`` as a float64 tensor beside ``like``, read again at every replay.

        ``index``: which one, where the option is several numbers.
        """

    @abstractmethod
    def changes(self, options: dict[str, Any], name: str) -> bool:
        """Returns whether an option has been seen to change, so that it had better be read as a `rate`."""

    @abstractmethod
    def effect(self, owner: Any, run: Callable[[], None]) -> None:
        """Runs something that changes ``owner`` on the host alone, now and at every replay."""

    @abstractmethod
    def watch(self, options: dict[str, Any], names: Iterable[str]) -> None:
        """Notes that the program holds as long as these options are what they are now."""

    @abstractmethod
    def guard(self, read: Callable[[], Hashable], words: str) -> None:
        """Notes that the program holds as long as ``read`` gives what it gives now; ``words`` say what that is."""

    @abstractmethod
    def lasting(self, make: Callable[[], T]) -> T:
        """Returns the tensor that ``make`` gives, made outside of the trace: it is state from now on."""

    @abstractmethod
    def cleared(self, owner: Tensor) -> None:
        """Notes that a tensor's gradient is dropped, whether or not there is one."""

    @abstractmethod
    def refuse(self, words: str) -> NoReturn:
        """Ends the trace, since ``words`` cannot be part of a program."""


class _State:
    """The trace that this process is in, and who compiles."""

    now: Tracing | None = None
    compiler: Callable[[], Callable[..., Any]] | None = None  # gives ``compile``; the roof knows where it is


tracing: Final = _State()


def drawn_on_host(make: Callable[[], Any], backend: Backend, device: str) -> Array:
    """Returns a backend's array of numbers that are drawn on the host, by ``make``, into an array of their own."""
    if tracing.now is None:
        host = make()
        return (backend.adopt if host.flags.c_contiguous else backend.from_host)(host, device)
    return tracing.now.supply(make, backend, device)


def lasting(make: Callable[[], T]) -> T:
    """Returns the tensor that ``make`` gives: state that is made on first need and kept."""
    return make() if tracing.now is None else tracing.now.lasting(make)
