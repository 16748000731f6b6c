"""The page of figures: the table, the machine, the versions, the day."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.ratio import Figure

__all__ = ["PAGE", "page", "table"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if value < 1000 else f"{value:.0f}"


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    rows = ["| what | ours, us | other, us | other | ratio | limit | reached |", "|---|--:|--:|---|--:|--:|---|"]
    for f in figures:
        reached = "" if f.limit is None else "yes" if f.reached else "**no**"
        limit = "" if f.limit is None else f"{f.limit:g}"
        rows.append(
            f"| {f.name} | {_number(f.ours)} | {_number(f.theirs)} | {f.other} | {_number(f.ratio)} | {limit} | "
            f"{reached} |"
        )
    return "\n".join(rows)


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


def page(figures: Sequence[Figure]) -> str:
    """The whole page."""
    versions = ", ".join(_version(name) for name in ("numpy", "torch", "jax"))
    return f"""# Benchmarks

What one small call costs, beside PyTorch. Written by `python -m tests.benchmarks`, which measures both in turns in one
process on one thread and takes the least of many runs; `pytest -m bench tests/benchmarks` holds the limits.

{table(figures)}

A figure whose name ends in (us) is a time with a limit in microseconds, the others are ratios.

Taken on {datetime.date.today().isoformat()}, {_processor()}, {os.cpu_count()} cores, one thread; Python
{platform.python_version()}, {versions}.
"""
