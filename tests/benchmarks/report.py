"""The page of figures: the table of groups, every case, the machine, the versions, the day."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.figures import GroupFigure
from tests.benchmarks.ratio import Figure
from tests.benchmarks.reasons import reason

__all__ = ["PAGE", "page", "summary", "table"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if value < 1000 else f"{value:.0f}"


def summary(groups: Sequence[GroupFigure]) -> str:
    """Returns the groups as a Markdown table."""
    rows = ["| group | backend | ratio | limit | worst case | reached |", "|---|---|--:|--:|---|---|"]
    for g in groups:
        if not g.figures:
            rows.append(f"| {g.group.name} | {g.backend} | | {g.limit:g} | | **not measured** |")
            continue
        bound = "" if g.group.worst is None else f" (limit {g.group.worst:g})"
        worst = f"{g.worst.name}: {_number(g.worst.ratio)}{bound}" if len(g.figures) > 1 else ""
        reached = "yes" if g.reached else "**no**"
        rows.append(f"| {g.group.name} | {g.backend} | {g.mean:.2f} | {g.limit:g} | {worst} | {reached} |")
    return "\n".join(rows)


def table(figures: Sequence[Figure]) -> str:
    """Returns figures as a Markdown table."""
    rows = ["| what | ours, us | other, us | other | ratio | limit | reached |", "|---|--:|--:|---|--:|--:|---|"]
    for f in figures:
        reached = "" if f.limit is None else "yes" if f.reached else "**no**"
        limit = "" if f.limit is None else f"{f.limit:g}"
        rows.append(
            f"| {f.name} | {_number(f.ours)} | {_number(f.theirs)} | {f.other} | {_number(f.ratio)} | {limit} | "
            f"{reached} |"
        )
    return "\n".join(rows)


def _cases(groups: Sequence[GroupFigure]) -> str:
    """Returns every case of the groups that have several."""
    parts = []
    for g in groups:
        rows = ["| case | ours, us | torch, us | ratio |", "|---|--:|--:|--:|"]
        rows += [f"| {f.name} | {_number(f.ours)} | {_number(f.theirs)} | {_number(f.ratio)} |" for f in g.figures]
        missing = [f"\nNot measured: {why}" for why in g.failed]
        parts.append("\n".join([f"### {g.group.name}, {g.backend}", "", *rows, *missing]))
    return "\n\n".join(parts)


def _reasons(groups: Sequence[GroupFigure], singles: Sequence[Figure]) -> str:
    """Returns what is known about each figure beyond its limit, and the cases of a group that are beyond theirs."""
    parts = []
    for g in groups:
        if g.reached:
            continue
        beyond = [f for f in g.figures if g.group.worst is not None and f.value > g.group.worst]
        cases = ", ".join(f"{f.name} {_number(f.ratio)}" for f in sorted(beyond, key=lambda f: -f.value))
        named = f" Beyond {_number(g.group.worst)}: {cases}." if beyond else ""
        parts.append(f"- **{g.group.name}, {g.backend}.**{named} {reason(g.group.name, g.backend)}")
    parts += [f"- **{f.name}.** {reason(f.name)}" for f in singles if not f.reached]
    return "\n".join(parts) or "Everything is reached."


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(name: str) -> str:
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return f"no {name}"


def page(groups: Sequence[GroupFigure], singles: Sequence[Figure]) -> str:
    """Returns the whole page."""
    versions = ", ".join(_version(name) for name in ("numpy", "torch", "jax"))
    return f"""# Benchmarks

What calls and training steps cost beside PyTorch, as ratios of times. Written by `python -m tests.benchmarks`: each
library runs in a process of its own, as its user would have it, on one thread; the two take turns, their values are
compared, and the least of many short runs counts. A group's ratio is the geometric mean of its cases. `numpy` runs
eagerly, `onednn` is the same with that plugin, `jax` runs as a compiled step; PyTorch runs eagerly.
`pytest -m bench tests/benchmarks` holds the limits.

{summary(groups)}

{table(singles)}

A figure whose name ends in (us) is a time with a limit in microseconds, one that ends in (MB) compares sizes, the
others are ratios of times.

Taken on {datetime.date.today().isoformat()}, {_processor()}, {os.cpu_count()} cores, one thread; Python
{platform.python_version()}, {versions}.

## What is not reached, and why

{_reasons(groups, singles)}

## Every case

{_cases(groups)}
"""
