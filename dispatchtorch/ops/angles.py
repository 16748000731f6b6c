"""Circular and hyperbolic functions and their inverses, in radians; integers become the default float."""

from __future__ import annotations

import math

from dispatchtorch._base.dtypes import COMPLEX
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, pointwise
from dispatchtorch.ops import refusals
from dispatchtorch.ops.choose import masked_fill
from dispatchtorch.ops.pointwise import conj_of
from dispatchtorch.ops.samples import binary, unary
from dispatchtorch.tensor.tensor import Tensor


def _rsqrt(x: Tensor) -> Tensor:
    return FUNCTIONS["rsqrt"](x)  # type: ignore[no-any-return]  # an entry of the table


def _acosh_slope(x: Tensor) -> Tensor:
    return _rsqrt(x + 1) * _rsqrt(x - 1) if x._key.dtype.category == COMPLEX else _rsqrt(x * x - 1)


@pointwise(grad={"input": lambda g, input: g * conj_of(cos(input))}, dtype="float", samples=unary())
def sin(input: Tensor) -> Tensor:
    """Returns sines of angles in radians.

    >>> torch.sin(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8415])
    """
    ...


@pointwise(grad={"input": lambda g, input: -g * conj_of(sin(input))}, dtype="float", samples=unary())
def cos(input: Tensor) -> Tensor:
    """Returns cosines of angles in radians.

    >>> torch.cos(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 0.5403])
    """
    ...


@pointwise(grad={"input": lambda g, out: g * conj_of(out * out + 1)}, dtype="float", samples=unary(-1.0, 1.0))
def tan(input: Tensor) -> Tensor:
    """Returns tangents of angles in radians.

    >>> torch.tan(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 1.5574])
    """
    ...


@pointwise(
    grad={"input": lambda g, input: g * conj_of(_rsqrt(1 - input * input))},
    kernel="arcsin",
    dtype="float",
    samples=unary(-0.9, 0.9),
)
def asin(input: Tensor) -> Tensor:
    """Returns the angles with these sines, in radians.

    >>> torch.asin(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 1.5708])
    """
    ...


@pointwise(
    grad={"input": lambda g, input: -g * conj_of(_rsqrt(1 - input * input))},
    kernel="arccos",
    dtype="float",
    samples=unary(-0.9, 0.9),
)
def acos(input: Tensor) -> Tensor:
    """Returns the angles with these cosines, in radians.

    >>> torch.acos(torch.tensor([0.0, 1.0]))
    tensor([1.5708, 0.0000])
    """
    ...


@pointwise(
    grad={"input": lambda g, input: g / conj_of(input * input + 1)}, kernel="arctan", dtype="float", samples=unary()
)
def atan(input: Tensor) -> Tensor:
    """Returns the angles with these tangents, in radians.

    >>> torch.atan(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7854])
    """
    ...


def _over_square(g: Tensor, part: Tensor, input: Tensor, other: Tensor) -> Tensor:
    square = input * input + other * other
    return masked_fill(g * (part / square), square == 0, 0.0)


@pointwise(
    grad={
        "input": lambda g, input, other: _over_square(g, other, input, other),
        "other": lambda g, input, other: _over_square(-g, input, input, other),
    },
    kernel="arctan2",
    dtype="float",
    check=refusals.not_implemented("atan2_cpu", "complex"),
    samples=binary(low=0.5, number=False),
)
def atan2(input: Tensor, other: Tensor) -> Tensor:
    """Returns the angles of the points ``(other, input)``, in radians.

    >>> torch.atan2(torch.tensor([1.0]), torch.tensor([1.0]))
    tensor([0.7854])
    """
    ...


@pointwise(grad={"input": lambda g, input: g * conj_of(cosh(input))}, dtype="float", samples=unary())
def sinh(input: Tensor) -> Tensor:
    """Returns hyperbolic sines.

    >>> torch.sinh(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 1.1752])
    """
    ...


@pointwise(grad={"input": lambda g, input: g * conj_of(sinh(input))}, dtype="float", samples=unary())
def cosh(input: Tensor) -> Tensor:
    """Returns hyperbolic cosines.

    >>> torch.cosh(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 1.5431])
    """
    ...


@pointwise(
    grad={
        "input": lambda g, other: _tanh_backward(g, conj_of(other)),
        "other": lambda g, input, other: g * conj_of(input * other) * -2,
    },
    node="TanhBackwardBackward0",
    inplace=False,
)
def _tanh_backward(input: Tensor, other: Tensor) -> Tensor:
    """Returns a gradient ``input`` sent through a tanh whose result was ``other``."""
    ...


@pointwise(grad={"input": lambda g, out: _tanh_backward(g, conj_of(out))}, dtype="float", samples=unary())
def tanh(input: Tensor) -> Tensor:
    """Returns hyperbolic tangents.

    >>> torch.tanh(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])
    """
    ...


@pointwise(
    grad={"input": lambda g, input: g * conj_of(_rsqrt(input * input + 1))},
    kernel="arcsinh",
    dtype="float",
    samples=unary(),
)
def asinh(input: Tensor) -> Tensor:
    """Returns what has these hyperbolic sines.

    >>> torch.asinh(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8814])
    """
    ...


@pointwise(
    grad={"input": lambda g, input: g * conj_of(_acosh_slope(input))},
    kernel="arccosh",
    dtype="float",
    samples=unary(1.2, 3.0),
)
def acosh(input: Tensor) -> Tensor:
    """Returns what has these hyperbolic cosines.

    >>> torch.acosh(torch.tensor([1.0, 2.0]))
    tensor([0.0000, 1.3170])
    """
    ...


@pointwise(
    grad={"input": lambda g, input: g / conj_of(1 - input * input)},
    kernel="arctanh",
    dtype="float",
    samples=unary(-0.9, 0.9),
)
def atanh(input: Tensor) -> Tensor:
    """Returns what has these hyperbolic tangents.

    >>> torch.atanh(torch.tensor([0.0, 0.5]))
    tensor([0.0000, 0.5493])
    """
    ...


def _sinc_backward(g: Tensor, input: Tensor) -> Tensor:
    angle = input * math.pi
    slope = (cos(angle) * angle - sin(angle)) / (angle * input)
    return masked_fill(g * conj_of(slope), input == 0, 0.0)


@pointwise(grad={"input": _sinc_backward}, dtype="float", samples=unary())
def sinc(input: Tensor) -> Tensor:
    """Returns ``sin(pi x) / (pi x)``, 1 at 0.

    >>> torch.sinc(torch.tensor([0.0, 0.5]))
    tensor([1.0000, 0.6366])
    """
    ...


@pointwise(
    grad={"input": lambda g: g * (math.pi / 180)},
    dtype="float",
    node="Deg2RadBackward0",
    check=refusals.not_complex("deg2rad is not supported for complex tensors."),
    samples=unary(),
)
def deg2rad(input: Tensor) -> Tensor:
    """Returns degrees as radians.

    >>> torch.deg2rad(torch.tensor([180.0]))
    tensor([3.1416])
    """
    ...


@pointwise(
    grad={"input": lambda g: g * (180 / math.pi)},
    dtype="float",
    node="Rad2DegBackward0",
    check=refusals.not_complex("rad2deg is not supported for complex tensors."),
    samples=unary(),
)
def rad2deg(input: Tensor) -> Tensor:
    """Returns radians as degrees.

    >>> torch.rad2deg(torch.tensor([3.1415927]))
    tensor([180.])
    """
    ...


for _name in ("sin", "cos", "tan", "sinh", "cosh", "tanh"):
    if "a" + _name in FUNCTIONS:
        for _tail in ("", "_"):
            METHODS["arc" + _name + _tail] = METHODS["a" + _name + _tail]
        FUNCTIONS["arc" + _name] = FUNCTIONS["a" + _name]
for _tail in ("", "_"):
    METHODS["arctan2" + _tail] = METHODS["atan2" + _tail]
FUNCTIONS["arctan2"] = FUNCTIONS["atan2"]
