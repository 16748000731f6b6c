"""A profiler of kernels: what ran, how often, how long. It is a plugin that wraps kernels while it is on.

Wrapping empties the plans, so that a program pays nothing before and after. Kernels are timed where they are called: on
a library that works ahead, the time is that of the launch. Must not know which ops or backends there are.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from dispatchtorch.autograd.profile_events import EventList, FunctionEvent
from dispatchtorch.plugin.hookspecs import hookimpl
from dispatchtorch.plugin.manager import manager

__all__ = ["Recorder", "emit_itt", "emit_nvtx", "profile", "record_function"]


class Recorder:
    """The plugin: keeps one event a kernel call while it is registered."""

    def __init__(self, record_shapes: bool = False) -> None:
        self.events: list[FunctionEvent] = []
        self.record_shapes = record_shapes
        self.origin = time.perf_counter_ns()
        self._open = threading.local()

    @hookimpl
    def dispatchtorch_wrap_kernel(self, op: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
        """Returns a kernel that notes its time."""
        name = f"aten::{op}"

        @functools.wraps(kernel)
        def timed(*args: Any) -> Any:
            with self.span(name, _shapes(args) if self.record_shapes else []):
                return kernel(*args)

        return timed

    @contextlib.contextmanager
    def span(self, name: str, shapes: list[list[int]]) -> Iterator[FunctionEvent]:
        """Returns a context that is one event, inside of the one that is open in this thread."""
        stack: list[FunctionEvent] = self._open.__dict__.setdefault("stack", [])
        event = FunctionEvent(len(self.events) + 1, name, shapes, threading.get_ident())
        self.events.append(event)
        if stack:
            event.cpu_parent = stack[-1]
            stack[-1].cpu_children.append(event)
        stack.append(event)
        event.start = time.perf_counter_ns() - self.origin
        try:
            yield event
        finally:
            event.end = time.perf_counter_ns() - self.origin
            stack.pop()


def _shapes(args: Any) -> list[list[int]]:
    return [list(a.shape) if hasattr(a, "shape") else [] for a in args]


_running: Final[list[Recorder]] = []


def start(recorder: Recorder) -> None:
    """Switches a recorder on."""
    manager().register(recorder, f"profiler-{id(recorder):x}")
    _running.append(recorder)


def stop(recorder: Recorder) -> None:
    """Switches a recorder off."""
    _running.remove(recorder)
    manager().unregister(recorder)


class record_function:
    """Names a part of the program in what a profiler shows: a context and a decorator."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name
        self.args = args
        self._spans: list[Any] = []

    def __enter__(self) -> record_function:
        self._spans = [recorder.span(self.name, []) for recorder in _running]
        for span in self._spans:
            span.__enter__().is_user_annotation = True
        return self

    def __exit__(self, *error: Any) -> None:
        for span in reversed(self._spans):
            span.__exit__(*error)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Returns the function, each call of which is a part of this name."""

        @functools.wraps(function)
        def named(*args: Any, **kwargs: Any) -> Any:
            with record_function(self.name):
                return function(*args, **kwargs)

        return named


class profile:
    """Times every kernel call inside a ``with`` block: ``torch.autograd.profiler.profile``.

    Memory, stacks and FLOPs are not counted; asking for them changes nothing.
    """

    def __init__(
        self,
        enabled: bool = True,
        *,
        use_cuda: bool = False,
        use_device: str | None = None,
        record_shapes: bool = False,
        with_flops: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_modules: bool = False,
        use_kineto: bool = False,
        use_cpu: bool = True,
        **unused: Any,
    ) -> None:
        self.enabled = enabled
        self.record_shapes = record_shapes
        self._recorder: Recorder | None = None
        self.entered = False

    def __enter__(self) -> profile:
        if self.entered:
            raise RuntimeError("Profiler context manager is not reentrant")
        self.entered = True
        if self.enabled:
            self._recorder = Recorder(self.record_shapes)
            start(self._recorder)
        return self

    def __exit__(self, *error: object) -> None:
        if self._recorder is not None:
            stop(self._recorder)

    @property
    def function_events(self) -> EventList:
        """Returns what was recorded, in the order in which it began."""
        if self._recorder is None or self._recorder in _running:
            raise RuntimeError("Profiler didn't finish running")
        return EventList(self._recorder.events)

    def key_averages(self, group_by_input_shape: bool = False, **unused: Any) -> EventList:
        """Returns one sum for each name, or for each name and shapes."""
        return self.function_events.key_averages(group_by_input_shape)

    def total_average(self) -> Any:
        """Returns one sum of everything."""
        return self.function_events.total_average()

    def table(self, sort_by: str | None = None, row_limit: int = 100, **options: Any) -> str:
        """Returns what was recorded as text, a call a line."""
        return self.function_events.table(sort_by, row_limit, **options)

    def export_chrome_trace(self, path: str) -> None:
        """Writes what was recorded as a file that chrome://tracing and Perfetto read."""
        self.function_events.export_chrome_trace(path)

    @property
    def self_cpu_time_total(self) -> float:
        """Returns the microseconds spent in all kernels and named parts together."""
        return self.function_events.self_cpu_time_total

    def __str__(self) -> str:
        return "<unfinished torch.autograd.profile>" if self._recorder in _running else str(self.function_events)


class emit_nvtx(contextlib.AbstractContextManager[None]):
    """Refuses: NotImplementedError, for ranges are told to no tool of a vendor."""

    def __init__(self, enabled: bool = True, record_shapes: bool = False) -> None:
        if enabled:
            raise NotImplementedError("ranges are told to no vendor's tool; use torch.profiler.profile")

    def __exit__(self, *error: object) -> None:
        return None


emit_itt = emit_nvtx
