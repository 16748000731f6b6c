"""Gamma and Dirichlet samples that know how they move with their parameters.

Samples are drawn on the host, from torch's stream; derivatives hold the cumulative probability fixed (Figurnov,
Mohamed and Mnih 2018) and are computed on the backend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from dispatchtorch.dispatch.op import Op
from dispatchtorch.dispatch.table import FUNCTIONS, pointwise, primitive
from dispatchtorch.ops.draw import engine_of, made, remember
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.random import streams
from dispatchtorch.random.generator import Generator
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["dirichlet_rsample"]


def _no_slope(name: str) -> None:
    raise NotImplementedError(f"the derivative for '{name}' is not implemented.")


def _shape_and_sample(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4, low=0.1, high=5.0), make(3, 4, low=0.01, high=9.0)), grad=False)


@pointwise(
    grad={
        "input": lambda g: _no_slope("_standard_gamma_grad"),
        "output": lambda g: _no_slope("_standard_gamma_grad"),
    },
    dtype="float",
    inplace=False,
    samples=_shape_and_sample,
)
def _standard_gamma_grad(input: Tensor, output: Tensor) -> Tensor:
    """Returns by how much gamma samples ``output`` move when their shape parameters ``input`` do."""
    ...


def _point_of_simplex(make: Maker) -> Iterator[Sample]:
    yield Sample(
        (make(3, 4, low=0.05, high=0.9), make(3, 4, low=0.2, high=3.0), make(3, 4, low=3.5, high=6.0)), grad=False
    )


@primitive(samples=_point_of_simplex)
def _dirichlet_grad(x: Tensor, alpha: Tensor, total: Tensor) -> Tensor:
    """Returns how shares ``x`` move with their concentrations, over 1 - x; ``total`` is the concentrations' sum."""
    ...


def _movement(g: Tensor, input: Tensor, out: Tensor) -> Tensor:
    """Returns the gradient of concentrations from that of points of the simplex."""
    total = input.sum(-1, True).expand_as(input)
    return _dirichlet_grad(out, input, total) * (g - (out * g).sum(-1, True))


def _history(node: str, rule: Callable[..., Tensor]) -> Op:
    def sampled(input: Tensor) -> None: ...

    return Op(
        sampled,
        pointwise=False,
        grad={"input": rule},
        dtype="same",
        kernel=None,
        node=node,
        decomposed=False,
        samples=None,
    )


_GAMMA: Final = _history("StandardGammaBackward0", lambda g, input, out: g * _standard_gamma_grad(input, out))
_DIRICHLET: Final = _history("_DirichletBackward", _movement)


def _standard_gamma(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Returns gamma numbers of scale 1, one for each shape parameter."""
    engine = engine_of(generator, "_standard_gamma")
    key = input._key.fresh(False)
    if not key.dtype.is_floating_point:
        raise NotImplementedError(f"\"gamma_cpu\" not implemented for '{key.dtype.legacy}'")
    shapes = interop.to_host(input)
    drawn = made(key, tuple(input._a.shape), lambda s, flat: streams.standard_gamma(engine, shapes))
    return remember(_GAMMA, drawn, input)


def _sample_dirichlet(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Returns points of the simplex, without a history."""
    engine = engine_of(generator, "_sample_dirichlet")
    concentrations = interop.to_host(input)
    shape = tuple(input._a.shape)
    return made(input._key.fresh(False), shape, lambda s, flat: streams.dirichlet(engine, concentrations))


def dirichlet_rsample(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Returns points of the simplex, drawn with these concentrations along the last dimension and moving with them."""
    return remember(_DIRICHLET, _sample_dirichlet(input, generator), input)


FUNCTIONS["_standard_gamma"] = _standard_gamma
FUNCTIONS["_standard_gamma_grad"] = _standard_gamma_grad
FUNCTIONS["_sample_dirichlet"] = _sample_dirichlet
FUNCTIONS["_dirichlet_grad"] = _dirichlet_grad
