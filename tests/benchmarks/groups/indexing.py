"""Picking, placing and moving elements, from a thousand to ten million."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.benchmarks.case import Act, Group
from tests.benchmarks.groups.elementwise import SIZES

__all__ = ["INDEXING"]

INDEXING = Group("indexing", {"numpy": 0.75}, worst=3.0)


def _put(x: Any, rows: Any, values: Any) -> object:
    x[rows] = values
    return x


# what each gets: torch, x of (rows, 100), indices of rows (as many as there are rows), indices for gather, a mask
_ACTS: dict[str, Callable[..., object]] = {
    "x[rows]": lambda torch, x, rows, at, mask: x[rows],
    "x[rows] = x": lambda torch, x, rows, at, mask: _put(x.clone(), torch.arange(len(x)), x),
    "index_select": lambda torch, x, rows, at, mask: x.index_select(0, rows),
    "gather": lambda torch, x, rows, at, mask: x.gather(1, at),
    "scatter_add": lambda torch, x, rows, at, mask: torch.zeros_like(x).scatter_add_(1, at, x),
    "index_add": lambda torch, x, rows, at, mask: torch.zeros_like(x).index_add_(0, rows, x),
    "x[mask]": lambda torch, x, rows, at, mask: x[mask],
    "masked_fill": lambda torch, x, rows, at, mask: x.masked_fill(mask, 0.0),
    "nonzero": lambda torch, x, rows, at, mask: mask.nonzero(),
    "embedding": lambda torch, x, rows, at, mask: torch.nn.functional.embedding(rows, x),
    "cat": lambda torch, x, rows, at, mask: torch.cat([x, x], 1),
    "stack": lambda torch, x, rows, at, mask: torch.stack([x, x]),
    "x[:, ::2] copied": lambda torch, x, rows, at, mask: x[:, ::2].contiguous(),
    "x.t() copied": lambda torch, x, rows, at, mask: x.t().contiguous(),
    "flip": lambda torch, x, rows, at, mask: x.flip(1),
    "roll": lambda torch, x, rows, at, mask: x.roll(1, 0),
    "repeat": lambda torch, x, rows, at, mask: x.repeat(1, 2),
    "tril": lambda torch, x, rows, at, mask: x.tril(),
    "one_hot": lambda torch, x, rows, at, mask: torch.nn.functional.one_hot(rows % 100, 100),
}


def _case(name: str, size: int) -> None:
    @INDEXING.case(f"{name}, {size:.0e}".replace("e+0", "e"))
    def _(torch: Any) -> Act:
        torch.manual_seed(0)
        x, act = torch.randn(size // 100, 100), _ACTS[name]
        rows = torch.randint(0, len(x), (len(x),))
        at = torch.randint(0, 100, x.shape)
        mask = x > 0
        return lambda: act(torch, x, rows, at, mask)


for _name in _ACTS:
    for _size in SIZES:
        _case(_name, _size)
