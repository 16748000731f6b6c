"""Adafactor (Shazeer and Stern 2018): second moments of a matrix kept as one row and one column."""

from __future__ import annotations

from typing import Any

from dispatchtorch._base.limits import finfo
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.dispatch.tracing import lasting
from dispatchtorch.optim.conditions import is_on, number
from dispatchtorch.optim.gradient_step import GradientStep, advance, rate_of, zeros_for
from dispatchtorch.optim.optimizer import ParamsT
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["Adafactor"]


class Adafactor(GradientStep):
    """Moves parameters by the gradient over its factored root mean square, relative to the parameter's own size.

    >>> w = torch.tensor([1.0], requires_grad=True)
    >>> optimizer = torch.optim.Adafactor([w], lr=0.1)
    >>> (w * 2).sum().backward(); optimizer.step(); w
    tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not number(lr) >= 0.0:
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not eps[0] >= 0.0:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not eps[1] >= 0.0:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not d >= 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        defaults = {
            "lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _is_decoupled(self, group: dict[str, Any]) -> bool:
        return True

    def _step_group(self, group: dict[str, Any]) -> None:
        if any(p._key.dtype.is_complex and p.grad is not None for p in group["params"]):
            raise RuntimeError("Adafactor does not support complex parameters")
        super()._step_group(group)

    def _update(self, group: dict[str, Any], p: Tensor, x: Tensor, grad: Tensor) -> None:
        state, lr, (tiny, least) = self.state[p], rate_of(group), group["eps"]
        tiny = finfo(p._key.dtype).eps if tiny is None else tiny
        if not state:
            self._start(p, grad)
        state["step"].add_(1)
        step = number(state["step"])
        weight = step ** group["beta2_decay"]
        if isinstance(step, Tensor):
            weight = weight.to(grad.dtype)
            rate = _root_mean_square(x).clamp(min=least) * FUNCTIONS["minimum"](lr, 1 / step**0.5)
        else:
            rate = max(least, _root_mean_square(x)) * min(lr, 1 / step**0.5)
        if is_on(group["weight_decay"]):
            x.mul_(1 - lr * group["weight_decay"])
        if grad.dim() > 1:
            row, column = state["row_var"], state["col_var"]
            row.lerp_(_mean_square(grad, -1), weight)
            column.lerp_(_mean_square(grad, -2), weight)
            square = row.matmul(column).div_(row.mean(dim=-2, keepdim=True).clamp_(min=tiny))
        else:
            square = state["variance"].lerp_(grad.mul(grad), weight).clone()
        update = square.clamp_(min=tiny * tiny).rsqrt_().mul_(grad)
        size = _root_mean_square(update) / group["d"]
        advance(x, update, -rate / (size.clamp(min=1.0) if isinstance(size, Tensor) else max(1.0, size)))

    def _start(self, p: Tensor, grad: Tensor) -> None:
        state = self.state[p]
        state["step"] = self._scalar(p, 0.0)
        if grad.dim() > 1:
            shape = tuple(grad.shape)
            state["row_var"] = lasting(lambda: grad.new_zeros((*shape[:-1], 1)))
            state["col_var"] = lasting(lambda: grad.new_zeros((*shape[:-2], 1, shape[-1])))
        else:
            state["variance"] = zeros_for(grad)


def _root_mean_square(t: Tensor) -> Any:
    return number(t.norm(2)) / t.numel() ** 0.5


def _mean_square(t: Tensor, dim: int) -> Tensor:
    got: Tensor = FUNCTIONS["norm"](t, dim=dim, keepdim=True).square_().div_(t.size(dim))
    return got
