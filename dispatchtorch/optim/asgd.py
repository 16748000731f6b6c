"""Averaged stochastic gradient descent (Polyak and Juditsky 1992), with a rate that falls by a power of the step."""

from __future__ import annotations

from typing import Any

from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.dispatch.tracing import lasting, tracing
from dispatchtorch.optim.conditions import number, require_lr, require_not_negative
from dispatchtorch.optim.gradient_step import GradientStep, advance, rate_of, real_view
from dispatchtorch.optim.optimizer import ParamsT
from dispatchtorch.tensor.tensor import Tensor, alias_of

__all__ = ["ASGD"]


class ASGD(GradientStep):
    """Moves parameters against the gradient and keeps in ``state["ax"]`` their mean since step ``t0``.

    >>> w = torch.tensor([1.0], requires_grad=True)
    >>> optimizer = torch.optim.ASGD([w], lr=0.1)
    >>> (w * 2).sum().backward(); optimizer.step(); w
    tensor([0.8000], requires_grad=True)
    """

    _capturables = ("params, mus, etas, and state_steps", "params, mus, etas, and state_steps")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        require_lr(lr)
        require_not_negative("weight_decay value", weight_decay)
        defaults = {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group: dict[str, Any], p: Tensor, x: Tensor, grad: Tensor) -> None:
        state, lr, decay = self.state[p], rate_of(group), group["lambd"]
        traced = tracing.now is not None
        if not state:
            state["step"], state["eta"] = self._scalar(p, 0.0), self._scalar(p, 0.0 if traced else lr)
            state["mu"], state["ax"] = self._scalar(p, 1.0), lasting(lambda: FUNCTIONS["zeros_like"](alias_of(p)))
        x, grad, mean = real_view(x), real_view(grad), real_view(state["ax"])
        state["step"].add_(1)
        step, eta, weight = (number(state[name]) for name in ("step", "eta", "mu"))
        if traced:  # the first step's rate is the group's
            eta = FUNCTIONS["where"](step.eq(1), lr, eta)
        x.mul_(1 - decay * eta)
        advance(x, grad, -eta)
        if traced:
            mean.copy_(FUNCTIONS["where"](weight.eq(1), x, mean.add(x.sub(mean).mul_(weight))))
        elif weight != 1:
            mean.add_(x.sub(mean).mul_(weight))
        else:
            mean.copy_(x)
        state["eta"].fill_(lr / ((1 + decay * lr * step) ** group["alpha"]))
        late = step - group["t0"]
        state["mu"].fill_(late.clamp(min=1).reciprocal() if traced else 1 / max(1, late))
