"""What a profiler has seen: single calls, their sums, and tables of them. Knows nothing of kernels."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

__all__ = ["EventList", "FunctionEvent", "FunctionEventAvg"]


def _in_words(us: float) -> str:
    if us >= 1e6:
        return f"{us / 1e6:.3f}s"
    return f"{us / 1e3:.3f}ms" if us >= 1e3 else f"{us:.3f}us"


class _Timed:
    """What single calls and sums share: times in microseconds, and the same in words."""

    key: str
    count: int
    cpu_time_total: float
    self_cpu_time_total: float
    input_shapes: Any
    # There are no counts of these.
    cpu_memory_usage = self_cpu_memory_usage = device_memory_usage = self_device_memory_usage = 0
    device_time_total = self_device_time_total = device_time = cuda_time = cuda_time_total = 0.0
    flops = 0
    use_device: str | None = None
    is_async = is_remote = is_legacy = False
    is_user_annotation: bool = False
    node_id = -1

    @property
    def cpu_time(self) -> float:
        """Returns the microseconds of one call."""
        return self.cpu_time_total / self.count if self.count else 0.0

    @property
    def cpu_time_str(self) -> str:
        """Returns the time of one call in words."""
        return _in_words(self.cpu_time)

    @property
    def cpu_time_total_str(self) -> str:
        """Returns the time in words."""
        return _in_words(self.cpu_time_total)

    @property
    def self_cpu_time_total_str(self) -> str:
        """Returns the time without that of calls inside, in words."""
        return _in_words(self.self_cpu_time_total)


class FunctionEvent(_Timed):
    """One call: when it began and ended, in nanoseconds from the profiler's start, and which calls it made."""

    def __init__(self, id: int, name: str, input_shapes: list[list[int]], thread: int) -> None:
        self.id = id
        self.name = self.key = name
        self.input_shapes = input_shapes
        self.thread = thread
        self.start = self.end = 0
        self.count = 1
        self.cpu_parent: FunctionEvent | None = None
        self.cpu_children: list[FunctionEvent] = []

    @property
    def cpu_time_total(self) -> float:  # type: ignore[override]  # computed here, kept in a sum
        """Returns the microseconds from beginning to end."""
        return (self.end - self.start) / 1000

    @property
    def self_cpu_time_total(self) -> float:  # type: ignore[override]  # as above
        """Returns the microseconds without those of the calls inside."""
        return self.cpu_time_total - sum(child.cpu_time_total for child in self.cpu_children)

    def __repr__(self) -> str:
        inside = [child.id for child in self.cpu_children]
        return (
            f"<FunctionEvent id={self.id} name={self.name} cpu_time={self.cpu_time_str} start_us={self.start / 1000} "
            f"end_us={self.end / 1000} cpu_children={inside} thread={self.thread} input_shapes={self.input_shapes}>"
        )


class FunctionEventAvg(_Timed):
    """The sum of several calls."""

    def __init__(self, key: str = "Total", input_shapes: Any = None) -> None:
        self.key = key
        self.input_shapes = input_shapes if input_shapes is not None else ""
        self.count = 0
        self.cpu_time_total = 0.0
        self.self_cpu_time_total = 0.0

    def add(self, other: _Timed) -> FunctionEventAvg:
        """Returns the sum after it has taken in another call or sum."""
        self.count += other.count
        self.cpu_time_total += other.cpu_time_total
        self.self_cpu_time_total += other.self_cpu_time_total
        self.is_user_annotation = self.is_user_annotation or other.is_user_annotation
        return self

    def __repr__(self) -> str:
        return (
            f"<FunctionEventAvg key={self.key} self_cpu_time={self.self_cpu_time_total_str} "
            f"cpu_time={self.cpu_time_str}  input_shapes={self.input_shapes}>"
        )


_HEADERS: Final = ("Name", "Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg", "# of Calls")
_SORTS: Final = ("cpu_time", "cpu_time_total", "self_cpu_time_total", "count")


class EventList(list[Any]):
    """Calls or sums of them, which print as a table."""

    @property
    def self_cpu_time_total(self) -> float:
        """Returns the microseconds of all of them together."""
        return float(sum(event.self_cpu_time_total for event in self))

    def key_averages(self, group_by_input_shapes: bool = False, *unused: Any, **also: Any) -> EventList:
        """Returns one sum for each name, or for each name and shapes."""
        sums: dict[Any, FunctionEventAvg] = {}
        for event in self:
            mark = (event.key, str(event.input_shapes) if group_by_input_shapes else "")
            if mark not in sums:
                sums[mark] = FunctionEventAvg(event.key, event.input_shapes if group_by_input_shapes else None)
            sums[mark].add(event)
        return EventList(sums.values())

    def total_average(self) -> FunctionEventAvg:
        """Returns one sum of everything."""
        total = FunctionEventAvg()
        for event in self:
            total.add(event)
        return total

    def table(
        self,
        sort_by: str | None = None,
        row_limit: int = 100,
        max_src_column_width: int = 75,
        max_name_column_width: int = 55,
        max_shapes_column_width: int = 80,
        header: str | None = None,
        top_level_events_only: bool = False,
        time_unit: str | None = None,
    ) -> str:
        """Returns the table as text; ``sort_by`` is "cpu_time", "cpu_time_total", "self_cpu_time_total" or "count".

        ValueError for another word: memory and devices are not counted.
        """
        events: Iterable[Any] = self
        if sort_by is not None:
            if sort_by not in _SORTS:
                raise ValueError(f"cannot sort by {sort_by!r}: what is counted is {', '.join(_SORTS)}")
            events = sorted(self, key=lambda event: getattr(event, sort_by), reverse=True)
        if top_level_events_only:
            events = [event for event in events if getattr(event, "cpu_parent", None) is None]
        shown = list(events)[: row_limit if row_limit >= 0 else None]
        whole = self.self_cpu_time_total or 1.0
        shapes = any(event.input_shapes not in ("", []) for event in self)
        rows = [self._row(event, whole, shapes, max_name_column_width, max_shapes_column_width) for event in shown]
        titles = [*_HEADERS, *(["Input Shapes"] if shapes else [])]
        widths = [max([len(title) + 2, 12, *(len(row[i]) + 2 for row in rows)]) for i, title in enumerate(titles)]
        rule = "  ".join("-" * width for width in widths)
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        head = "  ".join(title.rjust(width) for title, width in zip(titles, widths, strict=True))
        body = "\n".join([rule, head, rule, *lines, rule])
        above = "" if header is None else f"{'=' * len(rule)}\n{header}\n"
        return f"{above}{body}\nSelf CPU time total: {_in_words(self.self_cpu_time_total)}\n"

    def _row(self, event: Any, whole: float, shapes: bool, name_width: int, shapes_width: int) -> list[str]:
        name = event.key if len(event.key) <= name_width else event.key[: name_width - 3] + "..."
        row = [
            name,
            f"{100 * event.self_cpu_time_total / whole:.2f}%",
            event.self_cpu_time_total_str,
            f"{100 * event.cpu_time_total / whole:.2f}%",
            event.cpu_time_total_str,
            event.cpu_time_str,
            str(event.count),
        ]
        return [*row, str(event.input_shapes)[:shapes_width]] if shapes else row

    def export_chrome_trace(self, path: str) -> None:
        """Writes the calls as a file that chrome://tracing and Perfetto read."""
        calls = [
            {"name": e.name, "ph": "X", "ts": e.start / 1000, "dur": e.cpu_time_total, "tid": e.thread, "pid": 0}
            for e in self
        ]
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"traceEvents": calls}, file)

    def __str__(self) -> str:
        return self.table()
