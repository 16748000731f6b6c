"""Complex numbers: conjugates, parts and angles."""

from __future__ import annotations

import functools
from typing import Any

from dispatchtorch._base.dtypes import COMPLEX, FLOATING
from dispatchtorch.dispatch.table import FUNCTIONS, composite, pointwise, primitive, with_out
from dispatchtorch.ops.choose import masked_fill
from dispatchtorch.ops.pointwise import _zeros, conj_of
from dispatchtorch.ops.samples import Maker, Sample, unary
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


def _complex_samples(make: Maker) -> Any:
    yield Sample((make(3, 4), make(3, 4)))
    yield Sample((make(3, 1), make(4)))


@primitive(
    grad={"real": lambda g: FUNCTIONS["real"](g), "imag": lambda g: FUNCTIONS["imag"](g)}, node="ComplexBackward0"
)
def _complex(real: Tensor, imag: Tensor) -> Tensor:
    """Returns complex numbers of parts of one shape."""
    ...


def _check_parts(name: str, first: Any, second: Any) -> None:
    for position, value in enumerate((first, second)):
        if not isinstance(value, Tensor):
            argument = (("real", "imag") if name == "complex" else ("abs", "angle"))[position]
            raise TypeError(
                f"{name}(): argument '{argument}' (position {position + 1}) must be Tensor, not {type(value).__name__}"
            )
    one, two = first._key.dtype, second._key.dtype
    if not {one.name, two.name} <= {"float16", "float32", "float64"}:
        raise RuntimeError(
            f"Expected both inputs to be Half, Float or Double tensors but got {one.legacy} and {two.legacy}"
        )
    if one is not two:
        raise RuntimeError(
            f"Expected object of scalar type {one.legacy} but got scalar type {two.legacy} for second argument"
        )
    if one.name == "float16":
        if name == "polar":
            raise NotImplementedError("\"polar_cpu\" not implemented for 'Half'")
        raise NotImplementedError(
            "complex(): complex32 is no dtype here; parts of float16 have to become float32 first"
        )


def _into(kind: Any) -> Any:
    """Returns the function with ``out=``, which has to be of the very dtype."""

    @functools.wraps(kind)
    def public(first: Tensor, second: Tensor, *, out: Tensor | None = None) -> Tensor:
        made: Tensor = kind(first, second)
        if out is not None and out._key.dtype is not made._key.dtype:
            raise RuntimeError(
                f"Expected object of scalar type {made._key.dtype.legacy} but got scalar type {out._key.dtype.legacy} "
                "for argument 'out'"
            )
        return made if out is None else with_out(lambda: made)(out=out)

    return public


@composite(samples=_complex_samples)
def complex(real: Tensor, imag: Tensor) -> Tensor:
    """Returns complex numbers of their real and imaginary parts, which broadcast.

    >>> torch.complex(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    tensor([1.+3.j, 2.+4.j])
    """
    _check_parts("complex", real, imag)
    return _complex(*FUNCTIONS["broadcast_tensors"](real, imag))


def _polar_samples(make: Maker) -> Any:
    yield Sample((make(3, 4, low=0.5), make(3, 4)))
    yield Sample((make(3, 1, low=0.5), make(4)))


@composite(samples=_polar_samples)
def polar(abs: Tensor, angle: Tensor) -> Tensor:
    """Returns complex numbers of their absolute values and angles in radians, which broadcast.

    >>> torch.polar(torch.tensor([2.0]), torch.tensor([0.0]))
    tensor([2.+0.j])
    """
    _check_parts("polar", abs, angle)
    return complex(abs * FUNCTIONS["cos"](angle), abs * FUNCTIONS["sin"](angle))


FUNCTIONS["complex"], FUNCTIONS["polar"] = _into(complex), _into(polar)
