"""Complex numbers: conjugates, parts and angles."""

from __future__ import annotations

from dispatchtorch._base.dtypes import COMPLEX, FLOATING
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, pointwise
from dispatchtorch.ops.choose import masked_fill
from dispatchtorch.ops.pointwise import _zeros, conj_of
from dispatchtorch.ops.samples import unary
from dispatchtorch.tensor.tensor import Tensor


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


METHODS["_imag_part"] = _imag_part  # `reinterpret` gives views where a library has them, these where not
