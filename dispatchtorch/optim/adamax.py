"""Adamax (Kingma and Ba 2015): Adam with the largest recent gradient in the place of the root mean square."""

from __future__ import annotations

from typing import Any

from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.optim.conditions import require_betas, require_lr, require_not_negative
from dispatchtorch.optim.gradient_step import GradientStep, advance, rate_of, real_view
from dispatchtorch.optim.optimizer import ParamsT
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["Adamax"]


class Adamax(GradientStep):
    """Moves parameters by the running mean of the gradient over its decaying maximum."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        require_lr(lr)
        require_not_negative("epsilon value", eps)
        require_betas(betas)
        require_not_negative("weight_decay value", weight_decay)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group: dict[str, Any], p: Tensor, x: Tensor, grad: Tensor) -> None:
        beta1, beta2 = group["betas"]
        step, (mean, largest) = self._slots(p, exp_avg=0.0, exp_inf=0.0)
        x, grad = real_view(x), real_view(grad)
        mean.add_(grad.sub(mean).mul_(1 - beta1))
        recorded = group["differentiable"]
        size = grad.abs()
        size = size.add(group["eps"]) if recorded else size.add_(group["eps"])
        largest.copy_(FUNCTIONS["maximum"](largest.mul(beta2) if recorded else largest.mul_(beta2), size))
        if recorded:
            mean, largest = mean.clone(), largest.clone()
        advance(x, mean.div(largest), -rate_of(group) / (1 - beta1**step))
