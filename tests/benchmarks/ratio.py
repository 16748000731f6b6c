"""Measures two functions in turns and gives the ratio of their best times.

Other work on the machine only ever makes a run longer, so the least of many short runs is what the code costs; turns
make sure
that both had the same machine. A figure is a ratio within one process, never two times from different ones.
"""

from __future__ import annotations

import gc
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Figure", "measure", "one_thread"]

Act = Callable[[], object]


@dataclass(frozen=True)
class Figure:
    """One line of the table: our best time, the other's, in microseconds, and the ratio that was aimed at."""

    name: str
    ours: float
    theirs: float | None
    other: str
    limit: float | None

    @property
    def ratio(self) -> float | None:
        """Our time over the other's."""
        return None if self.theirs is None else self.ours / self.theirs

    @property
    def value(self) -> float:
        """What the limit is about: the ratio, or our time where there is no other."""
        return self.ours if self.ratio is None else self.ratio

    @property
    def reached(self) -> bool:
        """Whether the figure is within its limit."""
        return self.limit is None or self.value <= self.limit


def one_thread() -> None:
    """Holds numerical libraries to one thread; has to be called before they are imported."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    if "OPENBLAS_CORETYPE" in os.environ:
        warnings.warn("OPENBLAS_CORETYPE is set: products of matrices are not those of this machine", stacklevel=2)


def _once(act: Act, loops: int) -> float:
    turns = range(loops)
    begin = time.perf_counter()
    for _ in turns:
        act()
    return (time.perf_counter() - begin) / loops


def measure(ours: Act, theirs: Act | None, *, repeats: int = 200, run: float = 2e-4) -> tuple[float, float | None]:
    """The least time of one call of each, in microseconds, over ``repeats`` turns of about ``run`` seconds."""
    acts = [ours] if theirs is None else [ours, theirs]
    for act in acts:
        _once(act, 3)  # plans are made, code is specialised
        _once(act, 50)
    loops = [max(1, int(run / max(_once(act, 5), 1e-9))) for act in acts]
    best = [float("inf")] * len(acts)
    enabled = gc.isenabled()
    gc.disable()
    try:
        for turn in range(repeats):
            for i in range(len(acts)) if turn % 2 else reversed(range(len(acts))):
                best[i] = min(best[i], _once(acts[i], loops[i]))
            if turn % 20 == 0:
                gc.collect()
    finally:
        if enabled:
            gc.enable()
    return best[0] * 1e6, best[1] * 1e6 if theirs is not None else None
