"""L-BFGS (Liu and Nocedal 1989): a quasi-Newton method that remembers the last steps instead of a matrix."""

from __future__ import annotations

from typing import Any

from dispatchtorch.autograd.grad_mode import enable_grad
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.optim.conditions import number, require_lr
from dispatchtorch.optim.gradient_step import real_view
from dispatchtorch.optim.line_search import Point, strong_wolfe
from dispatchtorch.optim.optimizer import Closure, Optimizer, ParamsT
from dispatchtorch.tensor.tensor import Tensor, alias_of

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """Moves all parameters together, several times a step; `step` needs a closure that computes loss and gradients.

    ``line_search_fn``: None, for steps of ``lr``, or "strong_wolfe". There is one group of parameters only.

    >>> w = torch.tensor([3.0], requires_grad=True)
    >>> optimizer = torch.optim.LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (w * w).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure); abs(w.item()) < 1e-6
    tensor(9., grad_fn=<SumBackward0>)
    True
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        require_lr(lr)
        defaults = {
            "lr": lr, "max_iter": max_iter, "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change, "history_size": history_size,
            "line_search_fn": line_search_fn,
        }  # fmt: skip
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params = self.param_groups[0]["params"]

    def step(self, closure: Closure) -> Any:  # type: ignore[override]  # torch's needs one too
        """Moves the parameters up to ``max_iter`` times and returns the loss before that."""
        before, modes.grad = modes.grad, False
        try:
            return self._step(enable_grad()(closure))
        finally:
            modes.grad = before

    def _step(self, closure: Closure) -> Any:
        group = self.param_groups[0]
        lr, change, flat_enough = number(group["lr"]), group["tolerance_change"], group["tolerance_grad"]
        state = self.state[self._params[0]]  # it is the state of all, kept where `load_state_dict` casts it
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first = closure()
        loss, evaluations = float(first), 1
        state["func_evals"] += 1
        grad = self._gradient()
        if float(grad.abs().max()) <= flat_enough:
            return first
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            direction = self._direction(state, grad, group["history_size"])
            state["prev_flat_grad"] = grad
            before = state["prev_loss"] = loss
            beginning = state["n_iter"] == 1
            step = min(1.0, 1.0 / float(grad.abs().sum())) * lr if beginning else lr
            state["d"], state["t"] = direction, step
            slope = float(grad.dot(direction))
            if slope > -change:
                break
            count = 0
            if group["line_search_fn"] is not None:
                if group["line_search_fn"] != "strong_wolfe":
                    raise RuntimeError("only 'strong_wolfe' is supported")
                line = _Line(self, closure, direction)
                start, reach = Point(0.0, loss, slope, grad), float(direction.abs().max())
                found, count = strong_wolfe(line, start, step, reach, most=group["max_eval"] - evaluations)
                step, loss, grad = found.at, found.value, found.gradient
                state["t"] = step
                self._move(step, direction)
            else:
                self._move(step, direction)
                if iteration != group["max_iter"]:
                    loss, grad, count = float(closure()), self._gradient(), 1
            evaluations += count
            state["func_evals"] += count
            if iteration == group["max_iter"] or evaluations >= group["max_eval"]:
                break
            if float(grad.abs().max()) <= flat_enough or abs(loss - before) < change:
                break
            if float(direction.mul(step).abs().max()) <= change:
                break
        return first

    def _direction(self, state: dict[str, Any], grad: Tensor, most: int) -> Tensor:
        """Returns where to go: the gradient through the inverse Hessian that the remembered steps amount to."""
        if state["n_iter"] == 1:
            state["old_dirs"], state["old_stps"], state["ro"], state["H_diag"] = [], [], [], 1
            return grad.neg()
        turns, steps, weights = state["old_dirs"], state["old_stps"], state["ro"]
        turn, step = grad.sub(state["prev_flat_grad"]), state["d"].mul(number(state["t"]))
        product = turn.dot(step)
        if float(product) > 1e-10:
            if len(turns) == most:
                for kept in (turns, steps, weights):
                    kept.pop(0)
            turns.append(turn)
            steps.append(step)
            weights.append(product.reciprocal())
            state["H_diag"] = product.div(turn.dot(turn))
        found = state.setdefault("al", [None] * most)
        way = grad.neg()
        for i in reversed(range(len(turns))):
            found[i] = steps[i].dot(way).mul(weights[i])
            way.sub_(turns[i].mul(found[i]))
        way = way.mul(state["H_diag"])
        for i in range(len(turns)):
            way.add_(steps[i].mul(found[i].sub(turns[i].dot(way).mul(weights[i]))))
        return way

    def _gradient(self) -> Tensor:
        """Returns the gradients of all parameters, in one row of real numbers."""
        parts = []
        for p in self._params:
            if p.grad is None:
                part = FUNCTIONS["zeros_like"](alias_of(p))
            else:
                part = p.grad.to_dense() if p.grad.is_sparse else p.grad.detach()
            parts.append(real_view(part).reshape(-1))
        whole: Tensor = FUNCTIONS["cat"](parts, 0)
        return whole

    def _move(self, step: float, direction: Tensor) -> None:
        offset = 0
        for p in self._params:
            x = real_view(alias_of(p))
            x.add_(direction[offset : offset + x.numel()].view(x.shape), alpha=step)
            offset += x.numel()


class _Line:
    """The loss along a direction; the parameters are put back after each look."""

    def __init__(self, optimizer: LBFGS, closure: Closure, direction: Tensor) -> None:
        self._optimizer, self._closure, self._direction = optimizer, closure, direction
        self._start = [p.detach().clone() for p in optimizer._params]

    def __call__(self, step: float) -> Point:
        self._optimizer._move(step, self._direction)
        value, gradient = float(self._closure()), self._optimizer._gradient()
        for p, start in zip(self._optimizer._params, self._start, strict=True):
            alias_of(p).copy_(start)
        return Point(step, value, float(gradient.dot(self._direction)), gradient)
