"""All figures: the cases beside torch, the same with an idle plugin, eager calls on an immutable library, and
imports."""

from __future__ import annotations

import importlib.util
from typing import Any

import dispatchtorch
from dispatchtorch.plugin import hookimpl
from dispatchtorch.plugin.manager import manager
from tests.benchmarks.cases import CASES, Case
from tests.benchmarks.imports import import_times
from tests.benchmarks.ratio import Figure, measure

__all__ = ["all_figures", "case_figure", "eager_figure", "idle_figure", "import_figures", "oracle"]

_EAGER = "jax"


def oracle() -> Any:
    """PyTorch, held to one thread, or None where it is not installed."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    torch.set_num_threads(1)
    return torch


def case_figure(case: Case, torch: Any) -> Figure:
    """Ours beside torch; beside plain numpy, without a limit, where there is no torch."""
    with dispatchtorch.use_backend("numpy"):
        ours = case.make(dispatchtorch)
        if torch is not None:
            mine, theirs = measure(ours, case.make(torch))
            return Figure(case.name, mine, theirs, "torch", case.limit)
        mine, theirs = measure(ours, case.plain() if case.plain else None)
    return Figure(case.name, mine, theirs, "numpy", None)


class Idle:
    """A plugin that is asked about each kernel and wraps none."""

    @hookimpl
    def dispatchtorch_wrap_kernel(self, op: str, backend: str, kernel: Any) -> None:
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


def import_figures() -> list[Figure]:
    """import dispatchtorch: milliseconds beyond Python's own start, and beside numpy's import."""
    times = import_times()
    own = 1e6 * (times["dispatchtorch"] - times["python"])
    other = 1e6 * (times["numpy"] - times["python"])
    return [
        Figure("import dispatchtorch beyond Python's own start (us)", own, None, "", 200_000.0),
        Figure("import dispatchtorch", own, other, "import numpy", 1.5),
    ]


def all_figures() -> list[Figure]:
    """Every figure, in the order of the table."""
    torch = oracle()
    found = [case_figure(case, torch) for case in CASES]
    found.append(idle_figure())
    eager = eager_figure()
    return [*found, *([eager] if eager is not None else []), *import_figures()]
