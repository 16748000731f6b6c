"""torch.profiler: when to record, and what to do with what was recorded. The recording is `autograd.profiler`'s."""

from __future__ import annotations

import enum
import os
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

from dispatchtorch.autograd.profile_events import EventList
from dispatchtorch.autograd.profiler import Recorder, record_function, start, stop

__all__ = [
    "DeviceType", "ExecutionTraceObserver", "ProfilerAction", "ProfilerActivity", "kineto_available", "profile",
    "record_function", "schedule", "supported_activities", "tensorboard_trace_handler",
]  # fmt: skip


class ProfilerAction(enum.Enum):
    """What a profiler does during a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


class ProfilerActivity(enum.Enum):
    """Where time is spent."""

    CPU = 0
    XPU = 1
    MTIA = 2
    CUDA = 3
    HPU = 4
    PrivateUse1 = 5


class DeviceType(enum.Enum):
    """Kinds of device, by torch's numbers."""

    CPU = 0
    CUDA = 1
    XPU = 12
    MPS = 13
    Meta = 14


def supported_activities() -> set[ProfilerActivity]:
    """Returns the activities that are recorded: the calls of kernels, on the CPU."""
    return {ProfilerActivity.CPU}


def kineto_available() -> bool:
    """Returns False: the recorder is this package's own."""
    return False


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, skip_first_wait: int = 0
) -> Callable[[int], ProfilerAction]:
    """Returns what to do at each step: wait, warm up, record; over and over, or ``repeat`` times.

    >>> when = schedule(wait=1, warmup=0, active=1)
    >>> when(0).name, when(1).name
    ('NONE', 'RECORD_AND_SAVE')
    """
    if min(wait, warmup, repeat, skip_first) < 0 or active < 1:
        raise AssertionError(
            f"Invalid profiler schedule arguments. Got wait={wait} (need >= 0), warmup={warmup} (need >= 0), "
            f"active={active} (need > 0), repeat={repeat} (need >= 0), skip_first={skip_first} (need >= 0)."
        )

    def action(step: int) -> ProfilerAction:
        if step < 0:
            raise AssertionError(f"Step must be non-negative. Got {step}.")
        if step < skip_first:
            return ProfilerAction.NONE
        step -= skip_first
        if skip_first_wait:
            step += wait
        cycle, place = divmod(step, wait + warmup + active)
        if repeat and cycle >= repeat:
            return ProfilerAction.NONE
        if place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if place < wait + warmup + active - 1 else ProfilerAction.RECORD_AND_SAVE

    return action


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False, use_python_export: bool = False
) -> Callable[[profile], None]:
    """Returns an ``on_trace_ready`` that writes each trace into a directory, which it makes.

    NotImplementedError for ``use_gzip``.
    """
    if use_gzip:
        raise NotImplementedError("traces are written as plain text: use_gzip=False")

    def handler(prof: profile) -> None:
        os.makedirs(dir_name, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        prof.export_chrome_trace(os.path.join(dir_name, f"{worker}.{time.time_ns()}.pt.trace.json"))

    return handler


class ExecutionTraceObserver:
    """Refuses: NotImplementedError, for only times are recorded, not a graph that could be run again."""

    def __init__(self) -> None:
        raise NotImplementedError("execution traces are not recorded; profile(...).export_chrome_trace() has the times")


_RECORDING = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


class profile:
    """Times the kernel calls of a program, all or by a schedule of steps.

    Memory, stacks, modules and FLOPs are not counted; asking for them changes nothing. Calls on a device are timed
    where they are launched.

    >>> with profile() as p:
    ...     with record_function("mine"):
    ...         pass
    >>> p.key_averages()[0].key
    'mine'
    """

    def __init__(
        self,
        *,
        activities: Iterable[Any] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[..., Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        with_modules: bool = False,
        experimental_config: Any = None,
        execution_trace_observer: Any = None,
        acc_events: bool = False,
        use_cuda: bool | None = None,
        custom_trace_id_callback: Any = None,
        post_processing_timeout_s: float | None = None,
    ) -> None:
        self.activities = set(activities) if activities else supported_activities()
        self.schedule = schedule or (lambda step: ProfilerAction.RECORD)
        self.record_steps = schedule is not None
        self.on_trace_ready = on_trace_ready
        self.record_shapes = record_shapes
        self.step_num = 0
        self.current_action = self.schedule(0)
        self._recorder: Recorder | None = None
        self._on = False
        self._step: record_function | None = None

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begins the first step."""
        self._begin()

    def _begin(self) -> None:
        if self.current_action in _RECORDING and not self._on:
            self._recorder = Recorder(self.record_shapes)
            start(self._recorder)
            self._on = True
        if self.record_steps and self._on:
            self._step = record_function(f"ProfilerStep#{self.step_num}")
            self._step.__enter__()

    def _end_step(self) -> None:
        if self._step is not None:
            self._step.__exit__(None, None, None)
            self._step = None

    def _halt(self, ready: bool) -> None:
        if self._on and self._recorder is not None:
            stop(self._recorder)
            self._on = False
            if ready and self.on_trace_ready is not None:
                self.on_trace_ready(self)

    def step(self) -> None:
        """Ends this step and begins the next, doing what the schedule says."""
        self._end_step()
        before = self.current_action
        self.step_num += 1
        self.current_action = self.schedule(self.step_num)
        if before is ProfilerAction.RECORD_AND_SAVE or self.current_action not in _RECORDING:
            self._halt(before is ProfilerAction.RECORD_AND_SAVE)
        self._begin()

    def stop(self) -> None:
        """Ends the last step; what was being recorded is ready."""
        self._end_step()
        self._halt(True)

    def events(self) -> EventList:
        """Returns the calls that were recorded, in the order in which they began."""
        if self._recorder is None:
            raise AssertionError("Profiler must be initialized before getting events")
        return EventList(self._recorder.events)

    def key_averages(self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, **unused: Any) -> EventList:
        """Returns one sum for each name, or for each name and shapes."""
        return self.events().key_averages(group_by_input_shape)

    def export_chrome_trace(self, path: str) -> None:
        """Writes the calls as a file that chrome://tracing and Perfetto read."""
        self.events().export_chrome_trace(path)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """Raises NotImplementedError: stacks are not recorded."""
        raise NotImplementedError("stacks are not recorded")

    def add_metadata(self, key: str, value: str) -> None:
        """Does nothing: traces carry no remarks."""

    add_metadata_json = add_metadata
