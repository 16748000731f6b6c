"""Exponentials, logarithms, angles and special functions of one or two values; integers become floats first."""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch._base.dtypes import COMPLEX, FLOATING
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, pointwise
from dispatchtorch.ops import refusals
from dispatchtorch.ops.compare import masked_fill
from dispatchtorch.ops.pointwise import Number, Operand, _zeros, conj_of
from dispatchtorch.ops.samples import Maker, Sample, binary, unary
from dispatchtorch.tensor.tensor import Tensor


def _rsqrt(x: Tensor) -> Tensor:
    return FUNCTIONS["rsqrt"](x)  # type: ignore[no-any-return]  # an entry of the table


def _acosh_slope(x: Tensor) -> Tensor:
    return _rsqrt(x + 1) * _rsqrt(x - 1) if x._key.dtype.category == COMPLEX else _rsqrt(x * x - 1)


# --- exponentials and logarithms -------------------------------------------------------------------------------------


@pointwise(grad={"input": lambda g, out: g * conj_of(out)}, dtype="float", samples=unary())
def exp(input: Tensor) -> Tensor:
    """Returns e to these powers.

    >>> torch.exp(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 2.7183])
    """
    ...


@pointwise(grad={"input": lambda g, out: g * conj_of(out) * math.log(2)}, dtype="float", samples=unary())
def exp2(input: Tensor) -> Tensor:
    """Returns 2 to these powers.

    >>> torch.exp2(torch.tensor([0.0, 3.0]))
    tensor([1., 8.])
    """
    ...


@pointwise(grad={"input": lambda g, out: g * conj_of(out + 1)}, dtype="float", samples=unary())
def expm1(input: Tensor) -> Tensor:
    """Returns ``exp(input) - 1``, exact near 0.

    >>> torch.expm1(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 1.7183])
    """
    ...


@pointwise(grad={"input": lambda g, input: g / conj_of(input)}, dtype="float", samples=unary(low=0.1))
def log(input: Tensor) -> Tensor:
    """Returns natural logarithms.

    >>> torch.log(torch.tensor([1.0, 10.0]))
    tensor([0.0000, 2.3026])
    """
    ...


@pointwise(grad={"input": lambda g, input: g / conj_of(input * math.log(2))}, dtype="float", samples=unary(low=0.1))
def log2(input: Tensor) -> Tensor:
    """Returns logarithms to base 2.

    >>> torch.log2(torch.tensor([1.0, 8.0]))
    tensor([0., 3.])
    """
    ...


@pointwise(grad={"input": lambda g, input: g / conj_of(input * math.log(10))}, dtype="float", samples=unary(low=0.1))
def log10(input: Tensor) -> Tensor:
    """Returns logarithms to base 10.

    >>> torch.log10(torch.tensor([1.0, 100.0]))
    tensor([0., 2.])
    """
    ...


@pointwise(grad={"input": lambda g, input: g / conj_of(input + 1)}, dtype="float", samples=unary(low=-0.5))
def log1p(input: Tensor) -> Tensor:
    """Returns ``log(1 + input)``, exact near 0.

    >>> torch.log1p(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.6931])
    """
    ...


_floats_only = refusals.not_implemented


@pointwise(
    grad={
        "input": lambda g, input, other: g / (exp(other - input) + 1),
        "other": lambda g, input, other: g / (exp(input - other) + 1),
    },
    inplace=False,
    check=_floats_only("logaddexp_cpu", "bool", "integral"),
    samples=binary(number=False),
)
def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """Returns ``log(exp(input) + exp(other))`` without overflow.

    >>> torch.logaddexp(torch.tensor([0.0]), torch.tensor([0.0]))
    tensor([0.6931])
    """
    ...


@pointwise(
    grad={
        "input": lambda g, input, other: g / (exp2(other - input) + 1),
        "other": lambda g, input, other: g / (exp2(input - other) + 1),
    },
    inplace=False,
    check=_floats_only("logaddexp2_cpu", "bool", "integral"),
    samples=binary(number=False),
)
def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """Returns ``log2(2**input + 2**other)`` without overflow.

    >>> torch.logaddexp2(torch.tensor([1.0]), torch.tensor([1.0]))
    tensor([2.])
    """
    ...


# --- angles ----------------------------------------------------------------------------------------------------------


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
    check=_floats_only("atan2_cpu", "complex"),
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


# --- logistic --------------------------------------------------------------------------------------------------------


@pointwise(
    grad={
        "input": lambda g, other: _sigmoid_backward(g, conj_of(other)),
        "other": lambda g, input, other: g * conj_of(input * (1 - other * 2)),
    },
    node="SigmoidBackwardBackward0",
    inplace=False,
)
def _sigmoid_backward(input: Tensor, other: Tensor) -> Tensor:
    """Returns a gradient ``input`` sent through a sigmoid whose result was ``other``."""
    ...


@pointwise(grad={"input": lambda g, out: _sigmoid_backward(g, conj_of(out))}, dtype="float", samples=unary())
def sigmoid(input: Tensor) -> Tensor:
    """Returns ``1 / (1 + exp(-input))``.

    >>> torch.sigmoid(torch.tensor([0.0, 2.0]))
    tensor([0.5000, 0.8808])
    """
    ...


def _logit_backward(g: Tensor, input: Tensor, eps: float | None) -> Tensor:
    slope = g / (input * (1 - input))
    if eps is None:
        return masked_fill(slope, (input < 0) | (input > 1), math.nan)
    return masked_fill(slope, (input < eps) | (input > 1 - eps), 0.0)


@pointwise(grad={"input": _logit_backward}, dtype="float", check=_floats_only("logit_cpu", "complex"))
def _logit(input: Tensor, eps: float | None) -> Tensor:
    """Returns ``log(p / (1 - p))`` of p kept ``eps`` away from 0 and 1."""
    ...


def logit_(input: Tensor, eps: float | None = None) -> Tensor:
    """Takes log-odds in place."""
    return _logit.inplace(input, eps)  # type: ignore[attr-defined, no-any-return]  # derived by the decorator


@composite(method=True, out=True, inplace=logit_, samples=unary(0.1, 0.9))
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """Returns ``log(p / (1 - p))``; with ``eps``, p is kept that far from 0 and 1.

    >>> torch.logit(torch.tensor([0.5, 0.9]))
    tensor([0.0000, 2.1972])
    """
    return _logit(input, eps)


def _xlogy_backward(g: Tensor, input: Operand, other: Operand) -> Tensor:
    nothing = (input == 0) & (other <= 0)
    log_other = log(other) if isinstance(other, Tensor) else math.log(other) if other > 0 else math.nan
    return masked_fill(g * log_other, nothing, 0.0)


@pointwise(
    grad={"input": _xlogy_backward, "other": lambda g, input, other: g * (input / other)},
    dtype="float",
    samples=binary(low=0.5),
)
def xlogy(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Returns ``input * log(other)``, 0 where ``input`` is 0.

    >>> torch.xlogy(torch.tensor([0.0, 2.0]), torch.tensor([0.0, 1.0]))
    tensor([0., 0.])
    """
    ...


# --- error functions and gammas --------------------------------------------------------------------------------------

_real_only = "complex"


@pointwise(
    grad={"input": lambda g, input: g * exp(input * -input) * (2 / math.sqrt(math.pi))},
    dtype="float",
    check=_floats_only("erf_vml_cpu", _real_only),
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
    check=_floats_only("erfc_vml_cpu", _real_only),
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
    check=_floats_only("erfinv_vml_cpu", _real_only),
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
    check=_floats_only("lgamma_vml_cpu", _real_only),
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
    check=_floats_only("digamma", _real_only),
    samples=unary(0.5, 5.0),
)
def digamma(input: Tensor) -> Tensor:
    """Returns the derivative of `lgamma`.

    >>> torch.digamma(torch.tensor([1.0, 2.0]))
    tensor([-0.5772,  0.4228])
    """
    ...


@pointwise(
    grad={"input": lambda g, input, n: g * _polygamma(input, n + 1)},
    dtype="float",
    node="PolygammaBackward0",
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
    return digamma(input) if n == 0 else _polygamma(input, n)


def _polygamma_method(self: Tensor, n: int) -> Tensor:
    return polygamma(n, self)


def _polygamma_inplace(self: Tensor, n: int) -> Tensor:
    inplace = METHODS["digamma_"] if n == 0 else None
    return inplace(self) if inplace else _polygamma.inplace(self, n)  # type: ignore[attr-defined, no-any-return]  # derived


# --- complex numbers -------------------------------------------------------------------------------------------------


@pointwise(grad={"input": lambda g: conj_of(g)}, kernel="conj", node="ConjBackward0", inplace=False)
def _conj(input: Tensor) -> Tensor:
    """Returns conjugates."""
    ...


@composite(method=True)
def conj(input: Tensor) -> Tensor:
    """Returns complex conjugates; a real tensor is returned itself.

    >>> torch.conj(torch.tensor([1 + 2j]))
    tensor([1.-2.j])
    """
    return _conj(input) if input._key.dtype.category == COMPLEX else input


@composite(method=True, out=True, inplace=True)
def conj_physical(input: Tensor) -> Tensor:
    """Returns complex conjugates; a real tensor is returned itself."""
    return conj(input)


@pointwise(
    grad={"input": lambda g, input: _to_complex(g, input)}, kernel="", dtype="real", node="RealBackward0", inplace=False
)
def _real_part(input: Tensor) -> Tensor:
    """Returns real parts, copied."""
    ...


@pointwise(
    grad={"input": lambda g, input: _to_complex(g, input) * 1j},
    kernel="",
    dtype="real",
    node="ImagBackward0",
    inplace=False,
)
def _imag_part(input: Tensor) -> Tensor:
    """Returns imaginary parts, copied."""
    ...


def _to_complex(g: Tensor, like: Tensor) -> Tensor:
    return g + 0j if like._key.dtype.category == COMPLEX else g


METHODS["_real_part"] = _real_part


def _angle_backward(g: Tensor, input: Tensor) -> Tensor:
    if input._key.dtype.category < COMPLEX:
        return _zeros(g)
    size = FUNCTIONS["abs"](input)
    return masked_fill(g * 1j * input / (size * size), input == 0, 0.0)


def _angle_dtype(input: Tensor) -> Tensor:
    return input if input._key.dtype.category >= FLOATING else input * 1.0


@pointwise(grad={"input": _angle_backward}, dtype="real", node="AngleBackward0", inplace=False, samples=unary())
def _angle(input: Tensor) -> Tensor:
    """Returns angles."""
    ...


@composite(method=True, out=True)
def angle(input: Tensor) -> Tensor:
    """Returns the angle in the complex plane, in radians: 0 or pi for real numbers.

    >>> torch.angle(torch.tensor([-1.0, 2.0]))
    tensor([3.1416, 0.0000])
    """
    return _angle(_angle_dtype(input))


METHODS["polygamma"] = _polygamma_method
METHODS["polygamma_"] = _polygamma_inplace
for _name in ("sin", "cos", "tan", "sinh", "cosh", "tanh"):
    if "a" + _name in FUNCTIONS:
        for _tail in ("", "_"):
            METHODS["arc" + _name + _tail] = METHODS["a" + _name + _tail]
        FUNCTIONS["arc" + _name] = FUNCTIONS["a" + _name]
for _tail in ("", "_"):
    METHODS["arctan2" + _tail] = METHODS["atan2" + _tail]
FUNCTIONS["arctan2"] = FUNCTIONS["atan2"]


@composite()
def real(input: Tensor) -> Tensor:
    """Returns the real parts; a real tensor is returned itself.

    >>> torch.real(torch.tensor([1 + 2j]))
    tensor([1.])
    """
    return _real_part(input) if input._key.dtype.category == COMPLEX else input


@composite()
def imag(input: Tensor) -> Tensor:
    """Returns the imaginary parts; RuntimeError for a real tensor.

    >>> torch.imag(torch.tensor([1 + 2j]))
    tensor([2.])
    """
    if input._key.dtype.category < COMPLEX:
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return _imag_part(input)


METHODS["real"] = property(real)  # type: ignore[assignment]  # installed on the class like any method
METHODS["imag"] = property(imag)  # type: ignore[assignment]  # as above
