"""Muon (Jordan 2024): momentum whose matrices are made orthogonal, nearly, by a few steps of Newton and Schulz."""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.optim.conditions import number
from dispatchtorch.optim.gradient_step import GradientStep, advance, rate_of, zeros_for
from dispatchtorch.optim.optimizer import ParamsT
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["Muon"]


class Muon(GradientStep):
    """Moves matrices along their momentum, the singular values of which are brought near 1; other shapes are refused.

    >>> w = torch.eye(2, requires_grad=True)
    >>> optimizer = torch.optim.Muon([w], lr=0.1)
    >>> (w * w).sum().backward(); optimizer.step()
    >>> w[0, 0].item() < 1
    True
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not number(lr) >= 0.0:
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if not momentum >= 0.0:
            raise ValueError(f"momentum should be >= 0 but is: {momentum}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight decay should be >= 0 but is: {weight_decay}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = {
            "lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
            "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn,
        }  # fmt: skip
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                if p.dim() != 2:
                    raise ValueError(
                        f"Muon only supports 2D parameters whereas we found a parameter with size: {p.size()}"
                    )

    def _is_decoupled(self, group: dict[str, Any]) -> bool:
        return True

    def _step_group(self, group: dict[str, Any]) -> None:
        if any(p._key.dtype.is_complex and p.grad is not None for p in group["params"]):
            raise RuntimeError("Muon does not support complex parameters")
        super()._step_group(group)

    def _update(self, group: dict[str, Any], p: Tensor, x: Tensor, grad: Tensor) -> None:
        state, lr, momentum = self.state[p], rate_of(group), group["momentum"]
        if grad.dim() != 2:
            raise ValueError("Param gradient must be a 2D matrix")
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = zeros_for(grad)
        buffer = state["momentum_buffer"]
        buffer.lerp_(grad, 1 - momentum)
        update = grad.lerp(buffer, momentum) if group["nesterov"] else buffer
        update = orthogonalised(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
        x.mul_(1 - lr * group["weight_decay"])
        advance(x, update, -lr * _scale(group["adjust_lr_fn"], *p.shape))


def _scale(way: str | None, rows: int, columns: int) -> float:
    if way == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1, rows / columns))


def orthogonalised(matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """Returns a matrix with the same singular vectors, in bfloat16; its singular values are near 1.

    ``coefficients``: of the odd polynomial of degree 5 that is applied ``steps`` times.
    """
    if steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    tall = matrix.size(0) > matrix.size(1)
    got = matrix.bfloat16()
    got = got.t() if tall else got
    got = got.div(got.norm().clamp(min=eps))
    addmm = FUNCTIONS["addmm"]
    for _ in range(steps):
        gram = got.matmul(got.t())
        got = addmm(got, addmm(gram, gram, gram, beta=b, alpha=c), got, beta=a)
    return got.t() if tall else got
