"""RMSprop (Hinton's lecture of 2012): the gradient over the root of the running mean of its square."""

from __future__ import annotations

from typing import Any

from dispatchtorch.optim.conditions import require_lr, require_not_negative
from dispatchtorch.optim.gradient_step import GradientStep, advance, rate_of, real_view
from dispatchtorch.optim.optimizer import ParamsT
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["RMSprop"]


class RMSprop(GradientStep):
    """Moves parameters by the gradient over its running root mean square; ``centered`` subtracts the mean first."""

    _capturable_on_xla = (True, True)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        require_lr(lr)
        require_not_negative("epsilon value", eps)
        require_not_negative("momentum value", momentum)
        require_not_negative("weight_decay value", weight_decay)
        require_not_negative("alpha value", alpha)
        defaults = {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group: dict[str, Any], p: Tensor, x: Tensor, grad: Tensor) -> None:
        rate, alpha, momentum = -rate_of(group), group["alpha"], group["momentum"]
        names = ["square_avg"]
        names += ["momentum_buffer"] if momentum > 0 else []
        names += ["grad_avg"] if group["centered"] else []
        _, (square, *others) = self._slots(p, **dict.fromkeys(names, 0.0))
        x, grad = real_view(x), real_view(grad)
        square.mul_(alpha).add_(grad.mul(grad).mul_(1 - alpha))
        if group["centered"]:
            mean = others[-1]
            mean.add_(grad.sub(mean).mul_(1 - alpha))
            if group["differentiable"]:
                mean = mean.clone()
            divisor = square.sub(mean.mul(mean)).sqrt()
        else:
            divisor = square.sqrt()
        divisor = divisor.add(group["eps"]) if group["differentiable"] else divisor.add_(group["eps"])
        if momentum > 0:
            buffer = others[0]
            buffer.mul_(momentum).add_(grad.div(divisor))
            advance(x, buffer, rate)
        elif isinstance(rate, Tensor):
            advance(x, grad.div(divisor), rate)
        else:
            x.add_(grad.div(divisor).mul_(rate))
