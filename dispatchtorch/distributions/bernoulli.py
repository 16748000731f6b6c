"""torch.distributions.bernoulli: 1 with a probability, else 0."""

from __future__ import annotations

from dispatchtorch.autograd.grad_mode import no_grad
from dispatchtorch.distributions import constraints
from dispatchtorch.distributions.exp_family import ExponentialFamily
from dispatchtorch.distributions.odds import Odds, only_one
from dispatchtorch.distributions.table import Number, Shape, Value, ops
from dispatchtorch.distributions.utils import broadcast_all
from dispatchtorch.ops.activation import log_sigmoid
from dispatchtorch.tensor.tensor import Size, Tensor

__all__ = ["Bernoulli", "cross_entropy"]


def cross_entropy(logits: Tensor, value: Tensor) -> Tensor:
    """Returns what it costs in nats to tell ``value`` to somebody who expects these log odds."""
    return (1 - value) * logits - log_sigmoid(logits)


class Bernoulli(Odds, ExponentialFamily):
    """1 with probability ``probs``, or with log odds ``logits``; else 0.

    >>> torch.distributions.Bernoulli(0.25).mean
    tensor(0.2500)
    """

    _is_declared = True
    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}  # noqa: RUF012 - torch's attribute
    support = constraints.boolean
    has_enumerate_support = True
    _mean_carrier_measure = 0

    def __init__(
        self, probs: Value | None = None, logits: Value | None = None, validate_args: bool | None = None
    ) -> None:
        only_one(probs, logits)
        given = probs if logits is None else logits
        self.__dict__["probs" if logits is None else "logits"] = broadcast_all(given)[0]
        shape = Size() if isinstance(given, Number) else self._param.size()
        super().__init__(shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        likely = (self.probs >= 0.5).to(self.probs)
        return likely.masked_fill(self.probs == 0.5, float("nan"))

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with no_grad():
            return ops.bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        return -cross_entropy(logits, value)

    def entropy(self) -> Tensor:
        return cross_entropy(self.logits, self.probs)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values = ops.arange(2, dtype=self._param.dtype, device=self._param.device)
        values = values.view((-1, *(1 for _ in self._batch_shape)))
        return values.expand((-1, *self._batch_shape)) if expand else values

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (ops.logit(self.probs),)

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        return ops.log1p(ops.exp(natural_params[0]))
