"""Error functions and the gamma family; real only."""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch._base.dtypes import COMPLEX, DType
from dispatchtorch.dispatch.table import METHODS, composite, pointwise
from dispatchtorch.ops import refusals
from dispatchtorch.ops.exponential import exp
from dispatchtorch.ops.samples import Maker, Sample, unary
from dispatchtorch.tensor.tensor import Tensor

_real_only = "complex"


@pointwise(
    grad={"input": lambda g, input: g * exp(input * -input) * (2 / math.sqrt(math.pi))},
    dtype="float",
    check=refusals.not_implemented("erf_vml_cpu", _real_only),
    samples=unary(),
)
def erf(input: Tensor) -> Tensor:
    """Returns the error function.

    >>> torch.erf(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8427])
    """
    ...


@pointwise(
    grad={"input": lambda g, input: g * exp(input * -input) * (-2 / math.sqrt(math.pi))},
    dtype="float",
    check=refusals.not_implemented("erfc_vml_cpu", _real_only),
    samples=unary(),
)
def erfc(input: Tensor) -> Tensor:
    """Returns 1 minus the error function, exact where that is small.

    >>> torch.erfc(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 0.1573])
    """
    ...


@pointwise(
    grad={"input": lambda g, out: g * exp(out * out) * (math.sqrt(math.pi) / 2)},
    dtype="float",
    check=refusals.not_implemented("erfinv_vml_cpu", _real_only),
    samples=unary(-0.9, 0.9),
)
def erfinv(input: Tensor) -> Tensor:
    """Returns what has these error functions.

    >>> torch.erfinv(torch.tensor([0.0, 0.5]))
    tensor([0.0000, 0.4769])
    """
    ...


@pointwise(
    grad={"input": lambda g, input: g * digamma(input)},
    dtype="float",
    check=refusals.not_implemented("lgamma_vml_cpu", _real_only),
    samples=unary(0.2, 5.0),
)
def lgamma(input: Tensor) -> Tensor:
    """Returns the logarithm of the absolute gamma function.

    >>> torch.lgamma(torch.tensor([1.0, 4.0]))
    tensor([0.0000, 1.7918])
    """
    ...


@pointwise(
    grad={"input": lambda g, input: g * _polygamma(input, 1)},
    dtype="float",
    check=refusals.not_implemented("digamma", _real_only),
    samples=unary(0.5, 5.0),
)
def digamma(input: Tensor) -> Tensor:
    """Returns the derivative of `lgamma`.

    >>> torch.digamma(torch.tensor([1.0, 2.0]))
    tensor([-0.5772,  0.4228])
    """
    ...


def _real_polygamma(keys: Any, common: DType) -> None:
    if common.category == COMPLEX:
        raise NotImplementedError(f"\"polygamma\" not implemented for '{common.legacy}'")


@pointwise(
    grad={"input": lambda g, input, n: g * _polygamma(input, n + 1)},
    dtype="float",
    node="PolygammaBackward0",
    check=_real_polygamma,
)
def _polygamma(input: Tensor, n: int) -> Tensor:
    """Returns the ``n``-th derivative of `digamma`, n at least 1."""
    ...


def _orders(make: Maker) -> Any:
    yield Sample((1, make(3, low=0.5)))
    yield Sample((2, make(3, low=0.5)))


@composite(out=True, samples=_orders)
def polygamma(n: int, input: Tensor) -> Tensor:
    """Returns the ``n``-th derivative of `digamma`.

    >>> torch.polygamma(1, torch.tensor([1.0]))
    tensor([1.6449])
    """
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    if n == 1:
        refusals.not_implemented("trigamma", _real_only)([], input._key.dtype)
    return digamma(input) if n == 0 else _polygamma(input, n)


def _polygamma_method(self: Tensor, n: int) -> Tensor:
    return polygamma(n, self)


def _polygamma_inplace(self: Tensor, n: int) -> Tensor:
    inplace = METHODS["digamma_"] if n == 0 else None
    return inplace(self) if inplace else _polygamma.inplace(self, n)  # type: ignore[attr-defined, no-any-return]  # derived


METHODS["polygamma"] = _polygamma_method
METHODS["polygamma_"] = _polygamma_inplace
