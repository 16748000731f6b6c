"""Divergences within one family.

Each is a formula of the parameters; where q has no mass and p has some, it is infinite.
"""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch.autograd.api import grad
from dispatchtorch.distributions.bernoulli import Bernoulli
from dispatchtorch.distributions.beta import Beta
from dispatchtorch.distributions.binomial import Binomial
from dispatchtorch.distributions.categorical import Categorical
from dispatchtorch.distributions.cauchy import Cauchy
from dispatchtorch.distributions.continuous_bernoulli import ContinuousBernoulli
from dispatchtorch.distributions.dirichlet import Dirichlet
from dispatchtorch.distributions.divergence import kl_divergence, register_kl
from dispatchtorch.distributions.exp_family import ExponentialFamily
from dispatchtorch.distributions.exponential import Exponential
from dispatchtorch.distributions.gamma import Gamma
from dispatchtorch.distributions.geometric import Geometric
from dispatchtorch.distributions.gumbel import Gumbel
from dispatchtorch.distributions.half_normal import HalfNormal
from dispatchtorch.distributions.independent import Independent
from dispatchtorch.distributions.laplace import Laplace
from dispatchtorch.distributions.normal import Normal
from dispatchtorch.distributions.one_hot_categorical import OneHotCategorical
from dispatchtorch.distributions.pareto import Pareto
from dispatchtorch.distributions.poisson import Poisson
from dispatchtorch.distributions.table import ops
from dispatchtorch.distributions.transformed_distribution import TransformedDistribution
from dispatchtorch.distributions.uniform import Uniform
from dispatchtorch.distributions.utils import _sum_rightmost, euler_constant
from dispatchtorch.ops.activation import softplus
from dispatchtorch.tensor.tensor import Tensor

__all__: list[str] = []

_INF = math.inf


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Any, q: Any) -> Tensor:
    one = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    one = one.masked_fill(q.probs == 0, _INF).masked_fill(p.probs == 0, 0)
    zero = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    zero = zero.masked_fill(q.probs == 1, _INF).masked_fill(p.probs == 1, 0)
    return one + zero  # type: ignore[no-any-return]  # tensors


@register_kl(Beta, Beta)
def _beta(p: Any, q: Any) -> Tensor:
    p1, p0, q1, q0 = p.concentration1, p.concentration0, q.concentration1, q.concentration0
    result: Tensor = (
        (q1.lgamma() + q0.lgamma() + (p1 + p0).lgamma())
        - (p1.lgamma() + p0.lgamma() + (q1 + q0).lgamma())
        + (p1 - q1) * ops.digamma(p1)
        + (p0 - q0) * ops.digamma(p0)
        + (q1 + q0 - (p1 + p0)) * ops.digamma(p1 + p0)
    )
    return result


@register_kl(Binomial, Binomial)
def _binomial(p: Any, q: Any) -> Tensor:
    if (p.total_count < q.total_count).any():
        raise NotImplementedError("KL between Binomials where q.total_count > p.total_count is not implemented")
    each = p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p()
    return (p.total_count * each).masked_fill(p.total_count > q.total_count, _INF)  # type: ignore[no-any-return]  # tensors


@register_kl(Categorical, Categorical)
def _categorical(p: Any, q: Any) -> Tensor:
    t = p.probs * (p.logits - q.logits)
    return t.masked_fill(q.probs == 0, _INF).masked_fill(p.probs == 0, 0).sum(-1)  # type: ignore[no-any-return]  # tensors


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_bernoulli(p: Any, q: Any) -> Tensor:
    mine = p._log_norm() + ops.log1p(-p.probs)
    result: Tensor = p.mean * (p.logits - q.logits) + mine - q._log_norm() - ops.log1p(-q.probs)
    return result


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Any, q: Any) -> Tensor:
    mine, other = p.concentration, q.concentration
    total = mine.sum(-1)
    norms = (mine.lgamma() - other.lgamma()).sum(-1)
    slopes = mine.digamma() - total.digamma().unsqueeze(-1)
    return total.lgamma() - other.sum(-1).lgamma() - norms + ((mine - other) * slopes).sum(-1)  # type: ignore[no-any-return]  # tensors


@register_kl(Exponential, Exponential)
def _exponential(p: Any, q: Any) -> Tensor:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1  # type: ignore[no-any-return]  # tensors


@register_kl(ExponentialFamily, ExponentialFamily)
def _exponential_family(p: Any, q: Any) -> Tensor:
    """Returns Bregman's divergence of the log normaliser, with its derivative found automatically."""
    if type(p) is not type(q):
        raise NotImplementedError(
            "The cross KL-divergence between different exponential families cannot "
            "                            be computed using Bregman divergences"
        )
    mine = [t.detach().requires_grad_() for t in p._natural_params]
    log_norm = p._log_normalizer(*mine)
    slopes = grad(log_norm.sum(), mine, create_graph=True)
    result = q._log_normalizer(*q._natural_params) - log_norm
    for a, b, slope in zip(mine, q._natural_params, slopes):
        result = result - _sum_rightmost((b - a) * slope, len(q.event_shape))
    return result  # type: ignore[no-any-return]  # tensors


@register_kl(Gamma, Gamma)
def _gamma(p: Any, q: Any) -> Tensor:
    result: Tensor = (
        q.concentration * (p.rate / q.rate).log()
        + ops.lgamma(q.concentration)
        - ops.lgamma(p.concentration)
        + (p.concentration - q.concentration) * ops.digamma(p.concentration)
        + (q.rate - p.rate) * (p.concentration / p.rate)
    )
    return result


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Any, q: Any) -> Tensor:
    ratio, mine, other = p.scale / q.scale, p.loc / q.scale, q.loc / q.scale
    tail = ops.exp(other + (1 + ratio).lgamma() - mine)
    return -ratio.log() - other + mine + ratio * euler_constant + tail - (1 + euler_constant)  # type: ignore[no-any-return]  # tensors


@register_kl(Geometric, Geometric)
def _geometric(p: Any, q: Any) -> Tensor:
    return -p.entropy() - ops.log1p(-q.probs) / p.probs - q.logits  # type: ignore[no-any-return]  # tensors


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p: Any, q: Any) -> Tensor:
    return _normal(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _laplace(p: Any, q: Any) -> Tensor:
    ratio, off = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + off / q.scale + ratio * ops.exp(-off / p.scale) - 1  # type: ignore[no-any-return]  # tensors


@register_kl(Normal, Normal)
def _normal(p: Any, q: Any) -> Tensor:
    ratio = (p.scale / q.scale).pow(2)
    off = ((p.loc - q.loc) / q.scale).pow(2)
    return 0.5 * (ratio + off - 1 - ratio.log())  # type: ignore[no-any-return]  # tensors


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p: Any, q: Any) -> Tensor:
    return _categorical(p._categorical, q._categorical)


@register_kl(Pareto, Pareto)
def _pareto(p: Any, q: Any) -> Tensor:
    ratio = q.alpha / p.alpha
    result = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return result.masked_fill(p.support.lower_bound < q.support.lower_bound, _INF)  # type: ignore[no-any-return]  # tensors


@register_kl(Poisson, Poisson)
def _poisson(p: Any, q: Any) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)  # type: ignore[no-any-return]  # tensors


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: Any, q: Any) -> Tensor:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError
    extra = len(p.event_shape) - len(p.base_dist.event_shape)
    return _sum_rightmost(kl_divergence(p.base_dist, q.base_dist), extra)


@register_kl(Uniform, Uniform)
def _uniform(p: Any, q: Any) -> Tensor:
    result = ((q.high - q.low) / (p.high - p.low)).log()
    return result.masked_fill((q.low > p.low) | (q.high < p.high), _INF)  # type: ignore[no-any-return]  # tensors


@register_kl(Independent, Independent)
def _independent(p: Any, q: Any) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    return _sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Any, q: Any) -> Tensor:
    sides = (p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)
    return sides.log() - (4 * p.scale * q.scale).log()  # type: ignore[no-any-return]  # tensors
