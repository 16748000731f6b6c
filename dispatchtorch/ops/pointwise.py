"""Elementwise arithmetic: one value out for one in, broadcasting; the dtype is the promoted one.

Derivatives are expressions over ops; torch's choice at the kinks (0 for ``abs`` at 0, half for a tied maximum) is kept.
Knows no kernel and no backend.
"""

from __future__ import annotations

from typing import Any

from dispatchtorch._base.dtypes import BOOL, COMPLEX, FLOATING, INTEGRAL, DType
from dispatchtorch.dispatch.overlap import require_apart
from dispatchtorch.dispatch.plans import make_operator
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, pointwise
from dispatchtorch.ops import refusals
from dispatchtorch.ops.samples import binary, unary
from dispatchtorch.tensor.tensor import Tensor

Number = int | float | complex | bool
Operand = Any  # a tensor, or a number where the other operand is a tensor


def conj_of(x: Operand) -> Operand:
    """Returns the conjugate that a holomorphic derivative needs; real values are their own."""
    if isinstance(x, Tensor):
        return x if x._key.dtype.category < COMPLEX else x.conj()
    return x.conjugate() if isinstance(x, complex) else x


def dtype_of(x: Operand) -> DType | None:
    """Returns the dtype of a tensor, None for a number."""
    return x._key.dtype if isinstance(x, Tensor) else None


@pointwise(inplace=False)
def _zeros(input: Tensor) -> Tensor:
    """Returns zeros of the input's shape and dtype: the derivative of what is flat almost everywhere."""
    ...


# --- sums ------------------------------------------------------------------------------------------------------------


@pointwise(grad={"input": lambda g: g, "other": lambda g: g}, kernel="add", node="AddBackward0", samples=binary())
def _add(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Returns ``input + other``."""
    ...


@pointwise(
    grad={"input": lambda g: g, "other": lambda g: -g},
    kernel="subtract",
    node="SubBackward0",
    check=refusals.subtraction,
    samples=binary(),
)
def _sub(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Returns ``input - other``."""
    ...


@pointwise(
    grad={"input": lambda g: -g, "other": lambda g: g},
    node=lambda node: "RsubBackward0" if node.edges[1] is not None else "RsubBackward1",
    check=refusals.subtraction,
    samples=binary(),
)
def _rsub(input: Tensor, other: Tensor | Number) -> Tensor:
    """Returns ``other - input``."""
    ...


def _scaled(x: Operand, alpha: Number, *operands: Operand) -> Operand:
    """Returns ``alpha * x`` after checking ``alpha`` against the dtypes of the sum it is for."""
    category = max(t._key.dtype.category if isinstance(t, Tensor) else _category(t) for t in operands)
    if isinstance(alpha, bool) and category != BOOL:
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    if category <= INTEGRAL and isinstance(alpha, (float, complex)):
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
    if category < COMPLEX and isinstance(alpha, complex):
        raise RuntimeError("For non-complex input tensors, argument alpha must not be a complex number.")
    if not isinstance(x, Tensor):
        return x * alpha
    return mul(x, bool(alpha)) if category == BOOL else mul(x, alpha)


def _category(number: Any) -> int:
    if isinstance(number, bool):
        return BOOL
    return INTEGRAL if isinstance(number, int) else FLOATING if isinstance(number, float) else COMPLEX


def _is_one(alpha: Number) -> bool:
    return alpha == 1 and type(alpha) is int


def _require_apart(input: Tensor, other: Operand) -> None:
    if isinstance(other, Tensor) and other._cell is not None:
        require_apart(input, other, "same")


def add_(input: Tensor, other: Operand, *, alpha: Number = 1) -> Tensor:
    """Adds ``alpha * other`` in place."""
    if not _is_one(alpha):
        _require_apart(input, other)
        other = _scaled(other, alpha, input, other)
    return _add.inplace(input, other)  # type: ignore[attr-defined, no-any-return]  # derived by the decorator


@composite(method=True, out=True, inplace=add_, samples=binary())
def add(input: Operand, other: Operand, *, alpha: Number = 1) -> Tensor:
    """Returns ``input + alpha * other``.

    >>> torch.add(torch.tensor([1.0, 2.0]), torch.tensor([10.0, 20.0]), alpha=2)
    tensor([21., 42.])
    """
    return _add(input, other) if _is_one(alpha) else _add(input, _scaled(other, alpha, input, other))


def sub_(input: Tensor, other: Operand, *, alpha: Number = 1) -> Tensor:
    """Subtracts ``alpha * other`` in place."""
    if not _is_one(alpha):
        _require_apart(input, other)
        other = _scaled(other, alpha, input, other)
    return _sub.inplace(input, other)  # type: ignore[attr-defined, no-any-return]  # derived by the decorator


@composite(method=True, out=True, inplace=sub_, names=("subtract",), samples=binary())
def sub(input: Operand, other: Operand, *, alpha: Number = 1) -> Tensor:
    """Returns ``input - alpha * other``.

    >>> torch.sub(torch.tensor([3.0, 2.0]), 1)
    tensor([2., 1.])
    """
    return _sub(input, other) if _is_one(alpha) else _sub(input, _scaled(other, alpha, input, other))


@composite(samples=binary())
def rsub(input: Tensor, other: Operand, *, alpha: Number = 1) -> Tensor:
    """Returns ``other - alpha * input``.

    >>> torch.rsub(torch.tensor([1.0, 2.0]), 1)
    tensor([ 0., -1.])
    """
    if not isinstance(input, Tensor):
        raise TypeError(
            f"rsub() received an invalid combination of arguments - got ({type(input).__name__}, "
            f"{type(other).__name__}), but expected one of:\n * (Tensor input, Tensor other, *, Number alpha = 1)\n"
            " * (Tensor input, Number other, Number alpha = 1)\n"
        )
    return _rsub(input if _is_one(alpha) else _scaled(input, alpha, input, other), other)


# --- products and quotients ------------------------------------------------------------------------------------------


@pointwise(
    grad={"input": lambda g, other: g * conj_of(other), "other": lambda g, input: g * conj_of(input)},
    kernel="multiply",
    samples=binary(),
    wide=True,
)
def mul(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Returns ``input * other``.

    >>> torch.tensor([1.0, 2.0]) * 3
    tensor([3., 6.])
    """
    ...


@pointwise(
    grad={
        "input": lambda g, other: g / conj_of(other),
        "other": lambda g, input, other: -g * conj_of((input / other) / other),
    },
    kernel="divide",
    dtype="float",
    node="DivBackward0",
    samples=binary(low=0.5),
    wide=True,
)
def _div(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Returns ``input / other``."""
    ...


def _no_slope(g: Tensor) -> Tensor:
    raise RuntimeError("derivative for aten::floor_divide is not implemented")


@pointwise(
    grad={"input": _no_slope, "other": _no_slope},
    node="NotImplemented",
    check=refusals.not_implemented("div_floor_cpu", "bool", "complex"),
    samples=binary(low=0.5),
)
def _floor_divide(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Returns the quotient rounded down; unlike `_div_floor` without a derivative, as in torch."""
    ...


@pointwise(
    kernel="floor_divide",
    check=refusals.not_implemented("div_floor_cpu", "bool", "complex"),
    node="DivBackward2",
    grad={"input": lambda g: _zeros(g), "other": lambda g: _zeros(g)},
    samples=binary(low=0.5),
)
def _div_floor(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Returns the quotient rounded down."""
    ...


@pointwise(
    grad={"input": lambda g: _zeros(g), "other": lambda g: _zeros(g)},
    node="DivBackward2",
    check=refusals.not_implemented("div_trunc_cpu", "bool", "complex"),
    samples=binary(low=0.5),
)
def _div_trunc(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Returns the quotient rounded towards zero."""
    ...


def _rounded(mode: str | None) -> Any:
    if mode is None:
        return _div
    if mode == "floor":
        return _div_floor
    if mode == "trunc":
        return _div_trunc
    raise RuntimeError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{mode}'")


def div_(input: Tensor, other: Operand, *, rounding_mode: str | None = None) -> Tensor:
    """Divides in place."""
    return _rounded(rounding_mode).inplace(input, other)  # type: ignore[no-any-return]  # derived by the decorator


@composite(method=True, out=True, inplace=div_, names=("divide",), samples=binary(low=0.5))
def div(input: Operand, other: Operand, *, rounding_mode: str | None = None) -> Tensor:
    """Returns ``input / other``; ``rounding_mode`` "trunc" or "floor" rounds the quotient and keeps integers.

    >>> torch.div(torch.tensor([-7, 7]), 2, rounding_mode="trunc")
    tensor([-3,  3])
    """
    return _rounded(rounding_mode)(input, other)  # type: ignore[no-any-return]  # an entry of the table


@composite(method=True, out=True, inplace=_div.inplace, samples=binary(low=0.5))  # type: ignore[attr-defined]  # derived
def true_divide(input: Operand, other: Operand) -> Tensor:
    """Returns ``input / other``.

    >>> torch.true_divide(torch.tensor([1, 2]), 2)
    tensor([0.5000, 1.0000])
    """
    return _div(input, other)


@composite(method=True, out=True, inplace=_floor_divide.inplace)  # type: ignore[attr-defined]  # derived
def floor_divide(input: Operand, other: Operand) -> Tensor:
    """Returns the quotient rounded down.

    >>> torch.floor_divide(torch.tensor([-7, 7]), 2)
    tensor([-4,  3])
    """
    return _floor_divide(input, other)


@pointwise(
    grad={"input": lambda g: g, "other": lambda g, input, other: -g * _div_floor(input, other)},
    node=lambda node: "RemainderBackward0" if node.edges[1] is None else "RemainderBackward1",
    check=refusals.not_implemented("remainder_cpu", "bool", "complex"),
    samples=binary(low=0.5),
)
def remainder(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Returns what is left of ``input`` after division by ``other``, with the divisor's sign.

    >>> torch.remainder(torch.tensor([-7.0, 7.0]), 3)
    tensor([2., 1.])
    """
    ...


remainder.op.number_first_out = False  # type: ignore[attr-defined]  # an entry is a function that knows its op


@pointwise(
    grad={"input": lambda g: g, "other": lambda g, input, other: -g * _div_trunc(input, other)},
    node=lambda node: "FmodBackward0" if node.edges[1] is None else "FmodBackward1",
    check=refusals.not_implemented("fmod_cpu", "bool", "complex"),
    samples=binary(low=0.5),
)
def fmod(input: Tensor, other: Tensor | Number) -> Tensor:
    """Returns what is left of ``input`` after division by ``other``, with the dividend's sign.

    >>> torch.fmod(torch.tensor([-7.0, 7.0]), 3)
    tensor([-1.,  1.])
    """
    ...


@pointwise(
    grad={"input": lambda g, out: -g * conj_of(out * out)},
    dtype="float",
    samples=unary(low=0.5),
)
def reciprocal(input: Tensor) -> Tensor:
    """Returns ``1 / input``.

    >>> torch.reciprocal(torch.tensor([2.0, 4.0]))
    tensor([0.5000, 0.2500])
    """
    ...


@pointwise(
    grad={
        "input": lambda g: g,
        "tensor1": lambda g, tensor2, value: g * conj_of(tensor2 * value),
        "tensor2": lambda g, tensor1, value: g * conj_of(tensor1 * value),
    },
    check=refusals.not_implemented("addcmul_cpu_out", "bool"),
)
def _addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, value: Number) -> Tensor:
    """Returns ``input + value * tensor1 * tensor2``."""
    ...


def _fitting(value: Number, *tensors: Tensor) -> Number:
    """Returns the factor as a whole number where all tensors are of integers."""
    if type(value) is int or any(t._key.dtype.category > INTEGRAL for t in tensors):
        return value
    return int(value.real)


def addcmul_(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """Adds a scaled product in place."""
    entry = _addcmul.inplace  # type: ignore[attr-defined]  # derived by the decorator
    return entry(input, tensor1, tensor2, _fitting(value, input, tensor1, tensor2))  # type: ignore[no-any-return]  # as above


@composite(method=True, out=True, inplace=addcmul_)
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """Returns ``input + value * tensor1 * tensor2``.

    >>> torch.addcmul(torch.ones(2), torch.ones(2), torch.ones(2), value=2)
    tensor([3., 3.])
    """
    return _addcmul(input, tensor1, tensor2, _fitting(value, input, tensor1, tensor2))


def _no_integer_division(keys: Any, common: DType) -> None:
    if keys[1].dtype.category <= INTEGRAL and keys[2].dtype.category <= INTEGRAL:
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a "
            "true division of tensor1 and tensor2. The historic addcdiv behavior can be implemented as (input + value "
            "* torch.trunc(tensor1 / tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / "
            "tensor2) for float inputs. The future addcdiv behavior is just the latter implementation: (input + value "
            "* tensor1 / tensor2), for all dtypes."
        )


@pointwise(
    grad={
        "input": lambda g: g,
        "tensor1": lambda g, tensor2, value: g * conj_of(value / tensor2),
        "tensor2": lambda g, tensor1, tensor2, value: -g * conj_of((value * tensor1) / (tensor2 * tensor2)),
    },
    check=_no_integer_division,
)
def _addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, value: Number) -> Tensor:
    """Returns ``input + value * tensor1 / tensor2``."""
    ...


def addcdiv_(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """Adds a scaled quotient in place."""
    return _addcdiv.inplace(input, tensor1, tensor2, value)  # type: ignore[attr-defined, no-any-return]  # derived


@composite(method=True, out=True, inplace=addcdiv_)
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """Returns ``input + value * tensor1 / tensor2``.

    >>> torch.addcdiv(torch.ones(2), torch.ones(2), torch.full((2,), 4.0), value=2)
    tensor([1.5000, 1.5000])
    """
    return _addcdiv(input, tensor1, tensor2, value)


# --- aliases and operators -------------------------------------------------------------------------------------------

FUNCTIONS["multiply"], METHODS["multiply"], METHODS["multiply_"] = FUNCTIONS["mul"], METHODS["mul"], METHODS["mul_"]
METHODS["subtract_"] = METHODS["sub_"]
METHODS["divide_"] = METHODS["div_"]

_multiply = make_operator(mul, "__mul__")


def _rtruediv(self: Tensor, other: Operand) -> Any:
    return _multiply(self.reciprocal(), other)


def swapped(entry: Any) -> Any:
    """Returns the operator for a number on the left: NotImplemented for anything else."""

    def operator(self: Tensor, other: Operand) -> Any:
        return entry(other, self) if isinstance(other, (bool, int, float, complex, Tensor)) else NotImplemented

    return operator


METHODS["__add__"] = make_operator(_add, "__add__")
METHODS["__radd__"] = make_operator(_add, "__radd__")
METHODS["__sub__"] = make_operator(_sub, "__sub__")
METHODS["__rsub__"] = make_operator(_rsub, "__rsub__")
METHODS["__mul__"] = _multiply
METHODS["__rmul__"] = make_operator(mul, "__rmul__")
METHODS["__truediv__"] = METHODS["__div__"] = make_operator(_div, "__truediv__")
METHODS["__rtruediv__"] = METHODS["__rdiv__"] = _rtruediv
METHODS["__floordiv__"] = make_operator(_floor_divide, "__floordiv__")
METHODS["__rfloordiv__"] = swapped(_floor_divide)
METHODS["__mod__"] = make_operator(remainder, "__mod__")
METHODS["__rmod__"] = swapped(remainder)
for _dunder, _op in {
    "__iadd__": _add,
    "__isub__": _sub,
    "__imul__": mul,
    "__itruediv__": _div,
    "__idiv__": _div,
    "__ifloordiv__": _floor_divide,
    "__imod__": remainder,
}.items():
    METHODS[_dunder] = _op.inplace  # type: ignore[attr-defined]  # derived by the decorator
