"""torch.distributions.negative_binomial: successes before a number of failures."""

from __future__ import annotations

from typing import Any

from dispatchtorch.autograd.grad_mode import no_grad
from dispatchtorch.distributions import constraints
from dispatchtorch.distributions.gamma import Gamma
from dispatchtorch.distributions.odds import Odds, only_one
from dispatchtorch.distributions.table import Shape, Value, ops
from dispatchtorch.distributions.utils import broadcast_all, lazy_property
from dispatchtorch.ops.activation import log_sigmoid
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["NegativeBinomial"]


class NegativeBinomial(Odds):
    """The number of successes of probability ``probs`` before ``total_count`` failures."""

    _is_declared = True
    arg_constraints = {  # noqa: RUF012 - torch's attribute
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer

    def __init__(
        self,
        total_count: Value,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        only_one(probs, logits)
        given: Any = probs if logits is None else logits
        name = "probs" if logits is None else "logits"
        self.total_count, self.__dict__[name] = broadcast_all(total_count, given)
        self.total_count = self.total_count.type_as(self.__dict__[name])
        super().__init__(self._param.size(), validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.total_count * ops.exp(self.logits)

    @property
    def mode(self) -> Tensor:
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0)

    @property
    def variance(self) -> Tensor:
        return self.mean / ops.sigmoid(-self.logits)

    @lazy_property
    def _gamma(self) -> Gamma:
        return Gamma(concentration=self.total_count, rate=ops.exp(-self.logits), validate_args=False)

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with no_grad():
            return ops.poisson(self._gamma.sample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        n = self.total_count
        weight = n * log_sigmoid(-self.logits) + value * log_sigmoid(self.logits)
        both = n + value
        ways = -ops.lgamma(both) + ops.lgamma(1.0 + value) + ops.lgamma(n)
        return weight - ways.masked_fill(both == 0.0, 0.0)
