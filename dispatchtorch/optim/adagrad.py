"""Adagrad (Duchi, Hazan and Singer 2011): the gradient over the root of the sum of its squares."""

from __future__ import annotations

from typing import Any

from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.table import METHODS
from dispatchtorch.optim.conditions import number, require_lr, require_not_negative
from dispatchtorch.optim.gradient_step import GradientStep, rate_of, real_view
from dispatchtorch.optim.optimizer import ParamsT
from dispatchtorch.tensor.sparse import SparseTensor, as_sparse
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["Adagrad"]


class Adagrad(GradientStep):
    """Moves parameters by the gradient over the root of the sum of all its squares; the state exists from the start."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        require_lr(lr)
        require_not_negative("lr_decay value", lr_decay)
        require_not_negative("weight_decay value", weight_decay)
        require_not_negative("initial_accumulator_value value", initial_accumulator_value)
        require_not_negative("epsilon value", eps)
        defaults = {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)
        before, modes.grad = modes.grad, False
        try:
            for group in self.param_groups:
                for p in group["params"]:
                    start = group["initial_accumulator_value"]
                    self._slots(p, sum=complex(start, start) if p._key.dtype.is_complex else start)
                    self.state[p]["step"].zero_()
        finally:
            modes.grad = before

    def _require_dense(self, group: dict[str, Any]) -> None:
        """Takes a sparse gradient, but no decay of weights beside it."""
        if group["weight_decay"] != 0:
            raise RuntimeError("weight_decay option is not compatible with sparse gradients")

    def _update(self, group: dict[str, Any], p: Tensor, x: Tensor, grad: Tensor) -> None:
        step, (total,) = self._slots(p, sum=group["initial_accumulator_value"])
        if isinstance(grad, SparseTensor):
            rate = number(group["lr"]) / (1 + (step - 1) * group["lr_decay"])
            grad = METHODS["coalesce"](grad)
            total.add_(grad.mul(grad))
            roots = METHODS["_values"](METHODS["sparse_mask"](total, grad)).sqrt_().add_(group["eps"])
            x.add_(as_sparse(grad._a.indices, grad._a.values / roots, grad._a.shape, True), alpha=-rate)
            return
        x, grad = real_view(x), real_view(grad)
        total.add_(grad.mul(grad))
        rate = rate_of(group) / (1 + (step - 1) * group["lr_decay"])
        root = total.sqrt()
        root = root.add(group["eps"]) if group["differentiable"] else root.add_(group["eps"])
        x.add_(grad.div(root).mul_(-rate))
