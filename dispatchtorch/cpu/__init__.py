"""torch.cpu: the CPU asked as if it were an accelerator, by programs that take any device."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from dispatchtorch.cpu import amp as amp

__all__ = [
    "Stream", "StreamContext", "amp", "current_device", "current_stream", "device_count", "is_available",
    "is_initialized", "set_device", "stream", "synchronize",
]  # fmt: skip


class Stream:
    """The order in which the CPU works: the program's."""

    def __init__(self, priority: int = -1) -> None:
        self.priority = priority

    def wait_stream(self, stream: Any) -> None:
        """Does nothing: work is done when a call returns."""

    def record_event(self) -> None:
        """Does nothing: work is done when a call returns."""

    def wait_event(self, event: Any) -> None:
        """Does nothing: work is done when a call returns."""


_STREAM = Stream()
StreamContext = nullcontext


def is_available() -> bool:
    """Returns True."""
    return True


def is_initialized() -> bool:
    """Returns True."""
    return True


def device_count() -> int:
    """Returns 1."""
    return 1


def current_device() -> str:
    """Returns "cpu"."""
    return "cpu"


def set_device(device: Any) -> None:
    """Does nothing: there is one CPU."""


def synchronize(device: Any = None) -> None:
    """Does nothing: work is done when a call returns."""


def current_stream(device: Any = None) -> Stream:
    """Returns the one stream."""
    return _STREAM


def stream(stream: Any) -> nullcontext[Any]:
    """Returns a context that changes nothing."""
    return nullcontext(stream)
