"""What is measured: each case builds, for a torch module, the act that is timed; numpy stands in where torch is
absent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

__all__ = ["CASES", "Case"]

Act = Callable[[], object]


class Case:
    """A figure to reach: its name, the act for a torch module, the act in plain numpy, and the greatest ratio
    allowed."""

    def __init__(self, name: str, limit: float, make: Callable[[Any], Act], plain: Callable[[], Act] | None) -> None:
        self.name = name
        self.limit = limit
        self.make = make
        self.plain = plain


CASES: list[Case] = []


def case(name: str, limit: float, plain: Callable[[], Act] | None = None) -> Callable[[Callable[[Any], Act]], None]:
    """Declares a case."""
    return lambda make: CASES.append(Case(name, limit, make, plain))


def _numpy_add(n: int) -> Callable[[], Act]:
    def make() -> Act:
        x, y = numpy.ones(n, "f4"), numpy.ones(n, "f4")
        return lambda: x + y

    return make


@case("x + y, 1 float", 0.7, _numpy_add(1))
def _(torch: Any) -> Act:
    x, y = torch.ones(1), torch.ones(1)
    return lambda: x + y


@case("x + y, 100 floats", 0.7, _numpy_add(100))
def _(torch: Any) -> Act:
    x, y = torch.ones(100), torch.ones(100)
    return lambda: x + y


@case("x + y, 1 float, requires_grad", 0.7)
def _(torch: Any) -> Act:
    x, y = torch.ones(1, requires_grad=True), torch.ones(1)
    return lambda: x + y


@case("x + y, 100 floats, requires_grad", 0.7)
def _(torch: Any) -> Act:
    x, y = torch.ones(100, requires_grad=True), torch.ones(100)
    return lambda: x + y


@case("40 scalar ops in a chain, with backward", 0.6)
def _(torch: Any) -> Act:
    x = torch.tensor(0.5, requires_grad=True)

    def chain() -> None:
        y = x
        for _ in range(20):
            y = y * 1.01
            y = y + x
        y.backward()
        x.grad = None

    return chain


@case("nn.Linear(8, 8), forward", 0.8)
def _(torch: Any) -> Act:
    layer, x = torch.nn.Linear(8, 8), torch.ones(4, 8)
    return lambda: layer(x)


@case("x.view(5, 20)", 1.0, lambda: numpy.ones(100, "f4").reshape(5, 20).copy)
def _(torch: Any) -> Act:
    x = torch.ones(100)
    return lambda: x.view(5, 20)


@case("x[0]", 1.0)
def _(torch: Any) -> Act:
    x = torch.ones(5, 20)
    return lambda: x[0]


@case("x.add_(y), 100 floats", 1.0)
def _(torch: Any) -> Act:
    x, y = torch.zeros(100), torch.zeros(100)
    return lambda: x.add_(y)


def _numpy_product() -> Act:
    a, b = numpy.ones((8, 8), "f4"), numpy.ones((8, 8), "f4")
    return lambda: a @ b


@case("a @ b, 8x8", 1.0, _numpy_product)
def _(torch: Any) -> Act:
    a, b = torch.ones(8, 8), torch.ones(8, 8)
    return lambda: a @ b
