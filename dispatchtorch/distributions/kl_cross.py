"""Divergences from one family to another.

Each is the first one's negative entropy less the mean of the second one's log density.
"""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch.distributions.bernoulli import Bernoulli
from dispatchtorch.distributions.beta import Beta
from dispatchtorch.distributions.binomial import Binomial
from dispatchtorch.distributions.continuous_bernoulli import ContinuousBernoulli
from dispatchtorch.distributions.divergence import Formula, register_kl
from dispatchtorch.distributions.exponential import Exponential
from dispatchtorch.distributions.gamma import Gamma
from dispatchtorch.distributions.gumbel import Gumbel
from dispatchtorch.distributions.laplace import Laplace
from dispatchtorch.distributions.normal import Normal
from dispatchtorch.distributions.pareto import Pareto
from dispatchtorch.distributions.poisson import Poisson
from dispatchtorch.distributions.table import ops
from dispatchtorch.distributions.uniform import Uniform
from dispatchtorch.distributions.utils import euler_constant
from dispatchtorch.tensor.tensor import Tensor

__all__: list[str] = []

_INF = math.inf


def _infinite(name: str) -> Formula:
    """Returns the formula for pairs where q has no mass somewhere; ``name`` is the parameter whose shape counts."""

    def infinite(p: Any, q: Any) -> Tensor:
        return ops.full_like(getattr(p, name), _INF)

    return infinite


for _p, _name, _qs in (
    (Beta, "concentration1", (Pareto,)),
    (ContinuousBernoulli, "probs", (Pareto,)),
    (Exponential, "rate", (Beta, ContinuousBernoulli, Pareto, Uniform)),
    (Gamma, "concentration", (Beta, ContinuousBernoulli, Pareto, Uniform)),
    (Gumbel, "loc", (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
    (Laplace, "loc", (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
    (Normal, "loc", (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
    (Pareto, "scale", (Beta, ContinuousBernoulli, Uniform)),
    (Poisson, "rate", (Bernoulli, Binomial)),
):
    _formula = _infinite(_name)
    for _q in _qs:
        register_kl(_p, _q)(_formula)


def _x_log_x(t: Tensor) -> Tensor:
    return ops.xlogy(t, t)


@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p: Any, q: Any) -> Any:
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)


@register_kl(Beta, ContinuousBernoulli)
def _beta_continuous_bernoulli(p: Any, q: Any) -> Any:
    return -p.entropy() - p.mean * q.logits - ops.log1p(-q.probs) - q._log_norm()


@register_kl(Beta, Exponential)
@register_kl(ContinuousBernoulli, Exponential)
@register_kl(Gamma, Exponential)
def _any_exponential(p: Any, q: Any) -> Any:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


@register_kl(Beta, Gamma)
def _beta_gamma(p: Any, q: Any) -> Any:
    a, b = p.concentration1, p.concentration0
    normaliser = q.concentration.lgamma() - q.concentration * q.rate.log()
    power = (q.concentration - 1) * (a.digamma() - (a + b).digamma())
    return -p.entropy() + normaliser - power + q.rate * a / (a + b)


@register_kl(Beta, Normal)
def _beta_normal(p: Any, q: Any) -> Any:
    mean = p.mean
    variance = q.scale.pow(2)
    second = (mean * (1 - mean) / (p.concentration1 + p.concentration0 + 1) + mean.pow(2)) * 0.5
    square = second - q.loc * mean + q.loc.pow(2) * 0.5
    return -p.entropy() + 0.5 * (variance * 2 * math.pi).log() + square / variance


@register_kl(Beta, Uniform)
def _beta_uniform(p: Any, q: Any) -> Any:
    result = -p.entropy() + (q.high - q.low).log()
    return result.masked_fill((q.low > p.support.lower_bound) | (q.high < p.support.upper_bound), _INF)


@register_kl(ContinuousBernoulli, Normal)
def _continuous_bernoulli_normal(p: Any, q: Any) -> Any:
    normaliser = 0.5 * (math.log(2.0 * math.pi) + (q.loc / q.scale).square()) + q.scale.log()
    mean = p.mean
    return -p.entropy() + normaliser + (p.variance + mean.square() - 2.0 * q.loc * mean) / (2.0 * q.scale.square())


@register_kl(ContinuousBernoulli, Uniform)
def _continuous_bernoulli_uniform(p: Any, q: Any) -> Any:
    result = -p.entropy() + (q.high - q.low).log()
    outside = (q.low >= p.support.lower_bound) | (q.high <= p.support.upper_bound)
    return result.masked_fill(outside, _INF)


@register_kl(Exponential, Gamma)
def _exponential_gamma(p: Any, q: Any) -> Any:
    ratio = q.rate / p.rate
    k = q.concentration
    return -k * ratio.log() + ratio + k.lgamma() + k * euler_constant - (1 + euler_constant)


@register_kl(Exponential, Gumbel)
def _exponential_gumbel(p: Any, q: Any) -> Any:
    product, place = p.rate * q.scale, q.loc / q.scale
    return product.log() - 1 - place + place.exp() * product / (product + 1) + product.reciprocal()


@register_kl(Exponential, Normal)
def _exponential_normal(p: Any, q: Any) -> Any:
    variance, rate = q.scale.pow(2), p.rate.pow(2)
    square = rate.reciprocal() - q.loc / p.rate + q.loc.pow(2) * 0.5
    return 0.5 * (rate * variance * 2 * math.pi).log() - 1 + square / variance


@register_kl(Gamma, Gumbel)
def _gamma_gumbel(p: Any, q: Any) -> Any:
    product, place, k = p.rate * q.scale, q.loc / q.scale, p.concentration
    start = (k - 1) * k.digamma() - k.lgamma() - k
    tail = place.exp() * (1 + product.reciprocal()).pow(-k) - place
    return start + product.log() + k / product + tail


@register_kl(Gamma, Normal)
def _gamma_normal(p: Any, q: Any) -> Any:
    variance, rate, k = q.scale.pow(2), p.rate.pow(2), p.concentration
    start = 0.5 * (rate * variance * 2 * math.pi).log() - k - k.lgamma()
    square = 0.5 * (k.pow(2) + k) / rate - q.loc * k / p.rate + 0.5 * q.loc.pow(2)
    return start + (k - 1) * k.digamma() + square / variance


@register_kl(Gumbel, Normal)
def _gumbel_normal(p: Any, q: Any) -> Any:
    ratio = p.scale / q.scale
    off = (p.loc + p.scale * euler_constant - q.loc) / q.scale
    return (
        -(ratio / math.sqrt(2 * math.pi)).log()
        + (math.pi * ratio * 0.5).pow(2) / 3
        + off.pow(2) * 0.5
        - (euler_constant + 1)
    )


@register_kl(Laplace, Normal)
def _laplace_normal(p: Any, q: Any) -> Any:
    variance = q.scale.pow(2)
    ratio = p.scale.pow(2) / variance
    square = 0.5 * p.loc.pow(2) - p.loc * q.loc + 0.5 * q.loc.pow(2)
    return -0.5 * (2 * ratio / math.pi).log() + ratio + square / variance - 1


@register_kl(Normal, Gumbel)
def _normal_gumbel(p: Any, q: Any) -> Any:
    mean, ratio, place = p.loc / q.scale, (p.scale / q.scale).pow(2), q.loc / q.scale
    tail = ops.exp(-mean + 0.5 * ratio + place)
    return -ratio.log() * 0.5 + mean - place + tail - 0.5 * (1 + math.log(2 * math.pi))


@register_kl(Normal, Laplace)
def _normal_laplace(p: Any, q: Any) -> Any:
    off = p.loc - q.loc
    share = off / p.scale
    peak = math.sqrt(2 / math.pi) * p.scale * ops.exp(-0.5 * share.pow(2))
    distance = peak + off * ops.erf(math.sqrt(0.5) * share)
    return -(p.scale / q.scale).log() + distance / q.scale - 0.5 * (1 + math.log(0.5 * math.pi))


@register_kl(Pareto, Exponential)
def _pareto_exponential(p: Any, q: Any) -> Any:
    product, a = p.scale * q.rate, p.alpha
    result = (a / product).log() - a.reciprocal() + a * product / (a - 1) - 1
    return result.masked_fill(a <= 1, _INF)


@register_kl(Pareto, Gamma)
def _pareto_gamma(p: Any, q: Any) -> Any:
    a = p.alpha
    log = p.scale.log() + a.reciprocal()
    normaliser = q.concentration.lgamma() - q.concentration * q.rate.log()
    result = a.log() - log + normaliser + (1 - q.concentration) * log + q.rate * a * p.scale / (a - 1) - 1
    return result.masked_fill(a <= 1, _INF)


@register_kl(Pareto, Normal)
def _pareto_normal(p: Any, q: Any) -> Any:
    a, part = p.alpha, p.scale / (p.alpha - 1)
    square = a * part.pow(2) / (a - 2) + (a * part - q.loc).pow(2)
    log = (math.sqrt(2 * math.pi) * q.scale * a / p.scale).log()
    return (log - a.reciprocal() + square / (2 * q.scale.pow(2)) - 1).masked_fill(a <= 2, _INF)


@register_kl(Uniform, Beta)
def _uniform_beta(p: Any, q: Any) -> Any:
    width = p.high - p.low
    up = (q.concentration1 - 1) * (_x_log_x(p.high) - _x_log_x(p.low) - width) / width
    down = (q.concentration0 - 1) * (_x_log_x(1 - p.high) - _x_log_x(1 - p.low) + width) / width
    total = q.concentration1 + q.concentration0
    normaliser = q.concentration1.lgamma() + q.concentration0.lgamma() - total.lgamma()
    outside = (p.high > q.support.upper_bound) | (p.low < q.support.lower_bound)
    return (down + normaliser - width.log() - up).masked_fill(outside, _INF)


@register_kl(Uniform, ContinuousBernoulli)
def _uniform_continuous_bernoulli(p: Any, q: Any) -> Any:
    result = -p.entropy() - p.mean * q.logits - ops.log1p(-q.probs) - q._log_norm()
    outside = (p.high >= q.support.upper_bound) | (p.low <= q.support.lower_bound)
    return result.masked_fill(outside, _INF)


@register_kl(Uniform, Exponential)
def _uniform_exponential(p: Any, q: Any) -> Any:
    result = q.rate * (p.high + p.low) / 2 - ((p.high - p.low) * q.rate).log()
    return result.masked_fill(p.low < q.support.lower_bound, _INF)


@register_kl(Uniform, Gamma)
def _uniform_gamma(p: Any, q: Any) -> Any:
    width = p.high - p.low
    normaliser = q.concentration.lgamma() - q.concentration * q.rate.log()
    power = (1 - q.concentration) * (_x_log_x(p.high) - _x_log_x(p.low) - width) / width
    result = -width.log() + normaliser + power + q.rate * (p.high + p.low) / 2
    return result.masked_fill(p.low < q.support.lower_bound, _INF)


@register_kl(Uniform, Gumbel)
def _uniform_gumbel(p: Any, q: Any) -> Any:
    share = q.scale / (p.high - p.low)
    high, low = (p.high - q.loc) / q.scale, (p.low - q.loc) / q.scale
    return share.log() + 0.5 * (high + low) - share * (ops.exp(-high) - ops.exp(-low))


@register_kl(Uniform, Normal)
def _uniform_normal(p: Any, q: Any) -> Any:
    width = p.high - p.low
    square = width.pow(2) / 12 + ((p.high + p.low - 2 * q.loc) / 2).pow(2)
    return (math.sqrt(math.pi * 2) * q.scale / width).log() + 0.5 * square / q.scale.pow(2)


@register_kl(Uniform, Pareto)
def _uniform_pareto(p: Any, q: Any) -> Any:
    width = p.high - p.low
    log = (_x_log_x(p.high) - _x_log_x(p.low) - width) / width
    result = log * (q.alpha + 1) - (q.alpha * q.scale.pow(q.alpha) * width).log()
    return result.masked_fill(p.low < q.support.lower_bound, _INF)
