"""Many numbers to few, from a thousand elements to ten million: all at once, along rows, along columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.benchmarks.case import Act, Group
from tests.benchmarks.groups.elementwise import SIZES

__all__ = ["REDUCTION"]

REDUCTION = Group("reduction", {"numpy": 0.8}, worst=3.0)

_ACTS: dict[str, Callable[[Any, Any], object]] = {
    "sum": lambda torch, x: x.sum(),
    "sum of rows": lambda torch, x: x.sum(1),
    "sum of columns": lambda torch, x: x.sum(0),
    "mean of rows": lambda torch, x: x.mean(1),
    "var of rows": lambda torch, x: x.var(1),
    "max": lambda torch, x: x.max(),
    "max of rows, with indices": lambda torch, x: x.max(1)[0],
    "argmax of rows": lambda torch, x: x.argmax(1),
    "norm": lambda torch, x: x.norm(),
    "softmax of rows": lambda torch, x: torch.softmax(x, 1),
    "log_softmax of rows": lambda torch, x: torch.log_softmax(x, 1),
    "logsumexp of rows": lambda torch, x: torch.logsumexp(x, 1),
    "cumsum of rows": lambda torch, x: x.cumsum(1),
    "any": lambda torch, x: (x > 9).any(),
}


def _case(name: str, size: int) -> None:
    @REDUCTION.case(f"{name}, {size:.0e}".replace("e+0", "e"))
    def _(torch: Any) -> Act:
        torch.manual_seed(0)
        columns = 100 if size < 1_000_000 else 1000
        x, act = torch.randn(size // columns, columns), _ACTS[name]
        return lambda: act(torch, x)


for _name in _ACTS:
    for _size in SIZES:
        _case(_name, _size)
