"""Greatest common divisors and least common multiples of integers, elementwise."""

from __future__ import annotations

from collections.abc import Iterator

from dispatchtorch.dispatch.table import pointwise
from dispatchtorch.ops import refusals
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["gcd", "lcm"]


def _samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4, dtype="int64", low=-9, high=9), make(3, 4, dtype="int64", low=-9, high=9)))
    yield Sample((make(3, 1, dtype="int64", low=0, high=9), make(4, dtype="int64", low=1, high=9)))


def _integers(name: str) -> refusals.Check:
    return refusals.not_implemented(f"{name}_cpu", "bool", "floating", "complex")


@pointwise(samples=_samples, check=_integers("gcd"))
def gcd(input: Tensor, other: Tensor) -> Tensor:
    """Returns the largest integers that divide both; gcd(0, n) is abs(n).

    >>> torch.gcd(torch.tensor([5, 10]), torch.tensor([15, 4]))
    tensor([5, 2])
    """
    ...


@pointwise(samples=_samples, check=_integers("lcm"))
def lcm(input: Tensor, other: Tensor) -> Tensor:
    """Returns the smallest integers that both divide; lcm(0, n) is 0.

    >>> torch.lcm(torch.tensor([5, 10]), torch.tensor([15, 4]))
    tensor([15, 20])
    """
    ...
