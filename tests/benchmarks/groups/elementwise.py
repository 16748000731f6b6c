"""One function of each element, from a thousand elements to ten million."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.benchmarks.case import Act, Group

__all__ = ["ELEMENTWISE", "SIZES"]

SIZES = (1_000, 100_000, 1_000_000, 10_000_000)
ELEMENTWISE = Group("elementwise", {"numpy": 0.7}, worst=3.0)


def _acts(torch: Any) -> dict[str, Callable[[Any, Any], object]]:
    f = torch.nn.functional
    return {
        "x + y": lambda x, y: x + y,
        "x * 2": lambda x, y: x * 2,
        "x / y": lambda x, y: x / y,
        "x.add_(y, alpha=0)": lambda x, y: x.add_(y, alpha=0.0),
        "exp": lambda x, y: x.exp(),
        "log": lambda x, y: y.log(),
        "sqrt": lambda x, y: y.sqrt(),
        "tanh": lambda x, y: x.tanh(),
        "sigmoid": lambda x, y: x.sigmoid(),
        "relu": lambda x, y: x.relu(),
        "gelu": lambda x, y: f.gelu(x),
        "gelu, tanh": lambda x, y: f.gelu(x, approximate="tanh"),
        "silu": lambda x, y: f.silu(x),
        "x ** 2": lambda x, y: x**2,
        "clamp": lambda x, y: x.clamp(-1, 1),
        "x > y": lambda x, y: x > y,
        "where": lambda x, y: torch.where(x > 0, x, y),
        "to float64": lambda x, y: x.double(),
        "addcmul": lambda x, y: torch.addcmul(x, x, y),
        "lerp": lambda x, y: torch.lerp(x, y, 0.3),
    }


def _case(name: str, size: int) -> None:
    @ELEMENTWISE.case(f"{name}, {size:.0e}".replace("e+0", "e"))
    def _(torch: Any) -> Act:
        torch.manual_seed(0)
        x, y = torch.randn(size), torch.rand(size) + 0.1
        act = _acts(torch)[name]
        return lambda: act(x, y)


class _Names:
    """Stands for a torch module while the names are listed."""

    nn = type("nn", (), {"functional": None})


for _name in _acts(_Names):
    for _size in SIZES:
        _case(_name, _size)
