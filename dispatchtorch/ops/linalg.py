"""torch's names for products: mm, bmm, mv, dot, vdot, outer, inner. Each checks ranks and hands on to `matmul`."""

from __future__ import annotations

from typing import Any

from dispatchtorch.dispatch.table import composite, primitive
from dispatchtorch.ops.matmul import _bmm, check_bmm, check_dot, conj, matmul, pairs
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["bmm", "dot", "inner", "mm", "mv", "outer", "vdot"]


def _must_be_tensor(name: str, **given: Any) -> None:
    for position, (argument, value) in enumerate(given.items()):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"{name}(): argument '{argument}' (position {position + 1}) must be Tensor, not {type(value).__name__}"
            )


@composite(method=True, out=True)
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """Returns the product of two matrices."""
    _must_be_tensor("mm", input=input, mat2=mat2)
    if len(input._a.shape) != 2:
        raise RuntimeError("self must be a matrix")
    if len(mat2._a.shape) != 2:
        raise RuntimeError("mat2 must be a matrix")
    return matmul(input, mat2)


@composite(method=True, out=True)
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Returns the products of matching matrices of two batches."""
    _must_be_tensor("bmm", input=input, mat2=mat2)
    if len(input._a.shape) != 3 or len(mat2._a.shape) != 3 or input._a.shape[0] != mat2._a.shape[0]:
        check_bmm(input, mat2)
    return _bmm(input, mat2)


@composite(method=True, out=True)
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """Returns the product of a matrix and a vector."""
    m, n = len(input._a.shape), len(vec._a.shape)
    if (m, n) != (2, 1):
        raise RuntimeError(f"vector + matrix @ vector expected, got 1, {m}, {n}")
    return matmul(input, vec)


@composite(method=True, out=True)
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """Returns the sum of the products of two vectors; nothing is conjugated."""
    check_dot(input, tensor)
    return matmul(input, tensor)


@primitive(
    grad={"input": lambda g, other: g.conj() * other, "other": lambda g, input: g * input},
    node="VdotBackward0",
    samples=pairs(((3,), (3,))),
)
def _vdot(input: Tensor, other: Tensor) -> Tensor:
    """Returns the sum of products with the first vector conjugated."""
    return matmul(conj(input), other)


@composite(method=True, out=True)
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """Returns the sum of the products of two vectors, the first conjugated."""
    check_dot(input, other)
    return _vdot(input, other)


@composite(method=True, out=True, names=("ger",))
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """Returns the matrix of all products of two vectors' elements."""
    for name, t in (("self", input), ("vec2", vec2)):
        if len(t._a.shape) != 1:
            raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {len(t._a.shape)}-D")
    return input.unsqueeze(1) * vec2  # type: ignore[no-any-return]  # methods arrive from the table


@composite(method=True, out=True)
def inner(input: Tensor, other: Tensor) -> Tensor:
    """Returns the sums of products over both last dimensions."""
    first, second = tuple(input._a.shape), tuple(other._a.shape)
    if not first or not second:
        return input * other
    if first[-1] != second[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(first)} and {list(second)}"
        )
    if len(second) == 1:
        return matmul(input, other)
    flat = matmul(input.reshape(-1, first[-1]) if len(first) != 1 else input, other.reshape(-1, second[-1]).t())
    return flat.reshape(*first[:-1], *second[:-1])
