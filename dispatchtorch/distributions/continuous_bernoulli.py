"""torch.distributions.continuous_bernoulli: a density on 0 to 1 proportional to p**x (1 - p)**(1 - x).

Around p = 1/2 the closed forms are 0 / 0, and their Taylor series stand in (Loaiza-Ganem and Cunningham 2019).
"""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch.autograd.grad_mode import no_grad
from dispatchtorch.distributions import constraints
from dispatchtorch.distributions.bernoulli import cross_entropy
from dispatchtorch.distributions.exp_family import ExponentialFamily
from dispatchtorch.distributions.odds import Odds, only_one
from dispatchtorch.distributions.table import Number, Shape, Value, ops, uniform_like
from dispatchtorch.distributions.utils import broadcast_all, clamp_probs, lazy_property, logits_to_probs
from dispatchtorch.tensor.tensor import Size, Tensor

__all__ = ["ContinuousBernoulli"]


class ContinuousBernoulli(Odds, ExponentialFamily):
    """A density on 0 to 1 proportional to ``probs**x (1 - probs)**(1 - x)``; within ``lims`` series are used."""

    _is_declared = True
    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}  # noqa: RUF012 - torch's attribute
    support = constraints.unit_interval
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(
        self,
        probs: Value | None = None,
        logits: Value | None = None,
        lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ) -> None:
        only_one(probs, logits)
        given = probs if logits is None else logits
        (param,) = broadcast_all(given)
        if logits is None:
            if validate_args is not None and not constraints.unit_interval.check(param).all():
                raise ValueError("The parameter probs has invalid values")
            self.__dict__["probs"] = clamp_probs(param)
        else:
            self.__dict__["logits"] = param
        shape = Size() if isinstance(given, Number) else self._param.size()
        self._lims = lims
        super().__init__(shape, validate_args=validate_args)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        new = self._get_checked_instance(ContinuousBernoulli, _instance)
        new._lims = self._lims
        return super().expand(batch_shape, new)

    @lazy_property
    def probs(self) -> Tensor:
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    def _outside(self) -> Tensor:
        """Returns where the closed forms hold."""
        return ops.max(ops.le(self.probs, self._lims[0]), ops.gt(self.probs, self._lims[1]))

    def _cut_probs(self) -> Tensor:
        return ops.where(self._outside(), self.probs, self._lims[0] * ops.ones_like(self.probs))

    def _log_norm(self) -> Tensor:
        cut = self._cut_probs()
        below = ops.where(cut <= 0.5, cut, ops.zeros_like(cut))
        above = ops.where(cut >= 0.5, cut, ops.ones_like(cut))
        scale = ops.where(cut <= 0.5, ops.log1p(-2.0 * below), ops.log(2.0 * above - 1.0))
        closed = ops.log(ops.abs(ops.log1p(-cut) - ops.log(cut))) - scale
        x = (self.probs - 0.5) ** 2
        return ops.where(self._outside(), closed, math.log(2.0) + (4.0 / 3.0 + 104.0 / 45.0 * x) * x)

    @property
    def mean(self) -> Tensor:
        cut = self._cut_probs()
        closed = cut / (2.0 * cut - 1.0) + 1.0 / (ops.log1p(-cut) - ops.log(cut))
        x = self.probs - 0.5
        return ops.where(self._outside(), closed, 0.5 + (1.0 / 3.0 + 16.0 / 45.0 * x**2) * x)

    @property
    def mode(self) -> Tensor:
        raise NotImplementedError(f"{self.__class__} does not implement mode")

    @property
    def stddev(self) -> Tensor:
        return ops.sqrt(self.variance)

    @property
    def variance(self) -> Tensor:
        cut = self._cut_probs()
        closed = cut * (cut - 1.0) / (1.0 - 2.0 * cut) ** 2 + 1.0 / (ops.log1p(-cut) - ops.log(cut)) ** 2
        x = (self.probs - 0.5) ** 2
        return ops.where(self._outside(), closed, 1.0 / 12.0 - (1.0 / 15.0 - 128.0 / 945.0 * x) * x)

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        return self.icdf(uniform_like(self.probs, self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        return -cross_entropy(logits, value) + self._log_norm()

    def cdf(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        cut = self._cut_probs()
        closed = (cut**value * (1.0 - cut) ** (1.0 - value) + cut - 1.0) / (2.0 * cut - 1.0)
        inside = ops.where(self._outside(), closed, value)
        low, high = ops.le(value, 0.0), ops.ge(value, 1.0)
        return ops.where(low, ops.zeros_like(value), ops.where(high, ops.ones_like(value), inside))

    def icdf(self, value: Tensor) -> Tensor:
        cut = self._cut_probs()
        shift = ops.log1p(-cut)
        closed = (ops.log1p(-cut + value * (2.0 * cut - 1.0)) - shift) / (ops.log(cut) - shift)
        return ops.where(self._outside(), closed, value)

    def entropy(self) -> Tensor:
        against = ops.log1p(-self.probs)
        return self.mean * (against - ops.log(self.probs)) - self._log_norm() - against

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (ops.logit(self.probs),)

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        (x,) = natural_params
        outside = ops.max(ops.le(x, self._lims[0] - 0.5), ops.gt(x, self._lims[1] - 0.5))
        cut = ops.where(outside, x, (self._lims[0] - 0.5) * ops.ones_like(x))
        closed = ops.log(ops.abs(ops.expm1(cut))) - ops.log(ops.abs(cut))
        return ops.where(outside, closed, 0.5 * x + x**2 / 24.0 - x**4 / 2880.0)
