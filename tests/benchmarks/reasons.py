"""Why a figure is beyond its limit, from profiles, and what it would take: printed beside the figures that are.

A reason says where the time goes; it holds for as long as nobody has found a way around it.
"""

from __future__ import annotations

from typing import Final

__all__ = ["REASONS", "reason"]

REASONS: Final[dict[tuple[str, str], str]] = {}


def reason(name: str, backend: str = "") -> str:
    """Returns what is known about a group on a backend, or about a single figure; says so where nothing is."""
    return REASONS.get((name, backend), "Not looked into.")
