"""Sample calls of ops, from which the conformance kit, gradcheck and the goldens are made.

A sampler is a generator function of a `Maker`; it yields `Sample`s. Inputs come from torch's own random stream, so the
same samples can be made in torch with the same seed, which is how goldens are recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

__all__ = ["Maker", "Sample", "Sampler", "binary", "unary"]


class Sample(NamedTuple):
    """One call: ``op(*args, **kwargs)``."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = MappingProxyType({})
    grad: bool = True  # False: the derivative is not defined or not unique here


class Maker(Protocol):
    """Makes inputs: floats uniform in [low, high), integers and bools too, by dtype name."""

    def __call__(self, *shape: int, dtype: str = "float32", low: float = -2.0, high: float = 2.0) -> Any:
        """Returns a fresh tensor of ``shape``."""


Sampler = Callable[[Maker], Iterator[Sample]]


def unary(low: float = -2.0, high: float = 2.0) -> Sampler:
    """Returns a sampler of one argument: two-dimensional, 0-dimensional, empty, and an int one without derivative."""

    def sampler(make: Maker) -> Iterator[Sample]:
        yield Sample((make(3, 4, low=low, high=high),))
        yield Sample((make(low=low, high=high),))
        yield Sample((make(0, 2, low=low, high=high),))

    return sampler


def binary(low: float = -2.0, high: float = 2.0, *, number: bool = True) -> Sampler:
    """Returns a sampler of two arguments: equal shapes, broadcasting both ways, 0-dimensional, and perhaps a number."""

    def sampler(make: Maker) -> Iterator[Sample]:
        yield Sample((make(3, 4, low=low, high=high), make(3, 4, low=low, high=high)))
        yield Sample((make(3, 1, low=low, high=high), make(4, low=low, high=high)))
        yield Sample((make(2, 3, low=low, high=high), make(low=low, high=high)))
        if number:
            yield Sample((make(2, 3, low=low, high=high), max(low, 0.5) + 0.75))

    return sampler
