"""What distributions with a location and a scale share: how they are made and expanded.

Must not know: which distributions there are.
"""

from __future__ import annotations

from dispatchtorch.distributions.distribution import Distribution
from dispatchtorch.distributions.table import Number, Value
from dispatchtorch.distributions.utils import broadcast_all
from dispatchtorch.tensor.tensor import Size, Tensor

__all__ = ["LocationScale", "shape_of"]


def shape_of(first: Tensor, *given: Value) -> Size:
    """Returns the batch shape of parameters as they were given: none where all are numbers."""
    return Size() if all(isinstance(v, Number) for v in given) else first.size()


class LocationScale(Distribution):
    """A distribution whose values are ``loc + scale * z``."""

    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Value, scale: Value, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(shape_of(self.loc, loc, scale), validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc
