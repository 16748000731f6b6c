"""Leaky relu with slopes that are drawn: torch's random numbers in training, their mean otherwise."""

from __future__ import annotations

from dispatchtorch.dispatch.table import METHODS, composite
from dispatchtorch.ops.activation import leaky_relu
from dispatchtorch.ops.samples import Sample
from dispatchtorch.random import streams
from dispatchtorch.random.generator import Generator, default_generator
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["rrelu", "rrelu_"]


def _slopes(input: Tensor, lower: float, upper: float, generator: Generator | None) -> Tensor:
    """Returns torch's random slopes for what is not positive, 1 elsewhere."""
    host = interop.to_host(input.detach())
    noise = streams.rrelu_noise((generator or default_generator).engine, host, lower, upper)
    return interop.from_host(noise, input.device, input._key.backend)


def _check(input: Tensor, lower: float, upper: float, training: bool) -> None:
    if training and input._key.dtype.name not in ("float32", "float64", "bfloat16"):
        raise NotImplementedError(f"\"rrelu_with_noise_out_cpu\" not implemented for '{input._key.dtype.legacy}'")
    if lower > upper:
        raise RuntimeError("Lower bound should be less than or equal to the upper bound")


@composite(samples=lambda make: iter((Sample((make(3, 4),)), Sample((make(3), 0.1, 0.2)))))
def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Returns the values, negative ones times a slope: random in training, the middle one otherwise."""
    _check(input, lower, upper, training)
    if not training:
        return leaky_relu(input, (lower + upper) / 2)
    return input * _slopes(input, lower, upper, generator)


@composite()
def rrelu_(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Writes `rrelu` of the tensor into it and returns it."""
    _check(input, lower, upper, training)
    if not training:
        return METHODS["copy_"](input, leaky_relu(input, (lower + upper) / 2))  # type: ignore[no-any-return]  # the table
    return input.mul_(_slopes(input, lower, upper, generator))
