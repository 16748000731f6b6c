"""Floats taken apart and put together: frexp, ldexp, nextafter; and the step function. Knows no kernel."""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch._base.dtypes import COMPLEX, FLOATING, DType
from dispatchtorch.dispatch.table import FUNCTIONS, composite, pointwise, primitive
from dispatchtorch.ops import refusals, return_types
from dispatchtorch.ops.choose import where
from dispatchtorch.ops.pointwise import _zeros, conj_of
from dispatchtorch.ops.samples import binary, unary
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["FrexpResult", "frexp", "heaviside", "ldexp", "nextafter"]

FrexpResult = return_types.make("frexp", "mantissa", "exponent")


def _same_real(keys: Any, common: DType) -> None:
    if common.category == COMPLEX:
        raise RuntimeError("heaviside is not yet implemented for complex tensors.")
    if keys[0].dtype is not keys[1].dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")


def _no_slope(g: Tensor) -> Tensor:
    raise RuntimeError("derivative for aten::heaviside is not implemented")


@pointwise(
    grad={"input": _no_slope, "values": _no_slope},
    node="NotImplemented",
    check=_same_real,
    samples=binary(number=False),
)
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """Returns 0 for negative and 1 for positive numbers, ``values`` at 0; both of one dtype, or RuntimeError.

    >>> torch.heaviside(torch.tensor([-1.0, 0.0, 2.0]), torch.tensor([0.5]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    ...


@pointwise(
    grad={
        "input": lambda g, input, other: where(input == other, 0.0, g),
        "other": lambda g: _zeros(g),
    },
    check=refusals.not_implemented("nextafter_cpu", "bool", "integral", "complex"),
    samples=binary(number=False),
)
def nextafter(input: Tensor, other: Tensor) -> Tensor:
    """Returns the next float after ``input`` towards ``other``.

    >>> torch.nextafter(torch.tensor([1.0]), torch.tensor([2.0])) - 1
    tensor([1.1921e-07])
    """
    ...


@pointwise(
    grad={
        "input": lambda g, other: g * conj_of(FUNCTIONS["pow"](2.0, other)),
        "other": lambda g, out: g * conj_of(out * math.log(2.0)),
    },
    dtype="float",
    node="LdexpBackward0",
    inputs="any",
)
def _ldexp(input: Tensor, other: Tensor) -> Tensor:
    """Returns ``input * 2 ** other``, exact for whole powers."""
    ...


def _tensors(input: Any, other: Any) -> None:
    for position, (name, value) in enumerate((("input", input), ("other", other)), 1):
        if not isinstance(value, Tensor):
            kind = type(value).__name__
            raise TypeError(f"ldexp(): argument '{name}' (position {position}) must be Tensor, not {kind}")


def _writable(dtype: DType) -> None:
    if dtype.category < FLOATING:
        raise RuntimeError(f"ldexp can't be cast to the desired output type {dtype.legacy}")


def ldexp_(input: Tensor, other: Tensor) -> Tensor:
    """Multiplies by powers of two in place."""
    _tensors(input, other)
    _writable(input._key.dtype)
    return _ldexp.inplace(input, other)  # type: ignore[attr-defined, no-any-return]  # derived by the decorator


@composite(method=True, out=True, inplace=ldexp_, samples=binary(number=False))
def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """Returns ``input * 2 ** other``, exact for whole powers.

    >>> torch.ldexp(torch.tensor([1.0, 3.0]), torch.tensor([1, 4]))
    tensor([ 2., 48.])
    """
    _tensors(input, other)
    return _ldexp(input, other)


@primitive(grad={"input": lambda g, out: _ldexp(g[0], -out[1])}, node="FrexpBackward0")
def _frexp(input: Tensor) -> Any:
    """Returns mantissas and exponents."""
    ...


@composite(method=True, out=True, samples=unary())
def frexp(input: Tensor) -> tuple[Tensor, Tensor]:
    """Returns ``mantissa`` of at least 0.5 and below 1, and ``exponent``, for ``input = mantissa * 2 ** exponent``.

    >>> torch.frexp(torch.tensor([3.0, -8.0])).exponent
    tensor([2, 4], dtype=torch.int32)
    """
    if not isinstance(input, Tensor):
        raise TypeError(f"frexp(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    if input._key.dtype.category != FLOATING:
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    mantissa, exponent = _frexp(input)
    return FrexpResult((mantissa, exponent))
