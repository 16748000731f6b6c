"""torch.distributions.geometric: failures before the first success."""

from __future__ import annotations

from dispatchtorch._base.limits import finfo
from dispatchtorch.autograd.grad_mode import no_grad
from dispatchtorch.distributions import constraints
from dispatchtorch.distributions.bernoulli import cross_entropy
from dispatchtorch.distributions.odds import Odds, only_one
from dispatchtorch.distributions.table import Number, Shape, Value, ops, uniform_like
from dispatchtorch.distributions.utils import broadcast_all
from dispatchtorch.tensor.tensor import Size, Tensor

__all__ = ["Geometric"]


class Geometric(Odds):
    """The number of failures before the first success of probability ``probs``."""

    _is_declared = True
    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}  # noqa: RUF012 - torch's attribute
    support = constraints.nonnegative_integer

    def __init__(
        self, probs: Value | None = None, logits: Value | None = None, validate_args: bool | None = None
    ) -> None:
        only_one(probs, logits)
        given = probs if logits is None else logits
        self.__dict__["probs" if logits is None else "logits"] = broadcast_all(given)[0]
        shape = Size() if isinstance(given, Number) else self._param.size()
        super().__init__(shape, validate_args=validate_args)
        if self._validate_args and probs is not None:
            value = self.probs
            valid = value > 0
            if not valid.all():
                raise ValueError(
                    f"Expected parameter probs ({type(value).__name__} of shape {tuple(value.shape)}) "
                    f"of distribution {self!r} to be positive but found invalid values:\n{value[~valid]}"
                )

    @property
    def mean(self) -> Tensor:
        return 1.0 / self.probs - 1.0

    @property
    def mode(self) -> Tensor:
        return ops.zeros_like(self.probs)

    @property
    def variance(self) -> Tensor:
        return (1.0 / self.probs - 1.0) / self.probs

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with no_grad():
            u = uniform_like(self.probs, self._extended_shape(sample_shape), finfo(self.probs.dtype).tiny)
            return (u.log() / (-self.probs).log1p()).floor()

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        value, probs = broadcast_all(value, self.probs)
        certain = (probs == 1) & (value == 0)
        return value * (-probs.masked_fill(certain, 0)).log1p() + self.probs.log()

    def entropy(self) -> Tensor:
        return cross_entropy(self.logits, self.probs) / self.probs
