"""SparseAdam: Adam that moves only the rows which a sparse gradient names; the moments of all others wait."""

from __future__ import annotations

from typing import Any

from dispatchtorch.dispatch.table import FUNCTIONS, METHODS
from dispatchtorch.dispatch.tracing import tracing
from dispatchtorch.optim.conditions import number, require_betas, require_lr
from dispatchtorch.optim.gradient_step import GradientStep
from dispatchtorch.optim.optimizer import ParamsT
from dispatchtorch.tensor.sparse import SparseTensor, as_sparse
from dispatchtorch.tensor.tensor import Tensor, alias_of

__all__ = ["SparseAdam"]


class SparseAdam(GradientStep):
    """Adam for sparse gradients, such as those of ``nn.Embedding(sparse=True)``; dense ones are refused.

    >>> table = torch.nn.Embedding(4, 2, sparse=True)
    >>> optimizer = torch.optim.SparseAdam(table.parameters(), lr=0.1)
    >>> before = table.weight[0].tolist()
    >>> table(torch.tensor([1, 1])).sum().backward(); optimizer.step()
    >>> table.weight[0].tolist() == before
    True
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        require_lr(lr)
        if not number(lr) > 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not eps > 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        require_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})
        sparse = [
            [i, j]
            for i, group in enumerate(self.param_groups)
            for j, p in enumerate(group["params"])
            if isinstance(p, SparseTensor)
        ]
        if sparse:
            raise ValueError(f"Sparse params at indices {sparse}: SparseAdam requires dense parameter tensors")
        complexes = [
            [i, j]
            for i, group in enumerate(self.param_groups)
            for j, p in enumerate(group["params"])
            if p._key.dtype.is_complex
        ]
        if complexes:
            raise ValueError(f"Complex params at indices {complexes}: SparseAdam does not support complex parameters")

    def _step_group(self, group: dict[str, Any]) -> None:
        for p in group["params"]:
            grad = None if p._extra is None else p._extra.grad
            if grad is None:
                continue
            if not isinstance(grad, SparseTensor):
                raise RuntimeError("SparseAdam does not support dense gradients, please consider Adam instead")
            self._update(group, p, alias_of(p), METHODS["coalesce"](grad.detach()))

    def _update(self, group: dict[str, Any], p: Tensor, x: Tensor, grad: Tensor) -> None:
        if tracing.now is not None:
            tracing.now.refuse("SparseAdam counts its steps in Python")
        state = self.state[p]
        if not state:
            state["step"] = 0
            state["exp_avg"] = FUNCTIONS["zeros_like"](alias_of(p))
            state["exp_avg_sq"] = FUNCTIONS["zeros_like"](alias_of(p))
        state["step"] += 1
        if not isinstance(grad, SparseTensor) or not grad._a.count:
            return
        (beta1, beta2), step = group["betas"], state["step"]
        values = -grad._a.values if group["maximize"] else grad._a.values
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        old_mean, old_square = (METHODS["_values"](METHODS["sparse_mask"](t, grad)) for t in (mean, square))
        mean_step = values.sub(old_mean).mul_(1 - beta1)
        square_step = values.mul(values).sub_(old_square).mul_(1 - beta2)
        mean.add_(_placed(grad, mean_step))
        square.add_(_placed(grad, square_step))
        numerator = mean_step.add_(old_mean)
        root = square_step.add_(old_square).sqrt_().add_(group["eps"])
        rate = number(group["lr"]) * (1 - beta2**step) ** 0.5 / (1 - beta1**step)
        x.add_(_placed(grad, numerator.div_(root).mul_(-rate)))


def _placed(grad: SparseTensor, values: Tensor) -> SparseTensor:
    return as_sparse(grad._a.indices, values, grad._a.shape, True)
