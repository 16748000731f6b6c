"""torch.distributions.von_mises: angles around a direction."""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch._base.dtypes import bool_, float64
from dispatchtorch.autograd.grad_mode import no_grad
from dispatchtorch.distributions import constraints
from dispatchtorch.distributions.distribution import Distribution
from dispatchtorch.distributions.table import Shape, Value, ops, special, uniform_like
from dispatchtorch.distributions.utils import broadcast_all, lazy_property
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["VonMises"]


def _log_bessel(x: Tensor, order: int = 0) -> Tensor:
    """Returns the logarithm of the modified Bessel function of the first kind, of order 0 or 1."""
    scaled = special.i0e(x) if order == 0 else special.i1e(x)
    return x + scaled.log()


class VonMises(Distribution):
    """Angles of -pi to pi, of density proportional to ``exp(concentration * cos(x - loc))``."""

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}  # noqa: RUF012 - torch's attribute
    support = constraints.real
    has_rsample = False

    def __init__(self, loc: Value, concentration: Value, validate_args: bool | None = None) -> None:
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, (), validate_args)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        if _instance is not None:
            return self._grown(VonMises, _instance, batch_shape, "loc", "concentration")
        validate = self.__dict__.get("_validate_args")
        loc, concentration = self.loc.expand(batch_shape), self.concentration.expand(batch_shape)
        return type(self)(loc, concentration, validate_args=validate)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        log_prob = self.concentration * ops.cos(value - self.loc)
        return log_prob - math.log(2 * math.pi) - _log_bessel(self.concentration)

    @lazy_property
    def _loc(self) -> Tensor:
        return self.loc.to(float64)

    @lazy_property
    def _concentration(self) -> Tensor:
        return self.concentration.to(float64)

    @lazy_property
    def _proposal_r(self) -> Tensor:
        kappa = self._concentration
        tau = 1 + (1 + 4 * kappa**2).sqrt()
        rho = (tau - (2 * tau).sqrt()) / (2 * kappa)
        return ops.where(kappa < 1e-5, 1 / kappa + kappa, (1 + rho**2) / (2 * rho))

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        """Returns angles by rejection from a wrapped Cauchy distribution (Best and Fisher 1979), in float64."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            loc, kappa, r = (v.expand(shape) for v in (self._loc, self._concentration, self._proposal_r))
            x = loc.new_zeros(shape)
            done = ops.zeros_like(x, dtype=bool_)
            while not done.all():
                u1, u2, u3 = uniform_like(loc, (3, *shape)).unbind()
                z = ops.cos(math.pi * u1)
                f = (1 + r * z) / (r + z)
                c = kappa * (r - f)
                accept = ((c * (2 - c) - u2) > 0) | ((c / u2).log() + 1 - c >= 0)
                x = ops.where(accept, (u3 - 0.5).sign() * f.acos(), x)
                done = done | accept
            return ((x + math.pi + loc) % (2 * math.pi) - math.pi).to(self.loc.dtype)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @lazy_property
    def variance(self) -> Tensor:
        return 1 - (_log_bessel(self.concentration, 1) - _log_bessel(self.concentration)).exp()
