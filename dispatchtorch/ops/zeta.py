"""Hurwitz' zeta function and the incomplete gamma functions: real only, with a derivative by the second argument."""

from __future__ import annotations

from collections.abc import Iterator

from dispatchtorch._base.dtypes import BOOL, FLOATING, DType, get_default_dtype, promote
from dispatchtorch.dispatch.table import FUNCTIONS, composite, pointwise
from dispatchtorch.ops import refusals
from dispatchtorch.ops.exponential import exp, log
from dispatchtorch.ops.gamma import digamma, lgamma
from dispatchtorch.ops.pointwise import Number
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.ops.special_room import SPECIAL, pair
from dispatchtorch.tensor.tensor import Tensor


def _pairs(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4, low=1.5, high=5.0), make(3, 4, low=0.5, high=9.0)))
    yield Sample((make(3, 1, low=0.5, high=30.0), make(4, low=0.5, high=30.0)))


def _no_slope(name: str) -> None:
    raise NotImplementedError(f"the derivative for '{name}' is not implemented.")


@pointwise(
    grad={
        "input": lambda g: _no_slope("zeta"),
        "other": lambda g, input, other: g * -input * _special_zeta(input + 1.0, other),
    },
    dtype="float",
    inplace=False,
    check=refusals.not_implemented("zeta_cpu", "complex", "half"),
    samples=_pairs,
)
def _special_zeta(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Returns Hurwitz' zeta function: the sum of ``(other + k) ** -input`` over all k from 0.

    >>> torch.special.zeta(torch.tensor([2.0, 4.0]), 1)
    tensor([1.6449, 1.0823])
    """
    ...


def _floats_only(keys: object, common: DType) -> None:
    if common.category != FLOATING:
        raise NotImplementedError(f"\"igamma_cpu\" not implemented for '{common.legacy}'")


def _density(g: Tensor, input: Tensor, other: Tensor) -> Tensor:
    """Returns ``g`` times the derivative of P by its second argument."""
    return g * exp((input - 1) * log(other) - other - lgamma(input))


@pointwise(
    grad={"input": lambda g: _no_slope("igamma: input"), "other": _density},
    check=_floats_only,
    samples=_pairs,
)
def igamma(input: Tensor, other: Tensor) -> Tensor:
    """Returns the regularised lower incomplete gamma function P of order ``input`` at ``other``.

    >>> torch.igamma(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0]))
    tensor([0.6321, 0.5940])
    """
    ...


@pointwise(
    grad={"input": lambda g: _no_slope("igammac: input"), "other": lambda g, input, other: -_density(g, input, other)},
    check=refusals.not_implemented("igammac_cpu", "bool", "integral", "complex"),
    samples=_pairs,
)
def igammac(input: Tensor, other: Tensor) -> Tensor:
    """Returns the regularised upper incomplete gamma function Q of order ``input`` at ``other``: 1 - P.

    >>> torch.igammac(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0]))
    tensor([0.3679, 0.4060])
    """
    ...


def _dimensions(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4, low=3.0, high=6.0), 1))
    yield Sample((make(3, low=3.0, high=6.0), 4))


def _multivariate_slope(g: Tensor, input: Tensor, p: int) -> Tensor:
    total = digamma(input)
    for j in range(1, p):
        total = total + digamma(input - j / 2)
    return g * total


def _no_order(keys: object, common: DType) -> None:
    if common.category == BOOL:
        raise RuntimeError("The input tensor may not be a boolean tensor.")
    refusals.not_implemented("arange_cpu", "complex")([], common)


@pointwise(grad={"input": _multivariate_slope}, dtype="float", node="MvlgammaBackward0", check=_no_order)
def _mvlgamma(input: Tensor, p: int) -> Tensor:
    """Returns the logarithm of the multivariate gamma function of dimension ``p``."""
    ...


def _checked(p: int) -> int:
    if not isinstance(p, int):
        raise TypeError(f"mvlgamma(): argument 'p' (position 2) must be int, not {type(p).__name__}")
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    return p


def mvlgamma_(input: Tensor, p: int) -> Tensor:
    """Writes the logarithm of the multivariate gamma function; RuntimeError for integers."""
    own = input._key.dtype
    if own.category < FLOATING:
        made = promote(own, get_default_dtype())
        raise RuntimeError(f"mvlgamma: result type {own.legacy} can't be cast to the desired output type {made.legacy}")
    return _mvlgamma.inplace(input, _checked(p))  # type: ignore[attr-defined, no-any-return]  # derived by the decorator


@composite(method=True, out=True, inplace=mvlgamma_, samples=_dimensions)
def mvlgamma(input: Tensor, p: int) -> Tensor:
    """Returns the logarithm of the multivariate gamma function of dimension ``p``; inf where it has a pole.

    >>> torch.mvlgamma(torch.tensor([3.0, 4.0]), 2)
    tensor([1.5502, 3.5651])
    """
    if not isinstance(input, Tensor):
        raise TypeError(f"mvlgamma(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    return _mvlgamma(input, _checked(p))


pair(_special_zeta)
SPECIAL["gammainc"], SPECIAL["gammaincc"] = FUNCTIONS["igamma"], FUNCTIONS["igammac"]
SPECIAL["multigammaln"] = FUNCTIONS["mvlgamma"]
