"""Every distribution, transform and divergence beside torch's own.

``python -m tests.oracle.distributions [--backend jax]``

Programs are texts that are run twice, with torch as ``torch`` and with dispatchtorch as ``torch``; what they leave is
compared question by question. Samples have to agree from the same seed. Prints the share that agrees, and the rest.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import warnings
from typing import Any

import numpy as np

V = "torch.tensor([0.3, 1.2, 2.5])"
P = "torch.tensor([0.1, 0.45, 0.8])"
L = "torch.tensor([-1.5, 0.2, 3.0])"
M = "torch.tensor([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])"
S = "torch.tensor([[2.0, 0.3], [0.3, 1.0]])"
T = "torch.tensor([[1.2, 0.0], [0.3, 0.8]])"

DISTRIBUTIONS = {
    "Bernoulli": [f"probs={P}", f"logits={L}", "0.3", "probs=torch.rand(20)"],
    "Beta": [f"{V}, 1.5", "0.5, 0.5", "torch.rand(30) + 0.1, torch.rand(30) * 5"],
    "Binomial": [f"5, probs={P}", f"torch.tensor([3.0, 3.0, 3.0]), logits={L}", f"60, probs={P}"],
    "Categorical": [f"probs={M}", f"logits={M}", "probs=torch.rand(7)"],
    "Cauchy": [f"{L}, {V}", "0.0, 2.0", "torch.zeros(20), 1.0"],
    "Chi2": [V, "3.0"],
    "ContinuousBernoulli": [f"probs={P}", f"logits={L}", "probs=torch.tensor([0.4995, 0.5, 0.7])"],
    "Dirichlet": [f"{M} * 5", V],
    "Exponential": [V, "2.0", "torch.rand(20)"],
    "FisherSnedecor": [f"{V} * 4, {V} + 4.5", "3.0, 6.0"],
    "Gamma": [f"{V}, 2.0", "0.5, 1.0", "torch.rand(30) * 9, torch.rand(30) + 0.1"],
    "GeneralizedPareto": [f"0.0, 1.0, {L} * 0.1", f"{L}, {V}, 0.0", "0.0, 1.0, 0.3"],
    "Geometric": [f"probs={P}", f"logits={L}", "0.3"],
    "Gumbel": [f"{L}, {V}", "0.5, 2.0"],
    "HalfCauchy": [V, "2.0"],
    "HalfNormal": [V, "2.0"],
    "InverseGamma": [f"{V} + 2, {V}", "3.0, 1.0"],
    "Kumaraswamy": [f"{V}, 1.5", "0.7, 0.6"],
    "LKJCholesky": ["3, 1.5", f"4, {V}", "2, 0.5"],
    "Laplace": [f"{L}, {V}", "0.0, 2.0", "torch.zeros(20), 1.0"],
    "LogNormal": [f"{L}, {V}", "0.0, 0.5"],
    "LogisticNormal": [f"{L}, {V}", "torch.zeros(2, 3), torch.ones(2, 3)"],
    "LowRankMultivariateNormal": [
        "torch.zeros(3), torch.tensor([[1.0, 0.5], [0.2, 0.3], [0.1, -1.0]]), torch.ones(3)",
        "torch.zeros(2, 3), torch.tensor([[1.0], [0.2], [0.1]]), torch.ones(3) * 0.5",
    ],
    "Multinomial": [f"5, probs={M}", f"4, logits={M}"],
    "MultivariateNormal": [
        f"torch.tensor([1.0, -1.0]), {S}",
        f"torch.zeros(3, 2), scale_tril={T}",
        f"torch.zeros(2), precision_matrix={S}",
        f"torch.zeros(2), torch.stack([{S}, {S} * 2])",
    ],
    "NegativeBinomial": [f"5, probs={P}", f"torch.tensor([3.0, 2.0, 3.0]), logits={L}"],
    "Normal": [f"{L}, {V}", "0.0, 2.0", "torch.zeros(20), 1.0", "torch.zeros(2, 3), torch.ones(3)"],
    "OneHotCategorical": [f"probs={M}", f"logits={M}"],
    "OneHotCategoricalStraightThrough": [f"probs={M}", f"logits={M}"],
    "Pareto": [f"1.0, {V} + 1", f"{V}, 3.0", "1.0, 2.5"],
    "Poisson": [V, "4.0", f"{V} * 10"],
    "RelaxedBernoulli": [f"torch.tensor(0.7), probs={P}", f"torch.tensor(2.0), logits={L}"],
    "RelaxedOneHotCategorical": [f"torch.tensor(0.7), probs={M}", f"torch.tensor(2.0), logits={M}"],
    "StudentT": [f"{V} * 2, {L}, {V}", "3.0"],
    "Uniform": [f"0.0, {V}", "-1.0, 2.0", "torch.zeros(20), 1.0"],
    "VonMises": [f"{L}, {V}", "torch.tensor(0.0), torch.tensor(4.0)", "0.5, 40.0"],
    "Weibull": [f"{V}, 1.5", "1.0, 2.0"],
    "Wishart": [f"torch.tensor(5.0), {S}", f"torch.tensor([4.0, 6.0]), scale_tril={T}", f"3.5, precision_matrix={S}"],
    "Independent": [f"D.Normal({L}, {V}), 1", f"D.Bernoulli({P}), 0", "D.Gamma(torch.ones(2, 3), 1.0), 2"],
    "MixtureSameFamily": [
        f"D.Categorical(torch.ones(3)), D.Normal({L}, {V})",
        f"D.Categorical({M}), D.Normal(torch.zeros(2, 3), {V})",
        "D.Categorical(torch.ones(2)), D.Independent(D.Normal(torch.zeros(2, 3), 1.0), 1)",
        f"D.Categorical(torch.ones(3)), D.Poisson({V})",
    ],
    "TransformedDistribution": [
        f"D.Normal({L}, {V}), [D.ExpTransform()]",
        f"D.Normal({L}, {V}), [D.SigmoidTransform(), D.AffineTransform(1.0, -2.0)]",
        "D.Normal(torch.zeros(3), 1.0), [D.StickBreakingTransform()]",
        "D.Uniform(torch.zeros(2), torch.ones(2)), [D.SigmoidTransform().inv, D.AffineTransform(torch.ones(2), 2.0)]",
        "D.Normal(torch.zeros(6), 1.0), [D.ReshapeTransform((6,), (2, 3))]",
    ],
}

QUESTIONS = {
    "repr": "repr(d)",
    "batch": "tuple(d.batch_shape)",
    "event": "tuple(d.event_shape)",
    "support": "repr(d.support)",
    "rsampled": "(d.has_rsample, d.has_enumerate_support)",
    "sample": "seeded(lambda: d.sample((4,)))",
    "sample1": "seeded(lambda: d.sample())",
    "many": "seeded(lambda: d.sample((40, 5)))",
    "rsample": "seeded(lambda: d.rsample((3,)))",
    "log_prob": "d.log_prob(x)",
    "mean": "d.mean",
    "mode": "d.mode",
    "variance": "d.variance",
    "stddev": "d.stddev",
    "entropy": "d.entropy()",
    "perplexity": "d.perplexity()",
    "cdf": "d.cdf(x)",
    "icdf": "d.icdf(torch.full(tuple(d.batch_shape + d.event_shape), 0.3))",
    "enumerate": "d.enumerate_support()",
    "unexpanded": "d.enumerate_support(expand=False)",
    "expand": "seeded(lambda: d.expand((2,) + tuple(d.batch_shape)).sample())",
    "expand_shape": "tuple(d.expand((2,) + tuple(d.batch_shape)).log_prob(x).shape)",
    "outside": "d.log_prob(x * 0 - 7.5)",
    "wrong": "d.log_prob(torch.zeros(7, 5, 9))",
    "nothing": "d.log_prob(1.0)",
}

TRANSFORMS = {
    "ExpTransform()": L, "SigmoidTransform()": L, "TanhTransform()": L, "SoftplusTransform()": L, "AbsTransform()": L,
    "PowerTransform(torch.tensor(2.5))": V, "AffineTransform(1.0, 2.0)": L, f"AffineTransform({V}, {L})": L,
    "AffineTransform(1.0, 2.0, event_dim=1)": L, "SoftmaxTransform()": L, "StickBreakingTransform()": L,
    "CorrCholeskyTransform()": L, "LowerCholeskyTransform()": S, "PositiveDefiniteTransform()": S,
    "ReshapeTransform((3,), (3, 1))": L, "IndependentTransform(D.ExpTransform(), 1)": L,
    "ComposeTransform([D.ExpTransform(), D.AffineTransform(1.0, 2.0)])": L, "ExpTransform().inv": V,
    "CatTransform([D.ExpTransform(), D.AffineTransform(0.0, 2.0)], 0, [1, 2])": L,
    "StackTransform([D.ExpTransform(), D.AffineTransform(0.0, 2.0)], -1)": S,
    "CumulativeDistributionTransform(D.Normal(0.0, 1.0))": L, "identity_transform": L,
    "ComposeTransform([D.ExpTransform(), D.StickBreakingTransform()])": L,
}  # fmt: skip
TRANSFORM_QUESTIONS = {
    "repr": "repr(t)", "forward": "t(x)", "back": "t.inv(t(x))", "log": "t.log_abs_det_jacobian(x, t(x))",
    "shape": "tuple(t.forward_shape(tuple(x.shape)))", "shape_back": "tuple(t.inverse_shape(tuple(t(x).shape)))",
    "sign": "t.sign", "bijective": "t.bijective", "domain": "repr(t.domain)", "codomain": "repr(t.codomain)",
    "inv": "repr(t.inv)", "same": "(t == t, t.inv.inv == t)", "cached": "t.with_cache(1).inv(t(x))",
    "event_dim": "t.event_dim",
}  # fmt: skip

CONSTRAINTS = [
    "real", "positive", "nonnegative", "unit_interval", "greater_than(1.0)", "greater_than_eq(1.0)", "less_than(2.0)",
    "interval(0.0, 3.0)", "half_open_interval(0.0, 1.0)", "simplex", "corr_cholesky", "lower_cholesky",
    "positive_definite", "positive_semidefinite", "real_vector", "independent(c.positive, 1)", "boolean",
    "integer_interval(0, 3)", "cat([c.real, c.positive], 0, [1, 2])", "stack([c.real, c.positive], -1)", "square",
    "symmetric", "one_hot", "nonnegative_integer", "lower_triangular", "multinomial(3)",
]  # fmt: skip

BAD = [
    "D.Normal(0.0, -1.0)",
    "D.Normal('a', 1.0)",
    "D.Uniform(1.0, 0.0)",
    "D.Geometric(0.0)",
    "D.Bernoulli()",
    "D.Bernoulli(2.0)",
    "D.Bernoulli(0.5, 0.5)",
    "D.Categorical(torch.tensor(1.0))",
    "D.Categorical(logits=torch.tensor(1.0))",
    "D.Beta(-1.0, 1.0)",
    "D.HalfNormal(-1.0)",
    "D.LKJCholesky(1)",
    "D.LKJCholesky(3, -1.0)",
    "D.Wishart(torch.tensor(0.5), torch.eye(2))",
    "D.MultivariateNormal(torch.zeros(2))",
    "D.MultivariateNormal(torch.zeros(2), -torch.eye(2))",
    "D.MultivariateNormal(torch.tensor(0.0), torch.eye(2))",
    "D.MultivariateNormal(torch.zeros(2), torch.ones(2))",
    "D.LowRankMultivariateNormal(torch.zeros(2), torch.ones(3, 1), torch.ones(2))",
    "D.LowRankMultivariateNormal(torch.zeros(2), torch.ones(2, 1), torch.ones(3))",
    "D.LowRankMultivariateNormal(torch.zeros(2), torch.ones(2), torch.ones(2))",
    "D.Dirichlet(torch.tensor(1.0))",
    "D.MixtureSameFamily(1, 2)",
    "D.MixtureSameFamily(D.Categorical(torch.ones(2)), 2)",
    "D.MixtureSameFamily(D.Categorical(torch.ones(2)), D.Normal(torch.zeros(3), 1.0))",
    "D.Independent(D.Normal(0.0, 1.0), 1)",
    "D.TransformedDistribution(D.Normal(0.0, 1.0), 3)",
    "D.TransformedDistribution(D.Normal(0.0, 1.0), [3])",
    "D.TransformedDistribution(D.Normal(0.0, 1.0), [D.StickBreakingTransform()])",
    "D.biject_to(D.constraints.boolean)",
    "D.ExpTransform(cache_size=2)",
    "D.ReshapeTransform((2,), (3,))",
    "D.kl_divergence(D.Normal(0.0, 1.0), D.Bernoulli(0.5))",
    "D.Multinomial(torch.tensor([1, 2]), torch.ones(3))",
    "D.Binomial(3, torch.tensor([0.5]), torch.tensor([0.5]))",
    "D.utils.vec_to_tril_matrix(torch.ones(4))",
    "D.utils.tril_matrix_to_vec(torch.ones(2, 2), 5)",
    "D.utils.broadcast_all('a')",
    "D.Binomial(torch.tensor([1.0, 2.0]), torch.tensor([0.5, 0.5])).entropy()",
    "D.Normal(0.0, 1.0).enumerate_support()",
    "D.StickBreakingTransform().forward_shape(())",
    "D.CorrCholeskyTransform().forward_shape((4,))",
    "D.constraints.dependent.check(1)",
    "D.NegativeBinomial(-1, torch.tensor(0.5))",
    "D.InverseGamma(-1.0, 1.0)",
    "D.RelaxedBernoulli(torch.tensor(1.0), torch.tensor(2.0))",
    "D.Distribution.set_default_validate_args(3)",
]

FAMILIES = {
    "Bernoulli": [P],
    "Beta": [f"{V}, 1.5"],
    "Binomial": [f"5, {P}", "5, torch.tensor([0.5, 0.2, 0.9])"],
    "Categorical": [M],
    "Cauchy": [f"{L}, {V}", "0.0, torch.ones(3)"],
    "ContinuousBernoulli": [P],
    "Dirichlet": [V, "torch.ones(3)"],
    "Exponential": [V],
    "Gamma": [f"{V}, 2.0", f"2.0, {V}"],
    "Geometric": [P],
    "Gumbel": [f"{L}, {V}"],
    "HalfNormal": [V],
    "Laplace": [f"{L}, {V}"],
    "Normal": [f"{L}, {V}"],
    "OneHotCategorical": [M],
    "Pareto": [f"{P}, {V} + 1", f"{V}, 3.0"],
    "Poisson": [V],
    "Uniform": [f"0.0, {V}", "torch.tensor([0.2, -1.0, 0.3]), torch.tensor([0.9, 1.0, 1.5])"],
    "MultivariateNormal": [f"torch.tensor([1.0, -1.0]), {S}", f"torch.zeros(3, 2), scale_tril={T}"],
    "LowRankMultivariateNormal": ["torch.zeros(2), torch.tensor([[1.0], [0.5]]), torch.tensor([1.0, 2.0])"],
    "Independent": [f"D.Normal({L}, {V}), 1"],
    "LogNormal": [f"{L}, {V}"],
    "Wishart": [f"torch.tensor(5.0), {S}", f"torch.tensor(4.0), {T}.T @ {T}"],
    "Chi2": [V],
    "HalfCauchy": [V],
    "StudentT": [V],
}


class World:
    """One library under the name of torch, in which programs are run."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch
        self.names = {
            "torch": torch,
            "D": torch.distributions,
            "c": torch.distributions.constraints,
            "seeded": self.seeded,
        }

    def seeded(self, draw: Any) -> Any:
        self.torch.manual_seed(11)
        return draw()

    def run(self, text: str, **names: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return eval(text, {**self.names, **names})
            except Exception as error:
                return error

    def make(self, text: str) -> Any:
        self.torch.manual_seed(3)
        return self.run(text)


def plain(value: Any) -> Any:
    """Returns a value as numbers and texts that can be compared."""
    if isinstance(value, Exception):
        text = str(value).replace("dispatchtorch", "torch")
        return type(value).__name__, "" if isinstance(value, NotImplementedError) and "class" in text else text
    if hasattr(value, "detach"):
        return np.asarray(value.detach().cpu().numpy()), str(value.dtype)
    return value.replace("dispatchtorch", "torch") if isinstance(value, str) else value


def agree(mine: Any, other: Any, rtol: float) -> bool:
    mine, other = plain(mine), plain(other)
    if isinstance(other, tuple) and other and isinstance(other[0], np.ndarray):
        if not (isinstance(mine, tuple) and mine and isinstance(mine[0], np.ndarray) and mine[1] == other[1]):
            return False
        return mine[0].shape == other[0].shape and np.allclose(mine[0], other[0], rtol=rtol, atol=rtol, equal_nan=True)
    try:
        return bool(mine == other)
    except ValueError:
        return False


def main() -> None:
    import torch

    import dispatchtorch

    parser = argparse.ArgumentParser()
    parser.add_argument("--backend", default="numpy")
    parser.add_argument("-k", default="")
    parser.add_argument("--dtype", default="float32")
    options = parser.parse_args()
    dispatchtorch.set_backend(options.backend)
    for library in (torch, dispatchtorch):
        library.set_default_dtype(getattr(library, options.dtype))
    worlds = World(dispatchtorch), World(torch)
    counts: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0])

    def row(kind: str, what: str, mine: Any, other: Any, rtol: float = 1e-4) -> None:
        right = agree(mine, other, rtol)
        counts[kind][0] += right
        counts[kind][1] += 1
        if not right:
            print(f"{kind}: {what}\n  mine  {str(plain(mine))[:300]}\n  torch {str(plain(other))[:300]}")

    for name, grids in DISTRIBUTIONS.items():
        for grid in grids if options.k in name else ():
            text = f"D.{name}({grid})"
            made = [w.make(text) for w in worlds]
            if isinstance(made[0], Exception) or isinstance(made[1], Exception):
                row("made", text, *made)
                continue
            worlds[0].run("seeded(lambda: d.sample())", d=made[0])  # which makes lazy parameters, as there
            points = worlds[1].run("seeded(lambda: d.sample())", d=made[1])
            near = [
                w.torch.tensor(points.numpy().tolist(), dtype=getattr(w.torch, str(points.dtype)[6:])) for w in worlds
            ]
            for question, asked in QUESTIONS.items():
                rtol = 2e-6 if options.dtype == "float32" and "sample" in question else 1e-4
                row(question, text, *[w.run(asked, d=d, x=x) for w, d, x in zip(worlds, made, near)], rtol=rtol)
            gradients(worlds, text, row)
    if not options.k or options.k == "transforms":
        for text, x in TRANSFORMS.items():
            made = [w.make(f"D.{text}") for w in worlds]
            for question, asked in TRANSFORM_QUESTIONS.items():
                row("transform " + question, text, *[w.run(asked, t=t, x=w.make(x)) for w, t in zip(worlds, made)])
        for text in CONSTRAINTS:
            made = [w.make(f"c.{text}") for w in worlds]
            for x in (V, L, P, M, S, T, "torch.eye(3)"):
                for asked in ("t.check(x)", "D.biject_to(t)(x)", "D.transform_to(t)(x)"):
                    row(
                        "constraint",
                        f"{text} {asked} {x}",
                        *[w.run(asked, t=t, x=w.make(x)) for w, t in zip(worlds, made)],
                    )
            row("constraint", text, *[w.run("repr(t), t.event_dim, t.is_discrete", t=t) for w, t in zip(worlds, made)])
        for text in BAD:
            row("bad", text, *[w.make(text) for w in worlds])
    if not options.k or options.k == "kl":
        for (p, ps), (q, qs) in itertools.product(FAMILIES.items(), repeat=2):
            for a, b in itertools.product(ps, qs):
                row("kl", f"{p}({a}) {q}({b})", *[w.make(f"D.kl_divergence(D.{p}({a}), D.{q}({b}))") for w in worlds])
    for kind, (right, total) in counts.items():
        print(f"{kind:24} {right:5} of {total:5}")
    right, total = (sum(c[i] for c in counts.values()) for i in (0, 1))
    print(f"{'all':24} {right:5} of {total:5}  {100 * right / max(total, 1):.2f}%")


def gradients(worlds: Any, text: str, row: Any) -> None:
    """Compares derivatives of samples and densities by every tensor that stands in the program."""
    answers: list[list[Any]] = [[], []]
    for world, found in zip(worlds, answers):
        leaves: list[Any] = []

        def leaf(*args: Any, leaves: list[Any] = leaves, world: Any = world, **kwargs: Any) -> Any:
            t = world.torch.tensor(*args, **kwargs)
            if t.is_floating_point():
                leaves.append(t.requires_grad_())
            return t

        class Torch:
            tensor = staticmethod(leaf)
            __getattr__ = lambda self, name, world=world: getattr(world.torch, name)  # noqa: E731

        d = world.run(text, torch=Torch())
        for asked in ("seeded(lambda: d.rsample((3,)))", "d.log_prob(seeded(lambda: d.sample()))", "d.entropy()"):
            value = world.run(asked, d=d)
            if isinstance(value, Exception) or not leaves or not value.requires_grad:
                found.extend([value if isinstance(value, Exception) else None] * max(len(leaves), 1))
                continue
            weights = world.torch.linspace(0.5, 1.5, value.numel(), dtype=value.dtype).reshape(value.shape)
            asked = "torch.autograd.grad((v * w).sum(), leaves, allow_unused=True, retain_graph=True)"
            slopes = world.run(asked, v=value, w=weights, leaves=leaves)
            found.extend([slopes] * len(leaves) if isinstance(slopes, Exception) else slopes)
    for mine, other in itertools.zip_longest(*answers):
        row("gradient", text, mine, other, rtol=2e-3)


if __name__ == "__main__":
    main()
