"""torch.distributions: distributions with samples, densities and gradients; transforms and constraints between them.

>>> import dispatchtorch as torch
>>> normal = torch.distributions.Normal(0.0, 1.0)
>>> normal.log_prob(torch.tensor(0.0))
tensor(-0.9189)

Samples are PyTorch's for the same seed. This room stands on the op table; it must not know modules and optimizers.
"""

from dispatchtorch.distributions import constraint_registry as constraint_registry
from dispatchtorch.distributions import constraints as constraints
from dispatchtorch.distributions import kl as kl
from dispatchtorch.distributions import transforms as transforms
from dispatchtorch.distributions import utils as utils
from dispatchtorch.distributions.bernoulli import Bernoulli
from dispatchtorch.distributions.beta import Beta
from dispatchtorch.distributions.binomial import Binomial
from dispatchtorch.distributions.categorical import Categorical
from dispatchtorch.distributions.cauchy import Cauchy
from dispatchtorch.distributions.chi2 import Chi2
from dispatchtorch.distributions.constraint_registry import biject_to, transform_to
from dispatchtorch.distributions.continuous_bernoulli import ContinuousBernoulli
from dispatchtorch.distributions.dirichlet import Dirichlet
from dispatchtorch.distributions.distribution import Distribution
from dispatchtorch.distributions.exp_family import ExponentialFamily
from dispatchtorch.distributions.exponential import Exponential
from dispatchtorch.distributions.fishersnedecor import FisherSnedecor
from dispatchtorch.distributions.gamma import Gamma
from dispatchtorch.distributions.generalized_pareto import GeneralizedPareto
from dispatchtorch.distributions.geometric import Geometric
from dispatchtorch.distributions.gumbel import Gumbel
from dispatchtorch.distributions.half_cauchy import HalfCauchy
from dispatchtorch.distributions.half_normal import HalfNormal
from dispatchtorch.distributions.independent import Independent
from dispatchtorch.distributions.inverse_gamma import InverseGamma
from dispatchtorch.distributions.kl import kl_divergence, register_kl
from dispatchtorch.distributions.kumaraswamy import Kumaraswamy
from dispatchtorch.distributions.laplace import Laplace
from dispatchtorch.distributions.lkj_cholesky import LKJCholesky
from dispatchtorch.distributions.log_normal import LogNormal
from dispatchtorch.distributions.logistic_normal import LogisticNormal
from dispatchtorch.distributions.lowrank_multivariate_normal import LowRankMultivariateNormal
from dispatchtorch.distributions.mixture_same_family import MixtureSameFamily
from dispatchtorch.distributions.multinomial import Multinomial
from dispatchtorch.distributions.multivariate_normal import MultivariateNormal
from dispatchtorch.distributions.negative_binomial import NegativeBinomial
from dispatchtorch.distributions.normal import Normal
from dispatchtorch.distributions.one_hot_categorical import OneHotCategorical, OneHotCategoricalStraightThrough
from dispatchtorch.distributions.pareto import Pareto
from dispatchtorch.distributions.poisson import Poisson
from dispatchtorch.distributions.relaxed_bernoulli import RelaxedBernoulli
from dispatchtorch.distributions.relaxed_categorical import RelaxedOneHotCategorical
from dispatchtorch.distributions.studentT import StudentT
from dispatchtorch.distributions.transformed_distribution import TransformedDistribution
from dispatchtorch.distributions.transforms import (
    AbsTransform,
    AffineTransform,
    CatTransform,
    ComposeTransform,
    CorrCholeskyTransform,
    CumulativeDistributionTransform,
    ExpTransform,
    IndependentTransform,
    LowerCholeskyTransform,
    PositiveDefiniteTransform,
    PowerTransform,
    ReshapeTransform,
    SigmoidTransform,
    SoftmaxTransform,
    SoftplusTransform,
    StackTransform,
    StickBreakingTransform,
    TanhTransform,
    Transform,
    identity_transform,
)
from dispatchtorch.distributions.uniform import Uniform
from dispatchtorch.distributions.von_mises import VonMises
from dispatchtorch.distributions.weibull import Weibull
from dispatchtorch.distributions.wishart import Wishart

__all__ = [
    "AbsTransform",
    "AffineTransform",
    "Bernoulli",
    "Beta",
    "Binomial",
    "CatTransform",
    "Categorical",
    "Cauchy",
    "Chi2",
    "ComposeTransform",
    "ContinuousBernoulli",
    "CorrCholeskyTransform",
    "CumulativeDistributionTransform",
    "Dirichlet",
    "Distribution",
    "ExpTransform",
    "Exponential",
    "ExponentialFamily",
    "FisherSnedecor",
    "Gamma",
    "GeneralizedPareto",
    "Geometric",
    "Gumbel",
    "HalfCauchy",
    "HalfNormal",
    "Independent",
    "IndependentTransform",
    "InverseGamma",
    "Kumaraswamy",
    "LKJCholesky",
    "Laplace",
    "LogNormal",
    "LogisticNormal",
    "LowRankMultivariateNormal",
    "LowerCholeskyTransform",
    "MixtureSameFamily",
    "Multinomial",
    "MultivariateNormal",
    "NegativeBinomial",
    "Normal",
    "OneHotCategorical",
    "OneHotCategoricalStraightThrough",
    "Pareto",
    "Poisson",
    "PositiveDefiniteTransform",
    "PowerTransform",
    "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
    "ReshapeTransform",
    "SigmoidTransform",
    "SoftmaxTransform",
    "SoftplusTransform",
    "StackTransform",
    "StickBreakingTransform",
    "StudentT",
    "TanhTransform",
    "Transform",
    "TransformedDistribution",
    "Uniform",
    "VonMises",
    "Weibull",
    "Wishart",
    "biject_to",
    "identity_transform",
    "kl_divergence",
    "register_kl",
    "transform_to",
]
