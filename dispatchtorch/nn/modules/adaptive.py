"""A softmax over very many classes: frequent ones at once, rare ones in clusters with narrower layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.nn.modules.container import ModuleList, Sequential
from dispatchtorch.nn.modules.linear import Linear
from dispatchtorch.nn.modules.module import Module
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class _ASMoutput(NamedTuple):
    """What the layer returns: the log probability of each target, and the mean loss."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log probabilities of ``n_classes``, which ``cutoffs`` divide into a head and clusters, and their mean loss."""

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        bounds = list(cutoffs)
        if not bounds:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        if (
            bounds != sorted(bounds)
            or min(bounds) <= 0
            or max(bounds) > n_classes - 1
            or len(set(bounds)) != len(bounds)
            or any(int(c) != c for c in bounds)
        ):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each "
                "value is between 1 and n_classes-1"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*bounds, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        where = {"device": device, "dtype": dtype}
        self.head = Linear(in_features, self.head_size, bias=head_bias, **where)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            width = int(in_features // (div_value ** (i + 1)))
            count = self.cutoffs[i + 1] - self.cutoffs[i]
            self.tail.append(
                Sequential(Linear(in_features, width, bias=False, **where), Linear(width, count, bias=False, **where))
            )

    def reset_parameters(self) -> None:
        """Fills all layers anew."""
        self.head.reset_parameters()
        for first, second in self.tail:
            first.reset_parameters()
            second.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> _ASMoutput:
        """Returns the log probability of each target, and the mean of their negatives."""
        _check(input_, target_)
        batched = target_.dim() > 0
        input, target = (input_, target_) if batched else (input_.unsqueeze(0), target_.unsqueeze(0))
        begins = [0, *self.cutoffs]
        used, batch = 0, int(target.size(0))
        output = input.new_zeros((batch,))
        places = target.clone()
        for i in range(len(begins) - 1):
            mask = (target >= begins[i]) & (target < begins[i + 1])
            rows = FUNCTIONS["nonzero"](mask).reshape(-1)
            used += int(rows.numel())
            if i == 0 or not rows.numel():
                continue
            logs = self.tail[i - 1](input.index_select(0, rows)).log_softmax(1)
            own = logs.gather(1, (target[rows] - begins[i]).unsqueeze(1)).squeeze(1)
            output = output.index_copy(0, rows, own)
            places = places.index_fill(0, rows, self.shortlist_size + i - 1)
        if used != batch:
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range [{target.min().item()}, "
                f"{target.max().item()}] were found. "
            )
        head = self.head(input).log_softmax(1)
        output = output + head.gather(1, places.unsqueeze(1)).squeeze(1)
        loss = (-output).mean()
        return _ASMoutput(output if batched else output.squeeze(0), loss)

    def _get_full_log_prob(self, input: Tensor, head_output: Tensor) -> Tensor:
        head = head_output.log_softmax(1)
        parts = [head.narrow(1, 0, self.shortlist_size)]
        for i in range(self.n_clusters):
            logs = self.tail[i](input).log_softmax(1)
            parts.append(logs + head.narrow(1, self.shortlist_size + i, 1))
        return FUNCTIONS["cat"](parts, 1)  # type: ignore[no-any-return]  # an entry of the table

    def log_prob(self, input: Tensor) -> Tensor:
        """Returns the log probabilities of all classes: (N, n_classes)."""
        return self._get_full_log_prob(input, self.head(input))

    def predict(self, input: Tensor) -> Tensor:
        """Returns the likeliest class of each row, without computing clusters that cannot have it."""
        scores = self.head(input)
        output: Tensor = scores.argmax(1)
        rare = output >= self.shortlist_size
        if not bool(rare.any()):
            return output
        rows = FUNCTIONS["nonzero"](rare).reshape(-1)
        found = self._get_full_log_prob(input.index_select(0, rows), scores.index_select(0, rows)).argmax(1)
        return output.index_copy(0, rows, found)


def _check(input: Tensor, target: Tensor) -> None:
    dims = target.dim()
    if dims > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if dims == 1 and input.size(0) != target.size(0):
        raise RuntimeError("Input and target should have the same size in the batch dimension.")
    if input.dim() != dims + 1:
        raise RuntimeError(
            f"{dims}D target tensor expects {dims + 1}D input tensors, but found inputs with size {input.size()}"
        )
