"""Divergences of normal vectors, with whole covariances and with those of low rank."""

from __future__ import annotations

from typing import Any

from dispatchtorch.distributions.divergence import register_kl
from dispatchtorch.distributions.lowrank_multivariate_normal import (
    LowRankMultivariateNormal,
    lowrank_distance,
    lowrank_log_det,
)
from dispatchtorch.distributions.multivariate_normal import MultivariateNormal
from dispatchtorch.distributions.quadratic import half_log_det, mahalanobis, square_sum
from dispatchtorch.distributions.table import linalg, ops
from dispatchtorch.tensor.tensor import Tensor

__all__: list[str] = []


def _same_event(p: Any, q: Any, kind: str) -> None:
    if p.event_shape != q.event_shape:
        raise ValueError(
            f"KL-divergence between two {kind} with                          different event shapes cannot be computed"
        )


def _log_det(d: Any) -> Tensor:
    return lowrank_log_det(d._unbroadcasted_cov_diag, d._capacitance_tril)


def _distance(q: Any, off: Tensor) -> Tensor:
    return lowrank_distance(q._unbroadcasted_cov_factor, q._unbroadcasted_cov_diag, off, q._capacitance_tril)


def _inner(q: Any) -> Tensor:
    """Returns A with ``A' A`` what the rank takes off the diagonal's precision."""
    scaled = q._unbroadcasted_cov_factor.mT / q._unbroadcasted_cov_diag.unsqueeze(-2)
    return linalg.solve_triangular(q._capacitance_tril, scaled, upper=False)


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _low_low(p: Any, q: Any) -> Tensor:
    _same_event(p, q, "Low Rank Multivariate Normals")
    inner, mine, other = _inner(q), p._unbroadcasted_cov_diag, q._unbroadcasted_cov_diag
    factor = p._unbroadcasted_cov_factor
    trace = (
        (mine / other).sum(-1)
        + square_sum(factor * other.rsqrt().unsqueeze(-1))
        - square_sum(inner * mine.sqrt().unsqueeze(-2))
        - square_sum(inner @ factor)
    )
    return 0.5 * (_log_det(q) - _log_det(p) + _distance(q, q.loc - p.loc) + trace - p.event_shape[0])  # type: ignore[no-any-return]  # tensors


@register_kl(MultivariateNormal, LowRankMultivariateNormal)
def _whole_low(p: Any, q: Any) -> Tensor:
    _same_event(p, q, "(Low Rank) Multivariate Normals")
    factor = p._unbroadcasted_scale_tril
    spread = q._unbroadcasted_cov_diag.rsqrt().unsqueeze(-1)
    trace = square_sum(factor * spread) - square_sum(_inner(q) @ factor)
    log_dets = _log_det(q) - 2 * half_log_det(factor)
    return 0.5 * (log_dets + _distance(q, q.loc - p.loc) + trace - p.event_shape[0])  # type: ignore[no-any-return]  # tensors


@register_kl(LowRankMultivariateNormal, MultivariateNormal)
def _low_whole(p: Any, q: Any) -> Tensor:
    _same_event(p, q, "(Low Rank) Multivariate Normals")
    factor = q._unbroadcasted_scale_tril
    along = linalg.solve_triangular(factor, p._unbroadcasted_cov_factor, upper=False)
    alone = linalg.solve_triangular(factor, ops.diag_embed(p._unbroadcasted_cov_diag.sqrt()), upper=False)
    log_dets = 2 * half_log_det(factor) - _log_det(p)
    distance = mahalanobis(factor, q.loc - p.loc)
    return 0.5 * (log_dets + distance + square_sum(along) + square_sum(alone) - p.event_shape[0])  # type: ignore[no-any-return]  # tensors


@register_kl(MultivariateNormal, MultivariateNormal)
def _whole_whole(p: Any, q: Any) -> Tensor:
    _same_event(p, q, "Multivariate Normals")
    mine, other = p._unbroadcasted_scale_tril, q._unbroadcasted_scale_tril
    trace = square_sum(linalg.solve_triangular(other, mine, upper=False))
    distance = mahalanobis(other, q.loc - p.loc)
    log_dets = half_log_det(other) - half_log_det(mine)
    return log_dets + 0.5 * (trace + distance - p.event_shape[0])  # type: ignore[no-any-return]  # tensors
