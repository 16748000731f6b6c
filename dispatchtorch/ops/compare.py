"""Comparisons: bool results of numbers, nan unequal to all; no derivatives."""

from __future__ import annotations

from dispatchtorch._base.dtypes import (
    FLOATING,
)
from dispatchtorch.dispatch.plans import make_operator
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, pointwise
from dispatchtorch.ops import refusals
from dispatchtorch.ops.bits import logical_and, logical_or
from dispatchtorch.ops.pointwise import Number
from dispatchtorch.ops.samples import binary, unary
from dispatchtorch.tensor.tensor import Tensor

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


# --- nearly and exactly equal ----------------------------------------------------------------------------------------


@composite(method=True)
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Returns where ``|input - other| <= atol + rtol * |other|``; infinities only equal themselves.

    >>> torch.isclose(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.1]))
    tensor([ True, False])
    """
    for position, (argument, value) in enumerate((("input", input), ("other", other)), 1):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"isclose(): argument '{argument}' (position {position}) must be Tensor, not {type(value).__name__}"
            )
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
    for position, (argument, value) in enumerate((("input", input), ("other", other)), 1):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"allclose(): argument '{argument}' (position {position}) must be Tensor, not {type(value).__name__}"
            )
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

for _dunder, _op in {
    "__eq__": eq, "__ne__": ne, "__lt__": lt, "__le__": le, "__gt__": gt, "__ge__": ge,
}.items():  # fmt: skip
    METHODS[_dunder] = make_operator(_op, _dunder)
