"""Elementwise arithmetic: one value out for one in, broadcasting; the dtype is the promoted one."""

from __future__ import annotations

from dispatchtorch.dispatch.table import METHODS, composite, pointwise
from dispatchtorch.tensor.tensor import Tensor

Number = int | float | complex | bool


def conj_of(x: Tensor) -> Tensor:
    """Returns the conjugate that a holomorphic derivative needs; a real tensor is its own."""
    return x if x._key.dtype.category < 3 else x.conj()


@pointwise(grad={"input": lambda g: g, "other": lambda g: g}, kernel="add", node="AddBackward0")
def _add(input: Tensor, other: Tensor | Number) -> Tensor:
    """Returns ``input + other``."""
    ...


@pointwise(
    grad={"input": lambda g, other: g * _conj(other), "other": lambda g, input: g * _conj(input)},
    kernel="multiply",
)
def mul(input: Tensor, other: Tensor | Number) -> Tensor:
    """Returns ``input * other``.

    >>> torch.tensor([1.0, 2.0]) * 3
    tensor([3., 6.])
    """
    ...


def _conj(x: Tensor | Number) -> Tensor | Number:
    return conj_of(x) if isinstance(x, Tensor) else complex(x).conjugate() if isinstance(x, complex) else x


def _add_(input: Tensor, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    return _add.inplace(input, other if alpha == 1 else mul(other, alpha))  # type: ignore[attr-defined, no-any-return]  # derived by the decorator


@composite(method=True, out=True, inplace=_add_)
def add(input: Tensor, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """Returns ``input + alpha * other``.

    >>> torch.add(torch.tensor([1.0, 2.0]), torch.tensor([10.0, 20.0]), alpha=2)
    tensor([21., 42.])
    """
    return _add(input, other) if alpha == 1 else _add(input, mul(other, alpha))


METHODS["__add__"] = METHODS["__radd__"] = _add
METHODS["__mul__"] = METHODS["__rmul__"] = mul
METHODS["__iadd__"] = _add_
