"""What happens on a backend that lacks an op: an error that prints the ladder, or the host's kernel."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import dispatchtorch as torch
from dispatchtorch._base import config
from dispatchtorch.dispatch.resolve import NoKernelError
from dispatchtorch.dispatch.table import forget_plans
from dispatchtorch.plugin import BackendSpec, Gap, hookimpl
from dispatchtorch.plugin.manager import manager
from dispatchtorch.testing.loopback import LoopbackBackend


class Without:
    """NumPy, but for one name."""

    def __getattr__(self, name):
        if name in ("tanh", "cos"):
            raise AttributeError(name)
        return getattr(np, name)


class ThinBackend(LoopbackBackend):
    """A backend that has neither tanh nor cos, and says why of one."""

    name = "thin"

    def __init__(self) -> None:
        super().__init__()
        self.kernels = {name: kernel for name, kernel in self.kernels.items() if name not in ("tanh", "cos")}
        self.gaps = (Gap("tanh", "this library has no hyperbolic functions"),)

    @property
    def namespace(self):
        return Without()


class Plugin:
    @hookimpl
    def dispatchtorch_backends(self):
        return BackendSpec(name="thin", devices=("cpu",), load=f"{__name__}:ThinBackend")


@pytest.fixture
def thin(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    plugin = Plugin()
    manager().register(plugin, "thin-plugin")

    def policy(value):
        monkeypatch.setenv("DISPATCHTORCH_FALLBACK", value)
        config.refresh()
        forget_plans()

    yield policy
    monkeypatch.delenv("DISPATCHTORCH_FALLBACK", raising=False)
    config.refresh()
    manager().unregister(plugin)


def test_error_is_the_default_and_prints_the_ladder_and_the_gap(thin):
    x = torch.tensor([0.0, 1.0], backend="thin")
    with pytest.raises(NoKernelError) as caught:
        torch.tanh(x)
    said = str(caught.value)
    assert "no kernel for tanh on backend 'thin'" in said
    assert "this library has no hyperbolic functions" in said
    rungs = ("override hook", "backend kernel", "numpylike kernel", "array API name", "host fallback: not used (error)")
    for rung in rungs:
        assert rung in said
    assert x.tolist() == [0.0, 1.0]


def test_allow_takes_the_hosts_kernel_in_forward_and_backward(thin):
    thin("allow")
    x = torch.tensor([0.0, 1.0], backend="thin").requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = torch.tanh(x)
    assert y.backend == "thin"
    assert y.tolist() == torch.tanh(torch.tensor([0.0, 1.0], backend="numpy")).tolist()
    y.sum().backward()
    assert x.grad.backend == "thin"
    plain = torch.tensor([0.0, 1.0], backend="numpy").requires_grad_()
    torch.tanh(plain).sum().backward()
    assert x.grad.tolist() == plain.grad.tolist()


def test_warn_says_so(thin):
    thin("warn")
    with pytest.warns(UserWarning, match="cos has no kernel on 'thin': it runs through the host"):
        y = torch.cos(torch.tensor([0.0], backend="thin"))
    assert y.tolist() == [1.0]
