"""Functions of the normal distribution, the scaled error function, and entropy's terms: real only."""

from __future__ import annotations

import math

from dispatchtorch.dispatch.table import composite, pointwise
from dispatchtorch.ops import refusals
from dispatchtorch.ops.choose import where
from dispatchtorch.ops.exponential import exp, log, log1p
from dispatchtorch.ops.gamma import erf
from dispatchtorch.ops.pointwise import Number, Operand
from dispatchtorch.ops.samples import binary, unary
from dispatchtorch.ops.special_room import pair, publish
from dispatchtorch.tensor.tensor import Tensor

_SINGLE = ("complex", "half")


@pointwise(
    grad={"input": lambda g, input: g * where(input != input, input, -log(input) - 1)},
    dtype="float",
    inplace=False,
    check=refusals.not_implemented("entr_cpu", "complex"),
    samples=unary(0.1, 3.0),
)
def _special_entr(input: Tensor) -> Tensor:
    """Returns ``-input * log(input)``, 0 at 0 and -inf below.

    >>> torch.special.entr(torch.tensor([0.0, 0.5, 1.0]))
    tensor([0.0000, 0.3466, -0.0000])
    """
    ...


@pointwise(
    grad={"input": lambda g, input, out: g * (2.0 * input * out - 2.0 / math.sqrt(math.pi))},
    dtype="float",
    inplace=False,
    check=refusals.not_implemented("erfcx_cpu", *_SINGLE),
    samples=unary(),
)
def _special_erfcx(input: Tensor) -> Tensor:
    """Returns ``exp(input ** 2) * erfc(input)``, which neither overflows nor vanishes for large values.

    >>> torch.special.erfcx(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 0.4276])
    """
    ...


@composite(function=False, samples=unary())
def special_ndtr(input: Tensor) -> Tensor:
    """Returns the normal distribution's share below the values.

    >>> torch.special.ndtr(torch.tensor([0.0, 1.0]))
    tensor([0.5000, 0.8413])
    """
    return (1 + erf(input * math.sqrt(0.5))) * 0.5


def _log_share_slope(g: Tensor, input: Tensor) -> Tensor:
    return g / _special_erfcx(input * -math.sqrt(0.5)) * math.sqrt(2 / math.pi)


@pointwise(
    grad={"input": _log_share_slope},
    dtype="float",
    inplace=False,
    check=refusals.not_implemented("log_ndtr_cpu", *_SINGLE),
    samples=unary(),
)
def _special_log_ndtr(input: Tensor) -> Tensor:
    """Returns the logarithm of `ndtr`, exact where that is small.

    >>> torch.special.log_ndtr(torch.tensor([-10.0, 0.0]))
    tensor([-53.2313,  -0.6931])
    """
    ...


@pointwise(
    grad={"input": lambda g, out: g * math.sqrt(2 * math.pi) * exp(out * out / 2)},
    dtype="float",
    inplace=False,
    check=refusals.not_implemented("ndtri_cpu", *_SINGLE),
    samples=unary(0.05, 0.95),
)
def _special_ndtri(input: Tensor) -> Tensor:
    """Returns the value below which the normal distribution has these shares; nan outside of 0 to 1.

    >>> torch.special.ndtri(torch.tensor([0.25, 0.5]))
    tensor([-0.6745,  0.0000])
    """
    ...


def _factor_slope(g: Tensor, input: Operand, other: Operand) -> Tensor:
    flat = (input == 0) & (other <= -1)
    product = g * (log1p(other) if isinstance(other, Tensor) else math.log1p(other) if other > -1 else math.nan)
    return where(flat, 0.0, product) if isinstance(flat, Tensor) else product


@pointwise(
    grad={"input": _factor_slope, "other": lambda g, input, other: g * input / (other + 1)},
    dtype="float",
    node=lambda node: "SpecialXlog1PyBackward" + ("0" if all(node.edges) else "1" if node.edges[1] else "2"),
    inplace=False,
    check=refusals.not_implemented("xlog1py_cpu", "complex"),
    samples=binary(0.1, 2.0),
)
def _special_xlog1py(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Returns ``input * log1p(other)``, 0 where ``input`` is 0.

    >>> torch.special.xlog1py(torch.tensor([0.0, 2.0]), torch.tensor([-1.0, 1.0]))
    tensor([0.0000, 1.3863])
    """
    ...


publish(_special_entr, _special_erfcx, special_ndtr, _special_log_ndtr, _special_ndtri)
pair(_special_xlog1py)
