"""torch.distributions.exp_family: distributions of the form exp(theta . t(x) - F(theta) + k(x)).

Entropies, and divergences within a family, follow from the log normaliser F by automatic differentiation.
"""

from __future__ import annotations

from typing import Any

from dispatchtorch.autograd.api import grad
from dispatchtorch.distributions.distribution import Distribution
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    """A distribution with natural parameters and a log normaliser; its entropy is derived from them."""

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        raise NotImplementedError

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self) -> Any:
        raise NotImplementedError

    def entropy(self) -> Tensor:
        result = -self._mean_carrier_measure
        natural = [p.detach().requires_grad_() for p in self._natural_params]
        normaliser = self._log_normalizer(*natural)
        slopes = grad(normaliser.sum(), natural, create_graph=True)
        result = result + normaliser
        for p, slope in zip(natural, slopes):
            result = result - (p * slope).reshape((*self._batch_shape, -1)).sum(-1)
        return result  # type: ignore[no-any-return]  # sums of tensors
