"""Adadelta (Zeiler 2012): steps in the unit of the parameter, from running means of squared gradients and steps."""

from __future__ import annotations

from typing import Any

from dispatchtorch.optim.conditions import require_lr, require_not_negative
from dispatchtorch.optim.gradient_step import GradientStep, advance, rate_of, real_view
from dispatchtorch.optim.optimizer import ParamsT
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["Adadelta"]


class Adadelta(GradientStep):
    """Moves parameters by the gradient, scaled by the root mean square of past steps over that of past gradients."""

    _capturable_on_xla = (False, False)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        require_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        require_not_negative("epsilon value", eps)
        require_not_negative("weight_decay value", weight_decay)
        defaults = {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "capturable": capturable, "foreach": foreach, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group: dict[str, Any], p: Tensor, x: Tensor, grad: Tensor) -> None:
        rho, eps = group["rho"], group["eps"]
        _, (square, moved) = self._slots(p, square_avg=0.0, acc_delta=0.0)
        x, grad = real_view(x), real_view(grad)
        square.mul_(rho).add_(grad.mul(grad).mul_(1 - rho))
        if group["differentiable"]:
            delta = moved.add(eps).sqrt().div(square.add(eps).sqrt()).mul(grad)
        else:
            delta = moved.add(eps).sqrt_().div_(square.add(eps).sqrt_()).mul_(grad)
        moved.mul_(rho).add_(delta.mul(delta).mul_(1 - rho))
        advance(x, delta, -rate_of(group))
