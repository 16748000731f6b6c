"""Signs: negation, magnitude and direction, real and complex."""

from __future__ import annotations

from typing import Any

from dispatchtorch._base.dtypes import BOOL, COMPLEX, DType
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, pointwise
from dispatchtorch.ops import refusals
from dispatchtorch.ops.pointwise import Number, _zeros, conj_of
from dispatchtorch.ops.samples import binary, unary
from dispatchtorch.tensor.tensor import Tensor


def _no_bool_negation(keys: Any, common: DType) -> None:
    if common.category == BOOL:
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use "
            "the `~` or `logical_not()` operator instead."
        )


@pointwise(grad={"input": lambda g: -g}, kernel="negative", check=_no_bool_negation, samples=unary())
def neg(input: Tensor) -> Tensor:
    """Returns ``-input``.

    >>> -torch.tensor([1.0, -2.0])
    tensor([-1.,  2.])
    """
    ...


@composite(method=True)
def positive(input: Tensor) -> Tensor:
    """Returns the tensor itself; RuntimeError for a bool tensor."""
    if input._key.dtype.category == BOOL:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


@pointwise(
    grad={"input": lambda g, input: g * sgn(input)},
    dtype="real",
    kernel="abs",
    check=refusals.not_implemented("abs_cpu", "bool"),
    samples=unary(),
)
def abs(input: Tensor) -> Tensor:
    """Returns absolute values; of complex numbers, their distance from 0.

    >>> torch.abs(torch.tensor([-1.0, 2.0]))
    tensor([1., 2.])
    """
    ...


def abs_(input: Tensor) -> Tensor:
    """Writes absolute values; RuntimeError for complex tensors."""
    if input._key.dtype.category == COMPLEX:
        raise RuntimeError("In-place abs is not supported for complex tensors.")
    return abs.inplace(input)  # type: ignore[attr-defined, no-any-return]  # derived by the decorator


METHODS["abs_"] = abs_


@pointwise(
    grad={"input": lambda g: _zeros(g)},
    check=refusals.not_complex(
        "Unlike NumPy, torch.sign is not intended to support complex numbers. Please use torch.sgn instead.",
        NotImplementedError,
    ),
    samples=unary(),
)
def sign(input: Tensor) -> Tensor:
    """Returns -1, 0 or 1 by the sign.

    >>> torch.sign(torch.tensor([-3.0, 0.0, 2.0]))
    tensor([-1.,  0.,  1.])
    """
    ...


def _sgn_backward(g: Tensor, input: Tensor) -> Tensor:
    if input._key.dtype.category < COMPLEX:
        return _zeros(g)
    size, unit = abs(input), sgn(input)
    turned = (g / size) - (_real_of(g * conj_of(unit)) * unit) / size
    return METHODS["masked_fill"](turned, input == 0, 0)  # type: ignore[no-any-return]  # an entry of the table


def _real_of(x: Tensor) -> Tensor:
    return (x + x.conj()) * 0.5 if x._key.dtype.category == COMPLEX else x


@pointwise(grad={"input": _sgn_backward}, samples=unary())
def sgn(input: Tensor) -> Tensor:
    """Returns the sign; of a complex number, the one of length 1 in its direction.

    >>> torch.sgn(torch.tensor([-3.0, 0.0]))
    tensor([-1.,  0.])
    """
    ...


def _copysign_backward(g: Tensor, input: Tensor, out: Tensor) -> Tensor:
    return METHODS["masked_fill"](g * (out / input), input == 0, 0)  # type: ignore[no-any-return]  # an entry of the table


@pointwise(
    grad={"input": _copysign_backward, "other": lambda g: _zeros(g)},
    node=lambda node: "CopysignBackward1" if node.edges[1] is None else "CopysignBackward0",
    dtype="float",
    check=refusals.not_implemented("copysign_cpu", "complex"),
    samples=binary(low=0.5),
)
def copysign(input: Tensor, other: Tensor | Number) -> Tensor:
    """Returns magnitudes of ``input`` with signs of ``other``.

    >>> torch.copysign(torch.tensor([1.0, 2.0]), torch.tensor([-1.0, 1.0]))
    tensor([-1.,  2.])
    """
    ...


for _alias, _name in {"negative": "neg", "absolute": "abs"}.items():
    FUNCTIONS[_alias], METHODS[_alias], METHODS[_alias + "_"] = FUNCTIONS[_name], METHODS[_name], METHODS[_name + "_"]
METHODS["__neg__"] = neg
METHODS["__pos__"] = positive
METHODS["__abs__"] = abs
