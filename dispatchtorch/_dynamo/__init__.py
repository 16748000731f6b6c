"""``torch._dynamo``: the few marks that libraries set there. What they mean is said in the room of the compiler."""

from __future__ import annotations

from typing import Any

from dispatchtorch.compiler.compiled import reset
from dispatchtorch.compiler.entry import OptimizedModule, explain, list_backends
from dispatchtorch.compiler.marks import allow_in_graph, assume_constant_result, disable, is_compiling, set_stance
from dispatchtorch.dispatch.tracing import tracing

__all__ = [
    "OptimizedModule", "allow_in_graph", "assume_constant_result", "disable", "explain", "graph_break", "is_compiling",
    "list_backends", "mark_dynamic", "mark_static", "mark_static_address", "maybe_mark_dynamic", "reset", "set_stance",
]  # fmt: skip


def graph_break(msg: str = "") -> None:
    """Has the call that is being traced run eagerly; does nothing else."""
    if tracing.now is not None:
        tracing.now.refuse(f"torch._dynamo.graph_break({msg!r})")


def mark_dynamic(t: Any, index: Any, **bounds: Any) -> None:
    """Does nothing: which sizes change is seen when they do."""


maybe_mark_dynamic = mark_dynamic


def mark_static(t: Any, index: Any = None) -> None:
    """Does nothing: which sizes change is seen when they do."""


def mark_static_address(t: Any, guard: bool = False) -> None:
    """Does nothing: no compiled code holds on to where a tensor lies."""
