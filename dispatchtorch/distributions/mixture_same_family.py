"""torch.distributions.mixture_same_family: one of several distributions of a family, drawn first."""

from __future__ import annotations

from typing import Any

from dispatchtorch.autograd.grad_mode import no_grad
from dispatchtorch.distributions import constraints
from dispatchtorch.distributions.categorical import Categorical
from dispatchtorch.distributions.distribution import Distribution
from dispatchtorch.distributions.table import Shape, ops
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["MixtureSameFamily"]


class MixtureSameFamily(Distribution):
    """A mixture of the last batch dimension of ``component_distribution``, with the weights of a `Categorical`."""

    arg_constraints: dict[str, Any] = {}  # noqa: RUF012 - torch's attribute
    has_rsample = False

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: Distribution,
        validate_args: bool | None = None,
    ) -> None:
        self._mixture_distribution = mixture_distribution
        self._component_distribution = component_distribution
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(" The Mixture distribution needs to be an  instance of torch.distributions.Categorical")
        if not isinstance(component_distribution, Distribution):
            raise ValueError("The Component distribution needs to be an instance of torch.distributions.Distribution")
        mdbs, cdbs = mixture_distribution.batch_shape, component_distribution.batch_shape[:-1]
        for mine, other in zip(reversed(mdbs), reversed(cdbs)):
            if mine != 1 and other != 1 and mine != other:
                raise ValueError(
                    f"`mixture_distribution.batch_shape` ({mdbs}) is not "
                    f"compatible with `component_distribution.batch_shape`({cdbs})"
                )
        km = mixture_distribution.logits.shape[-1]
        kc = component_distribution.batch_shape[-1]
        if km is not None and kc is not None and km != kc:
            raise ValueError(
                f"`mixture_distribution component` ({km}) does not equal "
                f"`component_distribution.batch_shape[-1]` ({kc})"
            )
        self._num_component = km
        event = component_distribution.event_shape
        self._event_ndims = len(event)
        super().__init__(cdbs, event, validate_args=validate_args)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        new = self._get_checked_instance(MixtureSameFamily, _instance)
        new._component_distribution = self._component_distribution.expand((*batch_shape, self._num_component))
        new._mixture_distribution = self._mixture_distribution.expand(batch_shape)
        new._num_component = self._num_component
        new._event_ndims = self._event_ndims
        return self._settled(new, batch_shape, new._component_distribution.event_shape)

    @constraints.dependent_property
    def support(self) -> Any:
        return constraints.MixtureSameFamilyConstraint(self._component_distribution.support)

    @property
    def mixture_distribution(self) -> Categorical:
        """The weights."""
        return self._mixture_distribution

    @property
    def component_distribution(self) -> Distribution:
        """What is mixed."""
        return self._component_distribution

    def _weights(self) -> Tensor:
        """Returns the probabilities, with dimensions to broadcast over events."""
        probs = self.mixture_distribution.probs
        mine, weights = len(self.batch_shape), len(self.mixture_distribution.batch_shape)
        missing = 0 if weights == 1 else mine - weights
        shape = probs.shape
        return probs.reshape((*shape[:-1], *[1] * missing, shape[-1], *[1] * self._event_ndims))

    def _over_components(self, x: Tensor) -> Tensor:
        result: Tensor = x.unsqueeze(-1 - self._event_ndims)
        return result

    @property
    def mean(self) -> Tensor:
        return ops.sum(self._weights() * self.component_distribution.mean, dim=-1 - self._event_ndims)

    @property
    def variance(self) -> Tensor:
        weights, dim = self._weights(), -1 - self._event_ndims
        within = ops.sum(weights * self.component_distribution.variance, dim=dim)
        off = self.component_distribution.mean - self._over_components(self.mean)
        return within + ops.sum(weights * off.pow(2.0), dim=dim)

    def cdf(self, x: Tensor) -> Tensor:
        shares = self.component_distribution.cdf(self._over_components(x))
        return ops.sum(shares * self.mixture_distribution.probs, dim=-1)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        inner = self.component_distribution.log_prob(self._over_components(value))
        weights = ops.log_softmax(self.mixture_distribution.logits, dim=-1)
        return ops.logsumexp(inner + weights, dim=-1)

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with no_grad():
            dim = len(sample_shape) + len(self.batch_shape)
            chosen = self.mixture_distribution.sample(sample_shape)
            values = self.component_distribution.sample(sample_shape)
            places = chosen.reshape((*chosen.shape, *[1] * (self._event_ndims + 1)))
            places = places.expand((*values.shape[:dim], 1, *self.event_shape))
            return ops.gather(values, dim, places).squeeze(dim)

    def __repr__(self) -> str:
        return f"MixtureSameFamily(\n  {self.mixture_distribution},\n  {self.component_distribution})"
