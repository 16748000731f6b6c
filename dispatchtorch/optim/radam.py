"""RAdam (Liu et al. 2020): Adam whose adaptive rate is rectified while the second moment rests on few steps."""

from __future__ import annotations

from typing import Any

from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.optim.conditions import is_on, require_betas, require_lr, require_not_negative
from dispatchtorch.optim.gradient_step import GradientStep, advance, rate_of, real_view
from dispatchtorch.optim.optimizer import ParamsT
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["RAdam"]


class RAdam(GradientStep):
    """Moves parameters as Adam does, but by the mean gradient alone until its variance is known well enough.

    >>> w = torch.tensor([1.0], requires_grad=True)
    >>> optimizer = torch.optim.RAdam([w], lr=0.1)
    >>> (w * 2).sum().backward(); optimizer.step(); w
    tensor([0.8000], requires_grad=True)
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        require_lr(lr)
        require_not_negative("epsilon value", eps)
        require_betas(betas)
        require_not_negative("weight_decay value", weight_decay)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "foreach": foreach, "capturable": capturable, "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _is_decoupled(self, group: dict[str, Any]) -> bool:
        return bool(group["decoupled_weight_decay"])

    def _update(self, group: dict[str, Any], p: Tensor, x: Tensor, grad: Tensor) -> None:
        lr, (beta1, beta2) = rate_of(group), group["betas"]
        step, (mean, square) = self._slots(p, exp_avg=0.0, exp_avg_sq=0.0)
        if is_on(group["weight_decay"]) and group["decoupled_weight_decay"]:
            x.mul_(1 - lr * group["weight_decay"])
        x, grad = real_view(x), real_view(grad)
        mean.add_(grad.sub(mean).mul_(1 - beta1))
        square.mul_(beta2).add_(grad.mul(grad).mul_(1 - beta2))
        first, second = 1 - beta1**step, 1 - beta2**step
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / second
        delta = mean.div(first)
        share = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        if isinstance(length, Tensor):  # traced: both ways, and the step's number chooses
            rectified = delta.mul(share.clamp(min=0).sqrt() * second**0.5).div(square.sqrt().add(group["eps"]))
            delta = FUNCTIONS["where"](length.gt(5.0), rectified, delta)
        elif length > 5.0:
            delta = delta.mul(share**0.5 * second**0.5).div(square.sqrt().add(group["eps"]))
        advance(x, delta, -lr)
