"""Resilient backpropagation (Riedmiller and Braun 1993): the gradient's sign counts, each weight has its own step."""

from __future__ import annotations

from typing import Any

from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.optim.conditions import number, require_lr
from dispatchtorch.optim.gradient_step import GradientStep, real_view
from dispatchtorch.optim.optimizer import ParamsT
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["Rprop"]


class Rprop(GradientStep):
    """Moves each weight against its gradient's sign, by a step that grows while the sign stays and else shrinks.

    >>> w = torch.tensor([1.0], requires_grad=True)
    >>> optimizer = torch.optim.Rprop([w], lr=0.1)
    >>> (w * 2).sum().backward(); optimizer.step(); w
    tensor([0.9000], requires_grad=True)
    """

    _capturable_on_xla = (True, True)
    _lifts_rates = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        require_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group: dict[str, Any], p: Tensor, x: Tensor, grad: Tensor) -> None:
        shrink, grow = group["etas"]
        start = group["lr"] if isinstance(group["lr"], float) else number(group["lr"])
        first = complex(start, start) if p._key.dtype.is_complex else start
        _, (before, size) = self._slots(p, prev=0.0, step_size=first)
        x, grad = real_view(x), real_view(grad)
        sign = grad.mul(before.clone() if group["differentiable"] else before).sign()
        turned = sign.lt(0)
        where = FUNCTIONS["where"]
        size.mul_(where(sign.gt(0), grow, where(turned, shrink, FUNCTIONS["ones_like"](sign))))
        size.clamp_(*group["step_sizes"])
        grad = grad.masked_fill(turned, 0)
        x.add_(grad.sign().mul(size.clone() if group["differentiable"] else size), alpha=-1)
        before.copy_(grad)
