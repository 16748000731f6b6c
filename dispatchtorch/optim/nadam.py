"""NAdam (Dozat 2016): Adam with Nesterov's look ahead."""

from __future__ import annotations

from typing import Any

from dispatchtorch.optim.conditions import is_on, number, require_betas, require_lr, require_not_negative
from dispatchtorch.optim.gradient_step import GradientStep, rate_of, real_view
from dispatchtorch.optim.optimizer import ParamsT
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["NAdam"]


class NAdam(GradientStep):
    """Moves parameters as Adam does, by a mixture of the gradient and its running mean whose weights change by step."""

    _capturables = ("params, mu_products and state_steps", "params, mu_products, and state_steps")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
        require_not_negative("momentum_decay value", momentum_decay)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize, "foreach": foreach,
            "capturable": capturable, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _is_decoupled(self, group: dict[str, Any]) -> bool:
        return bool(group["decoupled_weight_decay"])

    def _update(self, group: dict[str, Any], p: Tensor, x: Tensor, grad: Tensor) -> None:
        lr, (beta1, beta2), decay = rate_of(group), group["betas"], group["momentum_decay"]
        step, (mean, square) = self._slots(p, exp_avg=0.0, exp_avg_sq=0.0)
        product = self.state[p].get("mu_product")
        if product is None:
            product = self.state[p]["mu_product"] = self._scalar(p, 1.0)
        if is_on(group["weight_decay"]) and group["decoupled_weight_decay"]:
            x.mul_(1 - lr * group["weight_decay"])
        x, grad = real_view(x), real_view(grad)
        now, soon = (beta1 * (1.0 - 0.5 * 0.96 ** (k * decay)) for k in (step, step + 1))
        product.mul_(now)
        weight = number(product)
        mean.add_(grad.sub(mean).mul_(1 - beta1))
        square.mul_(beta2).add_(grad.mul(grad).mul_(1 - beta2))
        if group["differentiable"]:
            divisor, mean = square.div(1 - beta2**step).sqrt().add(group["eps"]), mean.clone()
        else:
            divisor = square.div(1 - beta2**step).sqrt_().add_(group["eps"])
        x.add_(grad.div(divisor).mul_(-lr * (1.0 - now) / (1.0 - weight)))
        x.add_(mean.div(divisor).mul_(-lr * soon / (1.0 - weight * soon)))
