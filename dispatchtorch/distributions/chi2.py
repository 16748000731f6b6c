"""torch.distributions.chi2: the sum of squares of normal numbers."""

from __future__ import annotations

from typing import Any

from dispatchtorch.distributions import constraints
from dispatchtorch.distributions.gamma import Gamma
from dispatchtorch.distributions.table import Shape, Value
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["Chi2"]


class Chi2(Gamma):
    """The sum of squares of ``df`` standard normal numbers."""

    arg_constraints = {"df": constraints.positive}  # noqa: RUF012 - torch's attribute

    def __init__(self, df: Value, validate_args: bool | None = None) -> None:
        super().__init__(0.5 * df, 0.5, validate_args=validate_args)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        return super().expand(batch_shape, self._get_checked_instance(Chi2, _instance))

    @property
    def df(self) -> Tensor:
        """The degrees of freedom."""
        return self.concentration * 2
