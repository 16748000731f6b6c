"""What distributions of chances share: the parameter is ``probs`` or ``logits``, and the other is computed on demand.

Must not know: which distributions there are.
"""

from __future__ import annotations

from typing import Any

from dispatchtorch.distributions.distribution import Distribution
from dispatchtorch.distributions.table import Shape
from dispatchtorch.distributions.utils import lazy_property, logits_to_probs, probs_to_logits
from dispatchtorch.tensor.tensor import Size, Tensor

__all__ = ["Chances", "Odds", "only_one"]


def only_one(probs: Any, logits: Any) -> None:
    """Raises torch's ValueError unless exactly one of both forms of the parameter is given."""
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")


class Chances(Distribution):
    """Probabilities or log probabilities, of two outcomes or of as many as the last dimension has."""

    _is_binary = False

    @lazy_property
    def logits(self) -> Tensor:
        return probs_to_logits(self.probs, is_binary=self._is_binary)

    @lazy_property
    def probs(self) -> Tensor:
        return logits_to_probs(self.logits, is_binary=self._is_binary)

    @property
    def _param(self) -> Tensor:
        found: Tensor = self.__dict__["probs"] if "probs" in self.__dict__ else self.__dict__["logits"]
        return found

    @property
    def param_shape(self) -> Size:
        """The shape of the parameter."""
        result: Size = self._param.size()
        return result

    def _new(self, *args: Any, **kwargs: Any) -> Tensor:
        return self._param.new_empty(*args, **kwargs)


class Odds(Chances):
    """A distribution with a probability, or log odds, of one outcome against another."""

    _is_binary = True

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        return self._grown(self._own_class(), _instance, batch_shape, "total_count", "probs", "logits")

    def _own_class(self) -> type[Any]:
        """Returns the class that declares the distribution's ``__init__``."""
        return next(c for c in type(self).__mro__ if "_is_declared" in c.__dict__)
