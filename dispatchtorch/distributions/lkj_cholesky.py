"""torch.distributions.lkj_cholesky: Cholesky factors of random correlation matrices.

Drawn row by row, by the onion method (Lewandowski, Kurowicka and Joe 2009).
"""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch._base.limits import finfo
from dispatchtorch.distributions import constraints
from dispatchtorch.distributions.beta import Beta
from dispatchtorch.distributions.distribution import Distribution
from dispatchtorch.distributions.table import Shape, Value, ops
from dispatchtorch.distributions.utils import _standard_normal, broadcast_all
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["LKJCholesky"]


class LKJCholesky(Distribution):
    """Lower Cholesky factors of ``dim`` x ``dim`` correlation matrices, of density det(matrix)**(concentration - 1)."""

    arg_constraints = {"concentration": constraints.positive}  # noqa: RUF012 - torch's attribute
    support = constraints.corr_cholesky

    def __init__(self, dim: int, concentration: Value = 1.0, validate_args: bool | None = None) -> None:
        if dim < 2:
            raise ValueError(f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        marginal = self.concentration + 0.5 * (dim - 2)
        places = ops.arange(dim - 1, dtype=self.concentration.dtype, device=self.concentration.device)
        places = ops.cat([places.new_zeros((1,)), places])
        self._beta = Beta(places + 0.5, marginal.unsqueeze(-1) - 0.5 * places)
        super().__init__(self.concentration.size(), (dim, dim), validate_args)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        new = self._grown(LKJCholesky, _instance, batch_shape, "concentration")
        new.dim = self.dim
        new._beta = self._beta.expand((*batch_shape, self.dim))
        return new

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        squares = self._beta.sample(sample_shape).detach().unsqueeze(-1)
        normal = _standard_normal(self._extended_shape(sample_shape), squares).tril(-1)
        sphere = normal / normal.norm(dim=-1, keepdim=True)
        first = ops.arange(self.dim, device=squares.device).view((self.dim, 1)) == 0
        rows = ops.sqrt(squares) * sphere.masked_fill(first, 0.0)
        left = ops.clamp(1 - ops.sum(rows**2, dim=-1), min=finfo(rows.dtype).tiny)
        return rows + ops.diag_embed(left.sqrt())

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        diagonal = value.diagonal(dim1=-1, dim2=-2)[..., 1:]
        order = ops.arange(2, self.dim + 1, device=self.concentration.device)
        powers = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim - order
        free = self.dim - 1
        alpha = self.concentration + 0.5 * free
        normaliser = 0.5 * free * math.log(math.pi) + ops.mvlgamma(alpha - 0.5, free) - ops.lgamma(alpha) * free
        return ops.sum(powers * diagonal.log(), dim=-1) - normaliser
