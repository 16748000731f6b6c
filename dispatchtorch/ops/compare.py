"""Comparisons, logic and bits, and choosing between values by a condition, elementwise.

Comparisons give bool and have no derivative; ``where`` and ``masked_fill`` have one.
"""

from __future__ import annotations

import warnings
from typing import Any

from dispatchtorch._base.dtypes import (
    BOOL,
    COMPLEX,
    FLOATING,
    INTEGRAL,
    DType,
    bool_,
    of_number,
    result_category,
    uint8,
)
from dispatchtorch.dispatch.op import MaskTensor
from dispatchtorch.dispatch.plans import make_operator
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, pointwise
from dispatchtorch.ops import refusals
from dispatchtorch.ops.pointwise import Number, Operand, swapped
from dispatchtorch.ops.samples import Maker, Sample, binary, unary
from dispatchtorch.tensor.key import intern_key
from dispatchtorch.tensor.tensor import Tensor, wrap

# --- comparisons -----------------------------------------------------------------------------------------------------


@pointwise(dtype="bool", kernel="equal", samples=binary())
def eq(input: Tensor, other: Tensor | Number) -> Tensor:
    """Returns where the two are equal.

    >>> torch.tensor([1, 2]) == 2
    tensor([False,  True])
    """
    ...


@pointwise(dtype="bool", kernel="not_equal", samples=binary())
def ne(input: Tensor, other: Tensor | Number) -> Tensor:
    """Returns where the two differ.

    >>> torch.tensor([1, 2]) != 2
    tensor([ True, False])
    """
    ...


def _no_order(name: str) -> refusals.Check:
    return refusals.not_implemented(f"{name}_cpu", "complex")


@pointwise(dtype="bool", kernel="less", check=_no_order("lt"), samples=binary())
def lt(input: Tensor, other: Tensor | Number) -> Tensor:
    """Returns where ``input < other``.

    >>> torch.tensor([1, 2]) < 2
    tensor([ True, False])
    """
    ...


@pointwise(dtype="bool", kernel="less_equal", check=_no_order("le"), samples=binary())
def le(input: Tensor, other: Tensor | Number) -> Tensor:
    """Returns where ``input <= other``.

    >>> torch.tensor([1, 3]) <= 2
    tensor([ True, False])
    """
    ...


@pointwise(dtype="bool", kernel="greater", check=_no_order("gt"), samples=binary())
def gt(input: Tensor, other: Tensor | Number) -> Tensor:
    """Returns where ``input > other``.

    >>> torch.tensor([1, 3]) > 2
    tensor([False,  True])
    """
    ...


@pointwise(dtype="bool", kernel="greater_equal", check=_no_order("ge"), samples=binary())
def ge(input: Tensor, other: Tensor | Number) -> Tensor:
    """Returns where ``input >= other``.

    >>> torch.tensor([1, 2]) >= 2
    tensor([False,  True])
    """
    ...


# --- what kind of number ---------------------------------------------------------------------------------------------


@pointwise(dtype="bool", inplace=False, out=False, samples=unary())
def isnan(input: Tensor) -> Tensor:
    """Returns where values are nan.

    >>> torch.isnan(torch.tensor([1.0, float("nan")]))
    tensor([False,  True])
    """
    ...


@pointwise(dtype="bool", inplace=False, out=False, samples=unary())
def isinf(input: Tensor) -> Tensor:
    """Returns where values are infinite.

    >>> torch.isinf(torch.tensor([1.0, float("inf")]))
    tensor([False,  True])
    """
    ...


@pointwise(dtype="bool", inplace=False, out=False, samples=unary())
def isfinite(input: Tensor) -> Tensor:
    """Returns where values are neither nan nor infinite.

    >>> torch.isfinite(torch.tensor([1.0, float("inf")]))
    tensor([ True, False])
    """
    ...


@pointwise(
    dtype="bool",
    inplace=False,
    check=refusals.not_complex("isposinf does not support complex inputs."),
    samples=unary(),
)
def isposinf(input: Tensor) -> Tensor:
    """Returns where values are plus infinity.

    >>> torch.isposinf(torch.tensor([float("inf"), 1.0]))
    tensor([ True, False])
    """
    ...


@pointwise(
    dtype="bool",
    inplace=False,
    check=refusals.not_complex("isneginf does not support complex inputs."),
    samples=unary(),
)
def isneginf(input: Tensor) -> Tensor:
    """Returns where values are minus infinity.

    >>> torch.isneginf(torch.tensor([float("-inf"), 1.0]))
    tensor([ True, False])
    """
    ...


@pointwise(
    dtype="bool",
    inplace=False,
    samples=unary(),
    check=refusals.not_complex("signbit is not implemented for complex tensors.", NotImplementedError),
)
def signbit(input: Tensor) -> Tensor:
    """Returns where the sign is set, also of -0.

    >>> torch.signbit(torch.tensor([-0.0, 1.0]))
    tensor([ True, False])
    """
    ...


# --- logic and bits --------------------------------------------------------------------------------------------------


@pointwise(dtype="bool", samples=binary(number=False))
def logical_and(input: Tensor, other: Tensor) -> Tensor:
    """Returns where both are not zero.

    >>> torch.logical_and(torch.tensor([True, False]), torch.tensor([True, True]))
    tensor([ True, False])
    """
    ...


@pointwise(dtype="bool", samples=binary(number=False))
def logical_or(input: Tensor, other: Tensor) -> Tensor:
    """Returns where either is not zero.

    >>> torch.logical_or(torch.tensor([True, False]), torch.tensor([False, False]))
    tensor([ True, False])
    """
    ...


@pointwise(dtype="bool", samples=binary(number=False))
def logical_xor(input: Tensor, other: Tensor) -> Tensor:
    """Returns where exactly one is not zero.

    >>> torch.logical_xor(torch.tensor([True, False]), torch.tensor([True, True]))
    tensor([False,  True])
    """
    ...


@pointwise(dtype="bool", samples=unary())
def logical_not(input: Tensor) -> Tensor:
    """Returns where values are zero.

    >>> torch.logical_not(torch.tensor([0.0, 2.0]))
    tensor([ True, False])
    """
    ...


def _bits(name: str) -> refusals.Check:
    return refusals.not_implemented(f"{name}_cpu", "floating", "complex")


def _shifts(name: str) -> refusals.Check:
    return refusals.not_implemented(f"{name}_cpu", "bool", "floating", "complex")


@pointwise(check=_bits("bitwise_and"))
def bitwise_and(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Returns the bits that both have.

    >>> torch.tensor([6, 5]) & 4
    tensor([4, 4])
    """
    ...


@pointwise(check=_bits("bitwise_or"))
def bitwise_or(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Returns the bits that either has.

    >>> torch.tensor([6, 5]) | 1
    tensor([7, 5])
    """
    ...


@pointwise(check=_bits("bitwise_xor"))
def bitwise_xor(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Returns the bits that exactly one has.

    >>> torch.tensor([6, 5]) ^ 1
    tensor([7, 4])
    """
    ...


@pointwise(kernel="invert", check=_bits("bitwise_not"))
def bitwise_not(input: Tensor) -> Tensor:
    """Returns all bits turned over.

    >>> torch.bitwise_not(torch.tensor([0, 1]))
    tensor([-1, -2])
    """
    ...


@pointwise(kernel="left_shift", check=_shifts("lshift"))
def bitwise_left_shift(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Returns the bits moved up.

    >>> torch.tensor([1, 2]) << 2
    tensor([4, 8])
    """
    ...


@pointwise(kernel="right_shift", check=_shifts("rshift"))
def bitwise_right_shift(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Returns the bits moved down, the sign kept.

    >>> torch.tensor([8, -8]) >> 2
    tensor([ 2, -2])
    """
    ...


# --- choosing --------------------------------------------------------------------------------------------------------


def number_tensor(value: Number, like: Tensor, dtype: DType) -> Tensor:
    """Returns a 0-dimensional tensor holding a number, beside another tensor."""
    key = like._key
    raw = key.backend.namespace.asarray(value, dtype=key.backend.dtype(dtype.name))
    return wrap(raw, intern_key(key.backend, key.device, dtype, True))


@pointwise(
    grad={
        "input": lambda g, condition: _where(condition, g, 0.0),
        "other": lambda g, condition: _where(condition, 0.0, g),
    },
    node="WhereBackward0",
    inplace=False,
)
def _where(condition: MaskTensor, input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """Returns ``input`` where the condition holds, ``other`` elsewhere."""
    ...


def _choices(make: Maker) -> Any:
    yield Sample((make(3, 4, dtype="bool"), make(3, 4), make(3, 4)))
    yield Sample((make(3, 1, dtype="bool"), make(4), 2.0))
    yield Sample((make(3, 4, dtype="bool"), make(), make(4)))


def _condition(condition: Any) -> Tensor:
    if not isinstance(condition, Tensor):
        raise TypeError(f"where(): argument 'condition' (position 1) must be Tensor, not {type(condition).__name__}")
    if condition._key.dtype is uint8:
        warnings.warn(
            "where received a uint8 condition tensor. This behavior is deprecated and will be removed in a future "
            "version of PyTorch. Use a boolean condition instead.",
            UserWarning,
            stacklevel=3,
        )
        return ne(condition, 0)
    raise RuntimeError(
        f"where expected condition to be a boolean tensor, but got a tensor with dtype {condition._key.dtype.legacy}"
    )


@composite(out=True, samples=_choices)
def where(condition: Tensor, input: Operand = None, other: Operand = None) -> Tensor:
    """Returns ``input`` where the condition holds, ``other`` elsewhere; with the condition alone, where it holds.

    >>> torch.where(torch.tensor([True, False]), torch.tensor([1.0, 2.0]), 0.0)
    tensor([1., 0.])
    """
    if input is None and other is None:
        return FUNCTIONS["nonzero"](condition, as_tuple=True)  # type: ignore[no-any-return]  # an entry of the table
    if not isinstance(condition, Tensor) or condition._key.dtype is not bool_:
        condition = _condition(condition)
    if not isinstance(input, Tensor) and not isinstance(other, Tensor):
        dtype = result_category(of_number(type(input)), type(other))
        input, other = number_tensor(input, condition, dtype), number_tensor(other, condition, dtype)
    return _where(condition, input, other)


def _where_method(self: Tensor, condition: Tensor, other: Operand) -> Tensor:
    return where(condition, self, other)


METHODS["where"] = _where_method


@pointwise(
    grad={"input": lambda g, mask: _masked_fill(g, mask, 0.0)},
    node="MaskedFillBackward0",
)
def _masked_fill(input: Tensor, mask: MaskTensor, value: Number) -> Tensor:
    """Returns ``input`` with a number where the mask holds; the dtype stays."""
    ...


@pointwise(
    grad={
        "input": lambda g, mask: _masked_fill(g, mask, 0.0),
        "value": lambda g, mask: _where(mask, g, 0.0).sum(),
    },
    node="MaskedFillBackward1",
)
def _masked_fill_tensor(input: Tensor, mask: MaskTensor, value: Tensor) -> Tensor:
    """Returns ``input`` with a 0-dimensional value where the mask holds."""
    ...


_CTYPE = {
    "uint8": "uint8_t", "int8": "int8_t", "int16": "int16_t", "int32": "int", "int64": "int64_t", "bool": "bool",
    "float16": "c10::Half", "bfloat16": "c10::BFloat16", "float32": "float", "float64": "double",
}  # fmt: skip


def _fits(value: Any, dtype: DType) -> bool:
    if isinstance(value, complex):
        return dtype.category == COMPLEX or value.imag == 0
    if dtype.category != INTEGRAL:
        return True
    bits = 8 * dtype.itemsize
    top = (1 << (bits - 1 if dtype.is_signed else bits)) - 1
    low = -top - 1 if dtype.is_signed else 0 if isinstance(value, float) else -top
    high = top
    return bool(low <= value <= high)


def _fill(masked: bool, input: Tensor, mask: Tensor, value: Operand) -> Tensor:
    dtype = input._key.dtype
    if mask._key.dtype is not bool_:
        raise RuntimeError(
            f"masked_fill_ only supports boolean masks, but got mask with dtype {_spoken(mask._key.dtype)}"
        )
    if not isinstance(value, Tensor):
        if dtype.category < FLOATING or isinstance(value, complex):
            if not _fits(value, dtype):
                raise RuntimeError(f"value cannot be converted to type {_CTYPE[dtype.name]} without overflow")
            if dtype.category < COMPLEX:
                value = value.real if isinstance(value, complex) else value
                value = bool(value) if dtype.category == BOOL else int(value) if dtype.category == INTEGRAL else value
        return (_masked_fill.inplace if masked else _masked_fill)(input, mask, value)  # type: ignore[attr-defined]  # derived
    if value._a.shape != ():
        raise RuntimeError(
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{len(value._a.shape)} dimension(s)."
        )
    if value._key.dtype is not dtype:
        value = value.to(dtype)
    return (_masked_fill_tensor.inplace if masked else _masked_fill_tensor)(input, mask, value)  # type: ignore[attr-defined]  # derived


_SPOKEN = {
    "float32": "float", "float64": "double", "int64": "long int", "int32": "int", "int16": "short int",
    "int8": "signed char", "uint8": "unsigned char", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
}  # fmt: skip


def _spoken(dtype: DType) -> str:
    return _SPOKEN.get(dtype.name, dtype.name)


def masked_fill_(input: Tensor, mask: Tensor, value: Operand) -> Tensor:
    """Writes ``value`` where the mask holds."""
    return _fill(True, input, mask, value)


def _masks(make: Maker) -> Any:
    yield Sample((make(3, 4), make(3, 4, dtype="bool"), 2.0))
    yield Sample((make(3, 4), make(4, dtype="bool"), -1))
    yield Sample((make(3, 4), make(3, 1, dtype="bool"), make()))


@composite(method=True, inplace=masked_fill_, samples=_masks)
def masked_fill(input: Tensor, mask: Tensor, value: Operand) -> Tensor:
    """Returns ``input`` with ``value`` where the mask holds; the dtype stays.

    >>> torch.masked_fill(torch.tensor([1.0, 2.0]), torch.tensor([True, False]), 0)
    tensor([0., 2.])
    """
    return _fill(False, input, mask, value)


# --- nearly and exactly equal ----------------------------------------------------------------------------------------


@composite(method=True)
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Returns where ``|input - other| <= atol + rtol * |other|``; infinities only equal themselves.

    >>> torch.isclose(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.1]))
    tensor([ True, False])
    """
    if input._key.dtype is not other._key.dtype:
        raise RuntimeError(f"{input._key.dtype.legacy} did not match {other._key.dtype.legacy}")
    if rtol < 0:
        raise RuntimeError(f"rtol must be greater than or equal to zero, but got {rtol:g}")
    if atol < 0:
        raise RuntimeError(f"atol must be greater than or equal to zero, but got {atol:g}")
    input, other = input.detach(), other.detach()
    close = eq(input, other)
    category = input._key.dtype.category
    if equal_nan and category >= FLOATING:
        close = logical_or(close, logical_and(ne(input, input), ne(other, other)))
    if rtol == 0 and atol == 0:
        return close
    if category < FLOATING:
        input, other = input * 1.0, other * 1.0
    allowed = (other * rtol).abs() + atol
    distance = (input - other).abs()
    return logical_or(close, logical_and(isfinite(distance), le(distance, allowed)))


@composite(method=True)
def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Returns whether all values are close.

    >>> torch.allclose(torch.tensor([1.0]), torch.tensor([1.0 + 1e-7]))
    True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan).all().item())


@composite(method=True)
def equal(input: Tensor, other: Tensor) -> bool:
    """Returns whether both have one shape and equal values.

    >>> torch.equal(torch.tensor([1, 2]), torch.tensor([1, 2]))
    True
    """
    if not isinstance(other, Tensor):
        raise TypeError(f"equal(): argument 'other' (position 2) must be Tensor, not {type(other).__name__}")
    return tuple(input._a.shape) == tuple(other._a.shape) and bool(eq(input, other).all().item())


# --- aliases and operators -------------------------------------------------------------------------------------------

for _alias, _name in {
    "not_equal": "ne", "less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge",
}.items():  # fmt: skip
    FUNCTIONS[_alias], METHODS[_alias], METHODS[_alias + "_"] = FUNCTIONS[_name], METHODS[_name], METHODS[_name + "_"]


def _invert(self: Tensor) -> Tensor:
    if self._key.dtype.category >= FLOATING:
        raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors")
    return bitwise_not(self)


for _dunder, _op in {
    "__eq__": eq, "__ne__": ne, "__lt__": lt, "__le__": le, "__gt__": gt, "__ge__": ge,
    "__and__": bitwise_and, "__or__": bitwise_or, "__xor__": bitwise_xor,
    "__rand__": bitwise_and, "__ror__": bitwise_or, "__rxor__": bitwise_xor,
    "__lshift__": bitwise_left_shift, "__rshift__": bitwise_right_shift,
}.items():  # fmt: skip
    METHODS[_dunder] = make_operator(_op)
METHODS["__rlshift__"] = swapped(bitwise_left_shift)
METHODS["__rrshift__"] = swapped(bitwise_right_shift)
METHODS["__invert__"] = _invert
METHODS["__iand__"] = METHODS["bitwise_and_"]
METHODS["__ior__"] = METHODS["bitwise_or_"]
METHODS["__ixor__"] = METHODS["bitwise_xor_"]
METHODS["__ilshift__"] = METHODS["bitwise_left_shift_"]
METHODS["__irshift__"] = METHODS["bitwise_right_shift_"]
