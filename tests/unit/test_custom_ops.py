"""Ops that a plugin declares are ops like any other."""

from __future__ import annotations

import pytest

import dispatchtorch as torch
from dispatchtorch.dispatch.custom import register
from dispatchtorch.dispatch.op import TABLE
from dispatchtorch.plugin import hookimpl
from dispatchtorch.plugin.manager import manager


def cube(input: torch.Tensor) -> torch.Tensor:
    return input * input * input


class Plugin:
    @hookimpl
    def dispatchtorch_ops(self, register):
        register("mine::cube", cube, pointwise=True, grad={"input": lambda g, input: g * 3 * input * input})


@pytest.fixture
def plugin():
    made = Plugin()
    manager().register(made, "mine")
    yield made
    manager().unregister(made)
    TABLE.pop("mine::cube", None)
    vars(torch.ops).pop("mine", None)


def test_an_op_of_a_plugin_is_found_and_differentiates(plugin):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = torch.ops.mine.cube(x)
    assert y.tolist() == [1.0, 8.0]
    assert repr(y.grad_fn).startswith("<CubeBackward0")
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 12.0]


def test_a_name_needs_a_namespace_and_is_taken_once(plugin):
    torch.ops.mine.cube  # noqa: B018 - the first look asks the plugins
    with pytest.raises(ValueError, match="namespace::name"):
        register("cube", cube)
    with pytest.raises(ValueError, match="two ops called mine::cube"):
        register("mine::cube", cube)


def test_a_namespace_that_nobody_declares_is_an_error():
    with pytest.raises(AttributeError, match="nobodys"):
        torch.ops.nobodys  # noqa: B018 - looking is the test
