"""Powers and roots, elementwise.

``pow`` has three entries, as in torch: which argument is a tensor decides what is saved.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dispatchtorch._base.dtypes import COMPLEX, FLOATING, INTEGRAL, complex128, float64
from dispatchtorch.dispatch.plans import make_operator
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, pointwise
from dispatchtorch.ops import refusals
from dispatchtorch.ops.choose import where
from dispatchtorch.ops.exponential import log
from dispatchtorch.ops.pointwise import Number, Operand, _zeros, conj_of, mul
from dispatchtorch.ops.samples import Maker, Sample, unary
from dispatchtorch.tensor.tensor import Tensor

NUMBERS = (bool, int, float, complex)


def _number_backward(g: Tensor, input: Tensor, other: Any) -> Tensor:
    if other == 0:
        return _zeros(g)
    if other == 1:
        return g
    if other == 2:
        return mul(g, conj_of(input * 2))
    return mul(g, conj_of(pow(input, other - 1) * other))


def _number_samples(make: Maker) -> Iterator[Sample]:
    for exponent in (2, 3, 0, 0.5, -1.5):
        yield Sample((make(3, 4, low=0.5), exponent))


def _tensor_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4, low=0.5), make(3, 4)))
    yield Sample((make(3, 1, low=0.5), make(4)))


@pointwise(
    grad={"input": _number_backward},
    kernel="power",
    node="PowBackward0",
    check=refusals.not_implemented("pow", "bool"),
    samples=_number_samples,
)
def _pow_number(input: Tensor, other: Tensor | Number) -> Tensor:
    """Returns ``input ** other`` for a number ``other``."""
    ...


def _base_backward(g: Tensor, input: Operand, other: Tensor) -> Tensor:
    slope = g * conj_of(other * pow(input, other - 1))
    return where(other == 0, 0.0, slope)


def _exponent_backward(g: Tensor, input: Operand, other: Tensor, out: Tensor) -> Tensor:
    if isinstance(input, Tensor):
        flat = (input == 0) & (_real(other) >= 0)
        return where(flat, 0.0, g * conj_of(out * log(input)))
    if input == 0:
        return where(_real(other) >= 0, 0.0, g * conj_of(out * log(_like(other, input))))
    return mul(g, conj_of(out * log(_like(other, input))))


def _real(x: Tensor) -> Tensor:
    return x if x._key.dtype.category < COMPLEX else FUNCTIONS["real"](x)


def _like(like: Tensor, number: Number) -> Tensor:
    return _zeros(like.detach()) + number


@pointwise(
    grad={"input": _base_backward, "other": _exponent_backward},
    kernel="power",
    node="PowBackward1",
    check=refusals.not_implemented("pow", "bool"),
    samples=_tensor_samples,
)
def _pow(input: Tensor, other: Tensor | Number) -> Tensor:
    """Returns ``input ** other`` for two tensors."""
    ...


@pointwise(
    grad={"other": _exponent_backward},
    kernel="power",
    node="PowBackward2",
    check=refusals.not_implemented("pow", "bool"),
    inplace=False,
)
def _pow_base(input: Tensor | Number, other: Tensor) -> Tensor:
    """Returns ``input ** other`` for a number ``input``."""
    ...


def _refuse_negative(input: Tensor, other: Any) -> None:
    if other < 0 and input._key.dtype.category == INTEGRAL and isinstance(other, int):
        raise RuntimeError("Integers to negative integer powers are not allowed.")


def _no_tensor(name: str, input: Any, exponent: Any) -> TypeError:
    return TypeError(
        f"{name}() received an invalid combination of arguments - got ({type(input).__name__}, "
        f"{type(exponent).__name__}), but expected one of:\n * (Tensor input, Tensor exponent, *, Tensor out = None)\n"
        " * (Number self, Tensor exponent, *, Tensor out = None)\n"
        " * (Tensor input, Number exponent, *, Tensor out = None)\n"
    )


def pow_(input: Tensor, exponent: Operand) -> Tensor:
    """Raises to a power in place."""
    if isinstance(exponent, Tensor):
        return _pow.inplace(input, exponent)  # type: ignore[attr-defined, no-any-return]  # derived by the decorator
    if isinstance(exponent, int):
        _refuse_negative(input, exponent)
    return _pow_number.inplace(input, exponent)  # type: ignore[attr-defined, no-any-return]  # as above


@composite(method=True, out=True, inplace=pow_)
def pow(input: Operand, exponent: Operand) -> Tensor:
    """Returns ``input ** exponent``; either may be a number.

    >>> torch.pow(torch.tensor([1.0, 2.0]), 3)
    tensor([1., 8.])
    """
    if not isinstance(input, Tensor):
        if not isinstance(exponent, Tensor) and isinstance(input, NUMBERS) and isinstance(exponent, NUMBERS):
            raise _no_tensor("pow", input, exponent)
        return _pow_base(input, exponent)
    if isinstance(exponent, Tensor):
        return _pow(input, exponent)
    if isinstance(exponent, int) and exponent < 0:
        _refuse_negative(input, exponent)
    return _pow_number(input, exponent)


_tensor_power = make_operator(_pow, "__pow__")
_number_power = make_operator(_pow_number, "__pow__")


def _power(self: Tensor, other: Any) -> Any:
    if isinstance(other, Tensor):
        return _tensor_power(self, other)
    if isinstance(other, int) and other < 0:
        _refuse_negative(self, other)
    return _number_power(self, other)


def _rpow(self: Tensor, other: Any) -> Any:
    if isinstance(other, Tensor):
        return _pow(other, self)
    return _pow_base(other, self) if isinstance(other, NUMBERS) else NotImplemented


def _wide_of(input: Operand, exponent: Operand) -> Any:
    category = max(
        t._key.dtype.category if isinstance(t, Tensor) else COMPLEX if isinstance(t, complex) else FLOATING
        for t in (input, exponent)
    )
    return complex128 if category == COMPLEX else float64


def float_power_(input: Tensor, exponent: Operand) -> Tensor:
    """Raises to a power in place; RuntimeError where the tensor is not of the result's dtype."""
    wide = _wide_of(input, exponent)
    if input._key.dtype is not wide:
        raise RuntimeError(
            f"the base given to float_power_ has dtype {input._key.dtype.legacy} but the operation's result requires "
            f"dtype {wide.legacy}"
        )
    return pow_(input, exponent.to(wide) if isinstance(exponent, Tensor) else exponent)


@composite(method=True, out=True, inplace=float_power_)
def float_power(input: Operand, exponent: Operand) -> Tensor:
    """Returns ``input ** exponent`` computed in float64 (complex128 where either is complex)."""
    if not isinstance(input, Tensor) and not isinstance(exponent, Tensor):
        raise _no_tensor("float_power", input, exponent)
    wide = _wide_of(input, exponent)
    base = input.to(wide) if isinstance(input, Tensor) else input
    return pow(base, exponent.to(wide) if isinstance(exponent, Tensor) else exponent)


def square_(input: Tensor) -> Tensor:
    """Squares in place."""
    return pow_(input, 2)


@composite(method=True, out=True, inplace=square_, samples=unary())
def square(input: Tensor) -> Tensor:
    """Returns ``input ** 2``.

    >>> torch.square(torch.tensor([-3.0, 2.0]))
    tensor([9., 4.])
    """
    return pow(input, 2) if input._key.dtype.category else mul(input, 1)


@pointwise(grad={"input": lambda g, out: g / conj_of(out * 2)}, dtype="float", samples=unary(low=0.2))
def sqrt(input: Tensor) -> Tensor:
    """Returns square roots; nan for negative real numbers.

    >>> torch.sqrt(torch.tensor([4.0, 9.0]))
    tensor([2., 3.])
    """
    ...


@pointwise(grad={"input": lambda g, out: g * conj_of(out * out * out) * -0.5}, dtype="float", samples=unary(low=0.2))
def rsqrt(input: Tensor) -> Tensor:
    """Returns ``1 / sqrt(input)``.

    >>> torch.rsqrt(torch.tensor([4.0, 16.0]))
    tensor([0.5000, 0.2500])
    """
    ...


METHODS["__pow__"] = _power
METHODS["__rpow__"] = _rpow
METHODS["__ipow__"] = pow_
