"""torch.distributions.logistic_normal: points of the simplex made from normal numbers by breaking sticks."""

from __future__ import annotations

from typing import Any

from dispatchtorch.distributions import constraints
from dispatchtorch.distributions.normal import Normal
from dispatchtorch.distributions.table import Shape, Value
from dispatchtorch.distributions.transformed_distribution import TransformedDistribution
from dispatchtorch.distributions.transforms import StickBreakingTransform
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["LogisticNormal"]


class LogisticNormal(TransformedDistribution):
    """Points of the simplex: `StickBreakingTransform` of normal numbers, one part more than there are numbers."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}  # noqa: RUF012 - torch's attribute
    support = constraints.simplex
    has_rsample = True

    def __init__(self, loc: Value, scale: Value, validate_args: bool | None = None) -> None:
        base = Normal(loc, scale, validate_args=validate_args)
        if not base.batch_shape:
            base = base.expand([1])
        super().__init__(base, StickBreakingTransform(), validate_args=validate_args)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        return super().expand(batch_shape, self._get_checked_instance(LogisticNormal, _instance))

    @property
    def loc(self) -> Tensor:
        """The mean of the normal numbers."""
        found: Tensor = self.base_dist.base_dist.loc
        return found

    @property
    def scale(self) -> Tensor:
        """The standard deviation of the normal numbers."""
        found: Tensor = self.base_dist.base_dist.scale
        return found
