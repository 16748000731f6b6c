"""Logic and bits: bool results of truth values, integer results of bit patterns; no derivatives."""

from __future__ import annotations

from dispatchtorch._base.dtypes import (
    FLOATING,
)
from dispatchtorch.dispatch.plans import make_operator
from dispatchtorch.dispatch.table import METHODS, pointwise
from dispatchtorch.ops import refusals
from dispatchtorch.ops.pointwise import Number, swapped
from dispatchtorch.ops.samples import binary, unary
from dispatchtorch.tensor.tensor import Tensor


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


for _entry in (bitwise_and, bitwise_or, bitwise_xor, bitwise_left_shift, bitwise_right_shift):
    _entry.op.number_first_out = False  # type: ignore[attr-defined]  # an entry is a function that knows its op


def _invert(self: Tensor) -> Tensor:
    if self._key.dtype.category >= FLOATING:
        raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors")
    return bitwise_not(self)


for _dunder, _op in {
    "__and__": bitwise_and, "__or__": bitwise_or, "__xor__": bitwise_xor,
    "__rand__": bitwise_and, "__ror__": bitwise_or, "__rxor__": bitwise_xor,
    "__lshift__": bitwise_left_shift, "__rshift__": bitwise_right_shift,
}.items():  # fmt: skip
    METHODS[_dunder] = make_operator(_op, _dunder)
METHODS["__rlshift__"] = swapped(bitwise_left_shift)
METHODS["__rrshift__"] = swapped(bitwise_right_shift)
METHODS["__invert__"] = _invert
METHODS["__iand__"] = METHODS["bitwise_and_"]
METHODS["__ior__"] = METHODS["bitwise_or_"]
METHODS["__ixor__"] = METHODS["bitwise_xor_"]
METHODS["__ilshift__"] = METHODS["bitwise_left_shift_"]
METHODS["__irshift__"] = METHODS["bitwise_right_shift_"]
