"""``torch._dynamo``: the few marks that libraries set there. What they mean is said in the room of the compiler."""

from __future__ import annotations

from typing import Any

from dispatchtorch.compiler.marks import allow_in_graph, assume_constant_result, disable, is_compiling, reset

__all__ = [
    "allow_in_graph", "assume_constant_result", "disable", "graph_break", "is_compiling", "mark_dynamic",
    "mark_static", "mark_static_address", "reset",
]  # fmt: skip


def graph_break(msg: str = "") -> None:
    """Does nothing: a break only means something to what is traced."""


def mark_dynamic(t: Any, index: Any, **bounds: Any) -> None:
    """Does nothing: which sizes change is seen when they do."""


def mark_static(t: Any, index: Any = None) -> None:
    """Does nothing: which sizes change is seen when they do."""


def mark_static_address(t: Any, guard: bool = False) -> None:
    """Does nothing: no compiled code holds on to where a tensor lies."""
