"""torch.distributions.wishart: random covariances."""

from __future__ import annotations

import math
import warnings
from typing import Any

from dispatchtorch._base.limits import finfo
from dispatchtorch.distributions import constraints
from dispatchtorch.distributions.chi2 import Chi2
from dispatchtorch.distributions.exp_family import ExponentialFamily
from dispatchtorch.distributions.quadratic import half_log_det, precision_to_scale_tril
from dispatchtorch.distributions.table import Number, Shape, Value, linalg, ops
from dispatchtorch.distributions.utils import _standard_normal, lazy_property, vec_to_tril_matrix
from dispatchtorch.tensor.sizes import broadcast_shapes
from dispatchtorch.tensor.tensor import Size, Tensor

__all__ = ["Wishart"]

_LOG_2 = math.log(2)


def _multivariate_digamma(x: Tensor, p: int) -> Tensor:
    steps = ops.arange(p, dtype=x.dtype, device=x.device)
    return ops.digamma(x.unsqueeze(-1) - steps.div(2)).sum(-1)


class Wishart(ExponentialFamily):
    """Sums of ``df`` squares of normal vectors, by one of: covariance, its inverse, its lower Cholesky factor."""

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0
    df: Tensor

    def __init__(
        self,
        df: Value,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        forms = {
            "scale_tril": scale_tril,
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
        }
        given = {name: value for name, value in forms.items() if value is not None}
        if len(given) != 1:
            raise AssertionError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        ((name, matrix),) = given.items()
        if matrix.dim() < 2:
            raise ValueError("scale_tril must be at least two-dimensional, with optional leading batch dimensions")
        batch = tuple(matrix.shape[:-2])
        if isinstance(df, Number):
            self.df = ops.full(batch, float(df), dtype=matrix.dtype, device=matrix.device)
        else:
            batch = broadcast_shapes(batch, tuple(df.shape))
            self.df = df.expand(batch)
        event = matrix.shape[-2:]
        if self.df.le(event[-1] - 1).any():
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {event[-1] - 1}.")
        self.__dict__[name] = matrix.expand((*batch, -1, -1))
        if self.df.lt(event[-1]).any():
            warnings.warn(
                "Low df values detected. Singular samples are highly likely to occur for ndim - 1 < df < ndim.",
                stacklevel=2,
            )
        self._event_shape = Size(event)
        super().__init__(batch, event, validate_args=validate_args)
        self._batch_dims = [-(i + 1) for i in range(len(self._batch_shape))]
        if name == "scale_tril":
            self._unbroadcasted_scale_tril = matrix
        elif name == "covariance_matrix":
            self._unbroadcasted_scale_tril = linalg.cholesky(matrix)
        else:
            self._unbroadcasted_scale_tril = precision_to_scale_tril(matrix)
        self._dist_chi2 = self._diagonal_squares()

    @property
    def arg_constraints(self) -> dict[str, Any]:
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self.event_shape[-1] - 1),
        }

    def _diagonal_squares(self) -> Chi2:
        steps = ops.arange(self._event_shape[-1], dtype=self._unbroadcasted_scale_tril.dtype, device=self.df.device)
        return Chi2(df=self.df.unsqueeze(-1) - steps.expand((*self._batch_shape, -1)))

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        new = self._grown(Wishart, _instance, batch_shape, "df", "covariance_matrix", "scale_tril", "precision_matrix")
        new._batch_dims = [-(i + 1) for i in range(len(batch_shape))]
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril
        new._dist_chi2 = new._diagonal_squares()
        return new

    def _whole(self, matrix: Tensor) -> Tensor:
        return matrix.expand((*self._batch_shape, *self._event_shape))

    @lazy_property
    def scale_tril(self) -> Tensor:
        return self._whole(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        return self._whole(self._unbroadcasted_scale_tril @ self._unbroadcasted_scale_tril.mT)

    @lazy_property
    def precision_matrix(self) -> Tensor:
        return self._whole(ops.cholesky_inverse(self._unbroadcasted_scale_tril))

    def _over_matrices(self, t: Tensor) -> Tensor:
        return t.view((*self._batch_shape, 1, 1))

    @property
    def mean(self) -> Tensor:
        return self._over_matrices(self.df) * self.covariance_matrix

    @property
    def mode(self) -> Tensor:
        factor = self.df - self.covariance_matrix.shape[-1] - 1
        return self._over_matrices(factor.masked_fill(factor <= 0, math.nan)) * self.covariance_matrix

    @property
    def variance(self) -> Tensor:
        v = self.covariance_matrix
        diagonal = v.diagonal(dim1=-2, dim2=-1)
        result: Tensor = self._over_matrices(self.df) * (v.pow(2) + diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2))
        return result

    def _bartlett_sampling(self, sample_shape: Shape = ()) -> Tensor:
        p = self._event_shape[-1]
        roots = self._dist_chi2.rsample(sample_shape).sqrt()
        noise = roots.clamp(min=finfo(roots.dtype).eps).diag_embed()
        if p > 1:
            below = _standard_normal((*sample_shape, *self._batch_shape, p * (p - 1) // 2), roots)
            noise = noise + vec_to_tril_matrix(below, diag=-1)
        factor = self._unbroadcasted_scale_tril @ noise
        result: Tensor = factor @ factor.mT
        return result

    def rsample(self, sample_shape: Shape = (), max_try_correction: int | None = None) -> Tensor:
        """Returns draws; where torch does, again, and then up to ``max_try_correction`` times singular ones."""
        tries = 10 if max_try_correction is None else max_try_correction
        shape = Size(sample_shape)
        sample = self._bartlett_sampling(shape)
        if not shape:
            sample = sample.unsqueeze(0)
        again = ~self._singular(sample)  # torch's condition is the other way round at first, and so are its numbers
        if again.any():
            warnings.warn("Singular sample detected.", stacklevel=2)
            for _ in range(tries):
                places = tuple(ops.nonzero(again, as_tuple=True))
                drawn = self._bartlett_sampling((int(again.sum()),))
                sample = sample.index_put(places, drawn)
                again = again.index_put(places, self._singular(drawn))
                if not again.any():
                    break
        return sample if shape else sample.squeeze(0)

    def _singular(self, sample: Tensor) -> Tensor:
        """Returns which draws are singular, for any place of the batch."""
        regular: Tensor = self.support.check(sample)
        return ~(regular.amax(self._batch_dims) if self._batch_dims else regular)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        nu, p = self.df, self._event_shape[-1]
        factor = self._unbroadcasted_scale_tril
        result: Tensor = (
            -nu * (p * _LOG_2 / 2 + half_log_det(factor))
            - ops.mvlgamma(nu / 2, p=p)
            + (nu - p - 1) / 2 * linalg.slogdet(value)[1]
            - ops.cholesky_solve(value, factor).diagonal(dim1=-2, dim2=-1).sum(dim=-1) / 2
        )
        return result

    def entropy(self) -> Tensor:
        nu, p = self.df, self._event_shape[-1]
        result: Tensor = (
            (p + 1) * (p * _LOG_2 / 2 + half_log_det(self._unbroadcasted_scale_tril))
            + ops.mvlgamma(nu / 2, p=p)
            - (nu - p - 1) / 2 * _multivariate_digamma(nu / 2, p)
            + nu * p / 2
        )
        return result

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (-self.precision_matrix / 2, (self.df - self._event_shape[-1] - 1) / 2)

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        x, y = natural_params
        p = self._event_shape[-1]
        half = y + (p + 1) / 2
        result: Tensor = half * (-linalg.slogdet(-2 * x)[1] + _LOG_2 * p) + ops.mvlgamma(half, p=p)
        return result
