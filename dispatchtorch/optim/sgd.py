"""Stochastic gradient descent, with momentum (Polyak 1964; Nesterov's form after Sutskever et al. 2013)."""

from __future__ import annotations

from typing import Any

from dispatchtorch.dispatch.tracing import tracing
from dispatchtorch.optim.conditions import is_on, number, require_lr
from dispatchtorch.optim.gradient_step import GradientStep, advance, rate_of, zeros_for
from dispatchtorch.optim.optimizer import ParamsT
from dispatchtorch.optim.together import is_plain, written
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["SGD"]


class SGD(GradientStep):
    """Moves parameters against the gradient; ``momentum`` keeps a decaying sum of past gradients.

    ``foreach`` and ``fused`` are accepted and change nothing; with ``differentiable`` the step is recorded.

    >>> w = torch.tensor([1.0], requires_grad=True)
    >>> optimizer = torch.optim.SGD([w], lr=0.1)
    >>> (w * 2).sum().backward(); optimizer.step(); w
    tensor([0.8000], requires_grad=True)
    """

    _kernel = "_sgd_step_"

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        require_lr(lr)
        if momentum < 0.0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if number(weight_decay) < 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        defaults = {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov,
            "maximize": maximize, "foreach": foreach, "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, defaults)

    def _require_dense(self, group: dict[str, Any]) -> None:
        """Takes a sparse gradient: only the rows that it has are moved."""

    def _update(self, group: dict[str, Any], p: Tensor, x: Tensor, grad: Tensor) -> None:
        momentum = group["momentum"]
        if is_on(momentum):
            state = self.state[p]
            buffer = state.get("momentum_buffer")
            if buffer is None and tracing.now is not None and group["dampening"] == 0:
                # Zeros, to which the first step adds its gradient, so that all steps are one program.
                state["momentum_buffer"] = buffer = zeros_for(grad)
            if buffer is None:
                buffer = state["momentum_buffer"] = grad.detach().clone()
            else:
                buffer.mul_(momentum).add_(grad, alpha=1 - group["dampening"])
            if group["nesterov"]:
                moved = isinstance(momentum, Tensor)
                grad = grad.add(buffer.mul(momentum)) if moved else grad.add(buffer, alpha=momentum)
            else:
                grad = buffer
        rate = rate_of(group)
        if tracing.now is not None and isinstance(rate, Tensor):
            x.sub_(grad.mul(rate))  # the rate itself: one step less for each parameter
        else:
            advance(x, grad, -rate)

    def _move_all(self, group: dict[str, Any], kernel: Any, params: list[Tensor], grads: list[Tensor]) -> None:
        momentum = group["momentum"]
        buffers: list[Tensor] = []
        if momentum:
            found, params, grads = zip(params, grads), [], []
            for p, grad in found:
                buffer = self.state[p].get("momentum_buffer")
                if buffer is None or not is_plain(buffer, p):
                    self._move(group, p, grad)
                else:
                    params.append(p)
                    grads.append(grad)
                    buffers.append(buffer)
            if not params:
                return
        kernel(
            written(params), [grad._a for grad in grads], written(buffers), -rate_of(group), momentum,
            1 - group["dampening"], group["nesterov"], number(group["weight_decay"]), group["maximize"],
        )  # fmt: skip
