"""torch.distributions.lowrank_multivariate_normal: normal vectors whose covariance is a few directions and a diagonal.

Everything is computed with matrices of the rank's size, by Woodbury's identity and the matrix determinant lemma.
"""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch.distributions import constraints
from dispatchtorch.distributions.distribution import Distribution
from dispatchtorch.distributions.quadratic import half_log_det, mahalanobis, product
from dispatchtorch.distributions.table import Shape, linalg, ops
from dispatchtorch.distributions.utils import _standard_normal, lazy_property
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["LowRankMultivariateNormal", "capacitance_tril", "lowrank_distance", "lowrank_log_det"]


def capacitance_tril(factor: Tensor, diagonal: Tensor) -> Tensor:
    """Returns the Cholesky factor of ``1 + W' D^-1 W``."""
    inner = ops.matmul(factor.mT / diagonal.unsqueeze(-2), factor)
    return linalg.cholesky(inner + ops.eye(inner.shape[-1], dtype=inner.dtype, device=inner.device))


def lowrank_log_det(diagonal: Tensor, capacitance: Tensor) -> Tensor:
    """Returns the logarithm of the covariance's determinant."""
    return 2 * half_log_det(capacitance) + diagonal.log().sum(-1)


def lowrank_distance(factor: Tensor, diagonal: Tensor, off: Tensor, capacitance: Tensor) -> Tensor:
    """Returns the squared length of ``off`` measured by the covariance."""
    inner = product(factor.mT / diagonal.unsqueeze(-2), off)
    return (off.pow(2) / diagonal).sum(-1) - mahalanobis(capacitance, inner)


class LowRankMultivariateNormal(Distribution):
    """Normal vectors with covariance ``cov_factor @ cov_factor.T + diag(cov_diag)``."""

    arg_constraints = {  # noqa: RUF012 - torch's attribute
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, loc: Tensor, cov_factor: Tensor, cov_diag: Tensor, validate_args: bool | None = None) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        event = loc.shape[-1:]
        if cov_factor.dim() < 2:
            raise ValueError("cov_factor must be at least two-dimensional, with optional leading batch dimensions")
        if cov_factor.shape[-2:-1] != event:
            raise ValueError(f"cov_factor must be a batch of matrices with shape {event[0]} x m")
        if cov_diag.shape[-1:] != event:
            raise ValueError(f"cov_diag must be a batch of vectors with shape {event}")
        try:
            column, self.cov_factor, spread = ops.broadcast_tensors(
                loc.unsqueeze(-1), cov_factor, cov_diag.unsqueeze(-1)
            )
        except RuntimeError as error:
            raise ValueError(
                f"Incompatible batch shapes: loc {loc.shape}, cov_factor {cov_factor.shape}, cov_diag {cov_diag.shape}"
            ) from error
        self.loc, self.cov_diag = column[..., 0], spread[..., 0]
        super().__init__(self.loc.shape[:-1], event, validate_args=validate_args)
        self._unbroadcasted_cov_factor = cov_factor
        self._unbroadcasted_cov_diag = cov_diag
        self._capacitance_tril = capacitance_tril(cov_factor, cov_diag)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        new = self._grown(LowRankMultivariateNormal, _instance, batch_shape, "loc", "cov_diag", "cov_factor")
        new._unbroadcasted_cov_factor = self._unbroadcasted_cov_factor
        new._unbroadcasted_cov_diag = self._unbroadcasted_cov_diag
        new._capacitance_tril = self._capacitance_tril
        return new

    def _whole(self, matrix: Tensor) -> Tensor:
        return matrix.expand((*self._batch_shape, *self._event_shape, *self._event_shape))

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @lazy_property
    def variance(self) -> Tensor:
        squares = self._unbroadcasted_cov_factor.pow(2).sum(-1) + self._unbroadcasted_cov_diag
        return squares.expand((*self._batch_shape, *self._event_shape))

    @lazy_property
    def scale_tril(self) -> Tensor:
        root = self._unbroadcasted_cov_diag.sqrt().unsqueeze(-1)
        scaled = self._unbroadcasted_cov_factor / root
        inner = ops.matmul(scaled, scaled.mT).contiguous()
        identity = ops.eye(inner.shape[-1], dtype=inner.dtype, device=inner.device)
        return self._whole(root * linalg.cholesky(inner + identity))

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        factor = self._unbroadcasted_cov_factor
        return self._whole(ops.matmul(factor, factor.mT) + ops.diag_embed(self._unbroadcasted_cov_diag))

    @lazy_property
    def precision_matrix(self) -> Tensor:
        scaled = self._unbroadcasted_cov_factor.mT / self._unbroadcasted_cov_diag.unsqueeze(-2)
        inner = linalg.solve_triangular(self._capacitance_tril, scaled, upper=False)
        return self._whole(ops.diag_embed(self._unbroadcasted_cov_diag.reciprocal()) - inner.mT @ inner)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        along = _standard_normal((*shape[:-1], self.cov_factor.shape[-1]), self.loc)
        alone = _standard_normal(shape, self.loc)
        return self.loc + product(self._unbroadcasted_cov_factor, along) + self._unbroadcasted_cov_diag.sqrt() * alone

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        diagonal, inner = self._unbroadcasted_cov_diag, self._capacitance_tril
        distance = lowrank_distance(self._unbroadcasted_cov_factor, diagonal, value - self.loc, inner)
        constant = self._event_shape[0] * math.log(2 * math.pi)
        result: Tensor = -0.5 * (constant + lowrank_log_det(diagonal, inner) + distance)
        return result

    def entropy(self) -> Tensor:
        log_det = lowrank_log_det(self._unbroadcasted_cov_diag, self._capacitance_tril)
        constant = self._event_shape[0] * (1.0 + math.log(2 * math.pi))
        result: Tensor = (0.5 * (constant + log_det)).expand(self._batch_shape)
        return result
