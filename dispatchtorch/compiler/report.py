"""What became of a compiled function's calls, for people: counts, programs, and reasons.

Must not know: how anything is traced.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Counts", "Explanation", "Facts"]


@dataclass
class Counts:
    """How often what happened."""

    eager: int = 0
    traces: int = 0
    runs: int = 0
    fallbacks: list[str] = field(default_factory=list)  # why calls are not traced, with the line
    recompiles: list[str] = field(default_factory=list)  # why one more program was needed


@dataclass(frozen=True)
class Facts:
    """One program: its size, what goes in and out, and what it took to make."""

    arguments: str
    equations: int
    inputs: int
    outputs: int
    donated: int  # arrays whose memory it takes over
    donated_bytes: int
    runs: int
    trace_seconds: float
    compile_seconds: float
    has_backward: bool

    def __str__(self) -> str:
        back = ", and one that goes back" if self.has_backward else ""
        return (
            f"{self.arguments}: {self.equations} steps{back}; {self.inputs} inputs, {self.donated} of them donated "
            f"({self.donated_bytes:,} bytes), {self.outputs} outputs; {self.runs} runs; traced in "
            f"{self.trace_seconds:.2f} s, compiled with the first run in {self.compile_seconds:.2f} s"
        )


@dataclass(frozen=True)
class Explanation:
    """What a function has been compiled to; printed it is a page of text. Some names are those of torch's own."""

    name: str
    graphs: tuple[Facts, ...]
    counts: Counts

    @property
    def graph_count(self) -> int:
        """Returns how many programs there are."""
        return len(self.graphs)

    @property
    def graph_break_count(self) -> int:
        """Returns for how many kinds of calls there is none."""
        return len(self.counts.fallbacks)

    @property
    def break_reasons(self) -> tuple[str, ...]:
        """Returns why."""
        return tuple(self.counts.fallbacks)

    @property
    def op_count(self) -> int:
        """Returns how many steps all programs have."""
        return sum(one.equations for one in self.graphs)

    @property
    def compile_times(self) -> float:
        """Returns how many seconds went into tracing and compiling."""
        return sum(one.trace_seconds + one.compile_seconds for one in self.graphs)

    def __str__(self) -> str:
        counts = self.counts
        lines = [
            f"{self.name}: {self.graph_count} programs; {counts.runs} calls ran as one, {counts.eager} ran eagerly",
            *[f"  program {i}: {one}" for i, one in enumerate(self.graphs)],
            *[f"  compiled again: {why}" for why in counts.recompiles],
            *[f"  runs eagerly: {why}" for why in counts.fallbacks],
        ]
        return "\n".join(lines)
