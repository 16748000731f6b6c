"""Calls on a few numbers: what is timed is the way to the kernel and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from tests.benchmarks.case import Act, Group

__all__ = ["SMALL"]

SMALL = Group("small-op overhead", {"numpy": 0.6}, worst=1.0)


def _numpy_add() -> Act:
    x, y = numpy.ones(100, "f4"), numpy.ones(100, "f4")
    return lambda: x + y


def _numpy_product() -> Act:
    a, b = numpy.ones((8, 8), "f4"), numpy.ones((8, 8), "f4")
    return lambda: a @ b


@SMALL.case("x + y, 1 float")
def _(torch: Any) -> Act:
    x, y = torch.ones(1), torch.ones(1)
    return lambda: x + y


@SMALL.case("x + y, 100 floats", plain=_numpy_add)
def _(torch: Any) -> Act:
    x, y = torch.ones(100), torch.ones(100)
    return lambda: x + y


@SMALL.case("x + y, 100 floats, requires_grad")
def _(torch: Any) -> Act:
    x, y = torch.ones(100, requires_grad=True), torch.ones(100)
    return lambda: x + y


@SMALL.case("x.add_(y), 100 floats", compare=False)
def _(torch: Any) -> Act:
    x, y = torch.zeros(100), torch.zeros(100)
    return lambda: x.add_(y)


def _chain(torch: Any, times: int) -> Act:
    x = torch.tensor(0.5, requires_grad=True)

    def chain() -> object:
        y = x
        for _ in range(times):
            y = y * 1.01
            y = y + x
        x.grad = None
        y.backward()
        return x.grad

    return chain


@SMALL.case("chain of 40 scalar ops, with backward")
def _(torch: Any) -> Act:
    return _chain(torch, 20)


@SMALL.case("backward of 20 ops")
def _(torch: Any) -> Act:
    x = torch.linspace(0.1, 1, 16, requires_grad=True)
    y = x
    for _ in range(5):
        y = (y * 1.01 + x).tanh().exp()
    last = y.sum()

    def backward() -> object:
        x.grad = None
        last.backward(retain_graph=True)
        return x.grad

    return backward


@SMALL.case("nn.Linear(8, 8), forward")
def _(torch: Any) -> Act:
    torch.manual_seed(0)
    layer, x = torch.nn.Linear(8, 8), torch.ones(4, 8)
    return lambda: layer(x)


@SMALL.case("a @ b, 8x8", plain=_numpy_product)
def _(torch: Any) -> Act:
    a, b = torch.ones(8, 8), torch.ones(8, 8)
    return lambda: a @ b


@SMALL.case("x.view(5, 20)")
def _(torch: Any) -> Act:
    x = torch.ones(100)
    return lambda: x.view(5, 20)


@SMALL.case("x[0]")
def _(torch: Any) -> Act:
    x = torch.ones(5, 20)
    return lambda: x[0]


@SMALL.case("x[:, 2:5]")
def _(torch: Any) -> Act:
    x = torch.ones(5, 20)
    return lambda: x[:, 2:5]


@SMALL.case("softmax of 10")
def _(torch: Any) -> Act:
    x = torch.linspace(0, 1, 10)
    return lambda: torch.softmax(x, -1)


@SMALL.case("x.sum(), 100 floats")
def _(torch: Any) -> Act:
    x = torch.ones(100)
    return lambda: x.sum()


@SMALL.case("relu, 100 floats")
def _(torch: Any) -> Act:
    x = torch.linspace(-1, 1, 100)
    return lambda: torch.relu(x)


def _tensor_of(what: Any) -> Callable[[Any], Act]:
    return lambda torch: lambda: torch.tensor(what)


SMALL.case("tensor(1.5)")(_tensor_of(1.5))
SMALL.case("tensor([1., 2., 3.])")(_tensor_of([1.0, 2.0, 3.0]))


@SMALL.case("x[i], three indices")
def _(torch: Any) -> Act:
    x, i = torch.arange(20.0), torch.tensor([3, 1, 2])
    return lambda: x[i]


@SMALL.case("cat of two")
def _(torch: Any) -> Act:
    x, y = torch.ones(10), torch.ones(10)
    return lambda: torch.cat([x, y])


@SMALL.case("x == y, 100 floats")
def _(torch: Any) -> Act:
    x, y = torch.ones(100), torch.ones(100)
    return lambda: x == y
