"""Kernel hooks on real ops: an override and a wrapper act on `x + y`, `x.add_(y)`, in a layer and in backward, and
go again."""

import contextlib
import functools
from collections import Counter

import pytest

import dispatchtorch as torch
from dispatchtorch import nn
from dispatchtorch.plugin import hookimpl
from dispatchtorch.plugin.manager import manager


@pytest.fixture(params=["numpy", "jax"], autouse=True)
def backend(request):
    pytest.importorskip(request.param)
    with torch.use_backend(request.param):
        yield request.param


@contextlib.contextmanager
def registered(plugin):
    manager().register(plugin, "on-ops")
    try:
        yield plugin
    finally:
        manager().unregister(plugin)


class Counting:
    """Counts the calls of every kernel."""

    def __init__(self):
        self.calls = Counter()

    @hookimpl
    def dispatchtorch_wrap_kernel(self, op, kernel):
        @functools.wraps(kernel)
        def counting(*args):
            self.calls[op] += 1
            return kernel(*args)

        return counting


class Idle:
    """Is asked about every kernel and wraps none."""

    asked = 0

    @hookimpl
    def dispatchtorch_wrap_kernel(self, op, backend, kernel):
        self.asked += 1


class Replacing:
    """Puts a kernel of its own in place of one op's."""

    def __init__(self, op, kernel):
        self.op, self.kernel = op, kernel

    @hookimpl
    def dispatchtorch_kernel(self, op):
        return self.kernel if op == self.op else None


def counted(plugin, act):
    before = plugin.calls.copy()
    act()
    return plugin.calls - before


def test_a_wrapper_sees_forward_in_place_layers_and_backward():
    x, y = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])
    layer = nn.Linear(2, 2)
    (x + y, x.add_(y), layer(x).sum().backward())  # plans exist before the plugin comes
    with registered(Counting()) as plugin:
        assert counted(plugin, lambda: x + y) == {"add": 1}
        assert counted(plugin, lambda: torch.add(x, y)) == {"add": 1}
        assert counted(plugin, lambda: x.add_(y)) == {"add": 1}
        assert sum(counted(plugin, lambda: layer(x)).values()) >= 1
        loss = layer(x).sum()
        assert sum(counted(plugin, loss.backward).values()) >= 1
    assert not counted(plugin, lambda: (x + y, x.add_(y), layer(x).sum().backward()))


def test_an_override_serves_forward_in_place_and_backward():
    x, y = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0, 4.0])
    assert (x * y).tolist() == [3.0, 8.0]
    y.clone().mul_(y)
    with registered(Replacing("mul", lambda a, b, *out: a * b * 100)):
        assert (x * y).tolist() == [300.0, 800.0]
        assert torch.mul(y, 2).tolist() == [600.0, 800.0]
        assert y.clone().mul_(y).tolist() == [900.0, 1600.0]
        (x * y).sum().backward()
        assert x.grad.tolist() == [300.0, 400.0]
    x.grad = None
    assert (x * y).tolist() == [3.0, 8.0]
    assert y.clone().mul_(y).tolist() == [9.0, 16.0]
    (x * y).sum().backward()
    assert x.grad.tolist() == [3.0, 4.0]


def test_an_override_serves_layers():
    layer = nn.Linear(2, 3)
    x = torch.tensor([[1.0, 2.0]])
    want = layer(x).tolist()
    with registered(Counting()) as plugin:
        (op,) = {name for name in counted(plugin, lambda: layer(x)) if "linear" in name or "addmm" in name}
    with registered(Replacing(op, lambda *arrays: arrays[0] @ arrays[1].T * 0 + 7.0)):
        assert layer(x).tolist() == [[7.0, 7.0, 7.0]]
    assert layer(x).tolist() == want


def test_an_override_is_wrapped_too():
    x = torch.tensor([1.0, 2.0])
    manager().register(counter := Counting(), "counter")
    try:
        with registered(Replacing("mul", lambda a, b, *out: a * b * 10)):
            assert (x * x).tolist() == [10.0, 40.0]
        assert counter.calls["mul"] == 1
    finally:
        manager().unregister(counter)


def test_views_and_writes_through_them_are_served_too():
    with registered(Counting()) as plugin:
        x = torch.zeros(2, 3)
        got = counted(plugin, lambda: x.t()[1].add_(5.0))
        assert got["add"] == 1
        assert x.tolist() == [[0.0, 5.0, 0.0], [0.0, 5.0, 0.0]]


def test_a_plugin_that_wraps_nothing_is_asked_once_a_plan_and_leaves_the_same_plans():
    x, y = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])
    x + y
    with registered(Idle()) as plugin:
        x + y
        asked = plugin.asked
        assert asked >= 1
        for _ in range(10):
            x + y
        assert plugin.asked == asked


def test_a_kernel_that_fails_leaves_the_tensor_as_it_was():
    def broken(*args):
        raise RuntimeError("the kernel is broken")

    x, y = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])
    with registered(Replacing("add", broken)), pytest.raises(RuntimeError, match="the kernel is broken"):
        x.add_(y)
    assert x.tolist() == [1.0, 2.0]
    assert x._version == 0
    assert x.add_(y).tolist() == [4.0, 6.0]
