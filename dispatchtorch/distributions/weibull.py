"""torch.distributions.weibull: how long things last."""

from __future__ import annotations

from typing import Any

from dispatchtorch.distributions import constraints
from dispatchtorch.distributions.exponential import Exponential
from dispatchtorch.distributions.table import Shape, Value, ops
from dispatchtorch.distributions.transformed_distribution import TransformedDistribution
from dispatchtorch.distributions.transforms import AffineTransform, PowerTransform
from dispatchtorch.distributions.utils import broadcast_all, euler_constant
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["Weibull"]


class Weibull(TransformedDistribution):
    """The probability of more than x is ``exp(-(x / scale)**concentration)``."""

    arg_constraints = {  # noqa: RUF012 - torch's attribute
        "scale": constraints.positive,
        "concentration": constraints.positive,
    }
    support = constraints.positive

    def __init__(self, scale: Value, concentration: Value, validate_args: bool | None = None) -> None:
        self.scale, self.concentration = broadcast_all(scale, concentration)
        self.concentration_reciprocal = self.concentration.reciprocal()
        base = Exponential(ops.ones_like(self.scale), validate_args=validate_args)
        super().__init__(base, self._steps(self.scale, self.concentration_reciprocal), validate_args=validate_args)

    @staticmethod
    def _steps(scale: Tensor, exponent: Tensor) -> list[Any]:
        return [PowerTransform(exponent=exponent), AffineTransform(loc=0, scale=scale)]

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        new = self._get_checked_instance(Weibull, _instance)
        new.scale, new.concentration = self.scale.expand(batch_shape), self.concentration.expand(batch_shape)
        new.concentration_reciprocal = new.concentration.reciprocal()
        new.base_dist = self.base_dist.expand(batch_shape)
        new.transforms = self._steps(new.scale, new.concentration_reciprocal)
        return self._settled(new, batch_shape, self.event_shape)

    @property
    def mean(self) -> Tensor:
        return self.scale * ops.exp(ops.lgamma(1 + self.concentration_reciprocal))

    @property
    def mode(self) -> Tensor:
        return self.scale * ((self.concentration - 1) / self.concentration) ** self.concentration.reciprocal()

    @property
    def variance(self) -> Tensor:
        second = ops.exp(ops.lgamma(1 + 2 * self.concentration_reciprocal))
        return self.scale.pow(2) * (second - ops.exp(2 * ops.lgamma(1 + self.concentration_reciprocal)))

    def entropy(self) -> Tensor:
        share = self.concentration_reciprocal
        return euler_constant * (1 - share) + ops.log(self.scale * share) + 1
