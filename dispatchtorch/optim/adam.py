"""Adam (Kingma and Ba 2015) and AdamW, which decays weights beside the gradient (Loshchilov and Hutter 2019)."""

from __future__ import annotations

from typing import Any

from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.optim.conditions import is_on, number, require_betas, require_lr, require_not_negative, scalar
from dispatchtorch.optim.gradient_step import GradientStep, advance, rate_of, real_view
from dispatchtorch.optim.optimizer import ParamsT
from dispatchtorch.optim.together import is_plain, written
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["Adam", "AdamW"]


class Adam(GradientStep):
    """Moves parameters by the running mean of the gradient over the root of the running mean of its square.

    ``foreach`` and ``fused`` are accepted and change nothing; with ``differentiable`` the step is recorded.

    >>> w = torch.tensor([1.0], requires_grad=True)
    >>> optimizer = torch.optim.Adam([w], lr=0.1)
    >>> (w * 2).sum().backward(); optimizer.step(); w
    tensor([0.9000], requires_grad=True)
    """

    _kernel = "_adam_step_"

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        if isinstance(lr, Tensor) and foreach and not capturable:
            raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
        require_lr(lr)
        require_not_negative("epsilon value", eps)
        require_betas(betas)
        require_not_negative("weight_decay value", weight_decay)
        _require_alike(betas, bool(foreach) and not capturable)
        defaults = {
            "lr": lr, "betas": tuple(map(scalar, betas)), "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
            "maximize": maximize, "foreach": foreach, "capturable": capturable, "differentiable": differentiable,
            "fused": fused, "decoupled_weight_decay": decoupled_weight_decay,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _require_dense(self, group: dict[str, Any]) -> None:
        raise RuntimeError("Adam does not support sparse gradients, please consider SparseAdam instead")

    def _is_decoupled(self, group: dict[str, Any]) -> bool:
        return bool(group["decoupled_weight_decay"])

    def _update(self, group: dict[str, Any], p: Tensor, x: Tensor, grad: Tensor) -> None:
        lr, (beta1, beta2), recorded = rate_of(group), map(number, group["betas"]), group["differentiable"]
        names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if group["amsgrad"] else ("exp_avg", "exp_avg_sq")
        step, (mean, square, *largest) = self._slots(p, **dict.fromkeys(names, 0.0))
        if is_on(group["weight_decay"]) and group["decoupled_weight_decay"]:
            x.mul_(1 - lr * group["weight_decay"])
        x, grad = real_view(x), real_view(grad)
        mean.add_(grad.sub(mean).mul_(1 - beta1))
        square.mul_(beta2).add_(grad.mul(grad).mul_(1 - beta2))
        if largest:
            most = largest[0].clone() if recorded else largest[0]
            square = largest[0].copy_(FUNCTIONS["maximum"](most, square.clone() if recorded else square))
        if recorded:
            divisor = square.sqrt().div((1 - beta2**step) ** 0.5).add(group["eps"])
            advance(x, mean.clone().div(divisor), -lr / (1 - beta1**step))
        else:
            divisor = square.sqrt().div_((1 - beta2**step) ** 0.5).add_(group["eps"])
            x.add_(mean.div(divisor).mul_(-lr / (1 - beta1**step)))

    def _move_all(self, group: dict[str, Any], kernel: Any, params: list[Tensor], grads: list[Tensor]) -> None:
        lr, (beta1, beta2), decay = rate_of(group), map(number, group["betas"]), group["weight_decay"]
        names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if group["amsgrad"] else ("exp_avg", "exp_avg_sq")
        found, params, arrays, steps, rates, roots = zip(params, grads), [], [], [], [], []
        slots: list[list[Tensor]] = [[] for _ in names]
        for p, grad in found:
            state = self.state[p]
            kept = [state.get(name) for name in names] if state else []
            step = state.get("step")
            if step is None or step._a.shape or not step._key.native or any(not is_plain(t, p) for t in kept):
                self._move(group, p, grad)
                continue
            params.append(p)
            arrays.append(grad._a)
            steps.append(step)
            for slot, t in zip(slots, kept):
                slot.append(t)
        for count in written(steps):
            count += 1
            step = count.item()
            rates.append(-lr / (1 - beta1**step))
            roots.append((1 - beta2**step) ** 0.5)
        if params:
            kernel(
                written(params), arrays, *map(written, slots[:2]), written(slots[2]) if group["amsgrad"] else None,
                rates, roots, (1 - beta1, beta2, 1 - beta2), group["eps"], decay,
                1 - lr * decay if decay and group["decoupled_weight_decay"] else None, group["maximize"],
            )  # fmt: skip


def _require_alike(betas: tuple[Any, Any], refused: bool) -> None:
    """Raises torch's errors for rates of decay of which one is a tensor, or that are tensors where ``refused``."""
    tensors = [isinstance(beta, Tensor) for beta in betas]
    if not (all(tensors) or all(isinstance(beta, float) for beta in betas)):
        raise ValueError("betas must be either both floats or both Tensors")
    for i, beta in enumerate(betas):
        if isinstance(beta, Tensor):
            if refused:
                raise ValueError(f"betas[{i}] as a Tensor is not supported for capturable=False and foreach=True")
            if beta.numel() != 1:
                raise ValueError(f"Tensor betas[{i}] must be 1-element")


class AdamW(Adam):
    """Adam with weights decayed directly, by ``lr * weight_decay`` a step."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize, capturable=capturable,
            differentiable=differentiable, fused=fused, decoupled_weight_decay=True,
        )  # fmt: skip
