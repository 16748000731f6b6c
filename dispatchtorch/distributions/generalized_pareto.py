"""torch.distributions.generalized_pareto: what lies beyond a threshold."""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch.distributions import constraints
from dispatchtorch.distributions.distribution import Distribution
from dispatchtorch.distributions.location import shape_of
from dispatchtorch.distributions.table import Shape, Value, ops, uniform_like
from dispatchtorch.distributions.utils import broadcast_all
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["GeneralizedPareto"]


class GeneralizedPareto(Distribution):
    """The tail beyond ``loc``, heavier the larger ``concentration``; exponential where that is 0."""

    arg_constraints = {  # noqa: RUF012 - torch's attribute
        "loc": constraints.real,
        "scale": constraints.positive,
        "concentration": constraints.real,
    }
    has_rsample = True

    def __init__(self, loc: Value, scale: Value, concentration: Value, validate_args: bool | None = None) -> None:
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(shape_of(self.loc, loc, scale, concentration), validate_args=validate_args)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        return self._grown(GeneralizedPareto, _instance, batch_shape, "loc", "scale", "concentration")

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        low, high = self.loc, self.loc - self.scale / self.concentration
        high = ops.where(self.concentration < 0, high, ops.full_like(high, math.inf))
        return constraints.interval(low, high)

    def _flat(self) -> tuple[Tensor, Tensor]:
        """Returns where the tail is exponential, and the concentration with 1 there."""
        flat = ops.isclose(self.concentration, ops.zeros_like(self.concentration))
        return flat, ops.where(flat, ops.ones_like(self.concentration), self.concentration)

    def _z(self, x: Tensor) -> Tensor:
        return (x - self.loc) / self.scale

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        return self.icdf(uniform_like(self.loc, self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        z = self._z(value)
        flat, k = self._flat()
        curved = -(1 / k + ops.ones_like(z)) * ops.log1p(k * z)
        return ops.where(flat, -z, curved) - ops.log(self.scale)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """Returns the logarithm of the probability of more than a value."""
        if self._validate_args:
            self._validate_sample(value)
        z = self._z(value)
        flat, k = self._flat()
        return ops.where(flat, -z, -ops.log1p(k * z) / k)

    def log_cdf(self, value: Tensor) -> Tensor:
        """Returns the logarithm of the probability of a value or less."""
        return ops.log1p(-ops.exp(self.log_survival_function(value)))

    def cdf(self, value: Tensor) -> Tensor:
        return ops.exp(self.log_cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        flat, k = self._flat()
        log_rest = ops.log1p(-value)
        curved = self.loc + self.scale * ops.expm1(-k * log_rest) / k
        return ops.where(flat, self.loc - self.scale * log_rest, curved)

    @property
    def mean(self) -> Tensor:
        k = self.concentration
        exists = k < 1
        safe = ops.where(exists, k, ops.full_like(k, 0.5))
        return ops.where(exists, self.loc + self.scale / (1 - safe), ops.full_like(k, math.inf))

    @property
    def variance(self) -> Tensor:
        k = self.concentration
        exists = k < 0.5
        safe = ops.where(exists, k, ops.full_like(k, 0.25))
        value = self.scale**2 / ((1 - safe) ** 2 * (1 - 2 * safe))
        return ops.where(exists, value, ops.full_like(k, math.inf))

    def entropy(self) -> Tensor:
        return (ops.log(self.scale) + self.concentration + 1).expand(self._batch_shape)

    @property
    def mode(self) -> Tensor:
        return self.loc
