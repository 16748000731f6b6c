"""Ops whose results have another shape for every example: they cannot be mapped."""

from __future__ import annotations

from typing import Any

from dispatchtorch.batching.errors import DynamicShapeError
from dispatchtorch.batching.rules.layout import rule
from dispatchtorch.dispatch.op import Op

__all__: list[str] = []


@rule("_nonzero", "_unique", "_unique_consecutive")
def refuse(op: Op, size: int, *args: Any) -> Any:
    """Raises torch's error."""
    raise DynamicShapeError(op.name.strip("_"))
