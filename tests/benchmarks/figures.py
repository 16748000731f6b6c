"""All figures: groups of cases beside torch, the same call with an idle plugin, eager calls on an immutable library,
and what a library costs before it does anything."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import dispatchtorch
from dispatchtorch.plugin import hookimpl
from dispatchtorch.plugin.manager import manager
from dispatchtorch_onednn.library import load
from tests.benchmarks.case import Group
from tests.benchmarks.groups import GROUPS
from tests.benchmarks.ratio import Figure, measure
from tests.benchmarks.turns import Turns, WrongValueError

__all__ = ["KINDS", "GroupFigure", "eager_figure", "group_figures", "idle_figure", "other_library"]

_EAGER = "jax"
KINDS = ("numpy", "onednn", "jax")


@dataclass(frozen=True)
class GroupFigure:
    """A group on one backend: its cases' figures, and what could not be measured."""

    group: Group
    backend: str
    figures: list[Figure]
    failed: list[str]

    @property
    def mean(self) -> float:
        """The geometric mean of the ratios."""
        ratios = [f.ratio for f in self.figures if f.ratio is not None]
        return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else math.nan

    @property
    def worst(self) -> Figure:
        """The case with the greatest ratio."""
        return max(self.figures, key=lambda f: f.ratio or 0.0)

    @property
    def limit(self) -> float:
        """The greatest mean that is allowed."""
        return self.group.limits[self.backend]

    @property
    def reached(self) -> bool:
        """Whether the mean and every case are within their limits, and all were measured."""
        if self.failed or not self.figures or self.mean > self.limit:
            return False
        return self.group.worst is None or self.worst.value <= self.group.worst


def other_library() -> str:
    """Returns what is compared with: torch, or plain numpy where it is not installed."""
    return "plain" if importlib.util.find_spec("torch") is None else "torch"


def _is_there(kind: str) -> bool:
    if kind != "onednn":
        return importlib.util.find_spec(kind) is not None
    try:
        load()
    except ImportError:
        return False
    return True


def group_figures(
    backends: Iterable[str] = KINDS, wanted: Callable[[str, str], bool] = lambda group, case: True
) -> list[GroupFigure]:
    """Returns the figures of all groups whose cases are wanted (by the names of group and case)."""
    found, other = [], other_library()
    for backend in filter(_is_there, backends):
        chosen = [(g, [c for c in g.cases if wanted(g.name, c.name)]) for g in GROUPS if backend in g.limits]
        with Turns(backend, other) as turns:
            for group, cases in chosen:
                if not cases:
                    continue
                result = GroupFigure(group, backend, [], [])
                for case in cases:
                    try:
                        figure = turns.figure(group, case)
                    except (RuntimeError, WrongValueError) as error:
                        result.failed.append(f"{case.name}: {error}")
                        continue
                    if figure is not None:
                        result.figures.append(figure)
                        print(f"{backend}: {group.name}: {case.name}: {figure.value:.2f}", file=sys.stderr, flush=True)
                found.append(result)
    return found


class Idle:
    """A plugin that is asked about each kernel and wraps none."""

    @hookimpl
    def dispatchtorch_wrap_kernel(self, op: str, backend: str, kernel: object) -> None:
        """Returns nothing: the kernel stays as it is."""


def idle_figure() -> Figure:
    """x + y with an idle plugin registered, over x + y without it."""
    best: list[float] = []
    plugin = Idle()
    with dispatchtorch.use_backend("numpy"):
        x, y = dispatchtorch.ones(100), dispatchtorch.ones(100)
        without, with_it = [], []
        for _ in range(20):
            without.append(measure(lambda: x + y, None, repeats=20)[0])
            manager().register(plugin, "idle")
            with_it.append(measure(lambda: x + y, None, repeats=20)[0])
            manager().unregister(plugin)
        best = [min(with_it), min(without)]
    return Figure("x + y with a plugin that wraps nothing", best[0], best[1], "without it", 1.05)


def eager_figure() -> Figure | None:
    """x + y on 100 floats, eagerly, on an immutable library; None where it is not installed."""
    if importlib.util.find_spec(_EAGER) is None:
        return None
    with dispatchtorch.use_backend(_EAGER):
        x, y = dispatchtorch.ones(100), dispatchtorch.ones(100)
        ours, _ = measure(lambda: x + y, None, repeats=300)
    return Figure(f"{_EAGER}: x + y, 100 floats, eager (us)", ours, None, "", 12.0)
