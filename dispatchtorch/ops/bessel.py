"""Bessel functions of order 0 and 1, spherical and modified ones, and Airy's function: real only.

Those that torch has no derivative of have none here. Knows no kernel and no backend.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dispatchtorch.dispatch.table import FUNCTIONS, pointwise
from dispatchtorch.ops import refusals
from dispatchtorch.ops.choose import where
from dispatchtorch.ops.samples import Sampler, unary
from dispatchtorch.ops.signs import sgn
from dispatchtorch.ops.special_room import SPECIAL, publish
from dispatchtorch.tensor.tensor import Tensor


def _flat(name: str, samples: Sampler) -> Callable[..., Any]:
    """Returns the decorator of a function without a derivative, single or double precision only."""
    return pointwise(
        dtype="float",
        inplace=False,
        check=refusals.not_implemented(f"{name}_cpu", "complex", "half"),
        samples=samples,
    )


@_flat("airy_ai", unary())
def _special_airy_ai(input: Tensor) -> Tensor:
    """Returns Airy's function Ai; nan at the infinities.

    >>> torch.special.airy_ai(torch.tensor([0.0, 1.0]))
    tensor([0.3550, 0.1353])
    """
    ...


@_flat("bessel_j0", unary())
def _special_bessel_j0(input: Tensor) -> Tensor:
    """Returns the Bessel function of the first kind, order 0.

    >>> torch.special.bessel_j0(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 0.7652])
    """
    ...


@_flat("bessel_j1", unary())
def _special_bessel_j1(input: Tensor) -> Tensor:
    """Returns the Bessel function of the first kind, order 1.

    >>> torch.special.bessel_j1(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.4401])
    """
    ...


@_flat("bessel_y0", unary(0.2, 9.0))
def _special_bessel_y0(input: Tensor) -> Tensor:
    """Returns the Bessel function of the second kind, order 0; -inf at 0, nan below.

    >>> torch.special.bessel_y0(torch.tensor([1.0, 2.0]))
    tensor([0.0883, 0.5104])
    """
    ...


@_flat("bessel_y1", unary(0.2, 9.0))
def _special_bessel_y1(input: Tensor) -> Tensor:
    """Returns the Bessel function of the second kind, order 1; -inf at 0, nan below.

    >>> torch.special.bessel_y1(torch.tensor([1.0, 2.0]))
    tensor([-0.7812, -0.1070])
    """
    ...


@_flat("modified_bessel_i0", unary())
def _special_modified_bessel_i0(input: Tensor) -> Tensor:
    """Returns the modified Bessel function of the first kind, order 0.

    >>> torch.special.modified_bessel_i0(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 1.2661])
    """
    ...


@_flat("modified_bessel_i1", unary())
def _special_modified_bessel_i1(input: Tensor) -> Tensor:
    """Returns the modified Bessel function of the first kind, order 1.

    >>> torch.special.modified_bessel_i1(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.5652])
    """
    ...


@_flat("modified_bessel_k0", unary(0.2, 5.0))
def _special_modified_bessel_k0(input: Tensor) -> Tensor:
    """Returns the modified Bessel function of the second kind, order 0; inf at 0, nan below.

    >>> torch.special.modified_bessel_k0(torch.tensor([1.0, 2.0]))
    tensor([0.4210, 0.1139])
    """
    ...


@_flat("modified_bessel_k1", unary(0.2, 5.0))
def _special_modified_bessel_k1(input: Tensor) -> Tensor:
    """Returns the modified Bessel function of the second kind, order 1; inf at 0, nan below.

    >>> torch.special.modified_bessel_k1(torch.tensor([1.0, 2.0]))
    tensor([0.6019, 0.1399])
    """
    ...


@_flat("scaled_modified_bessel_k0", unary(0.2, 5.0))
def _special_scaled_modified_bessel_k0(input: Tensor) -> Tensor:
    """Returns ``exp(input)`` times the modified Bessel function of the second kind, order 0.

    >>> torch.special.scaled_modified_bessel_k0(torch.tensor([1.0, 2.0]))
    tensor([1.1445, 0.8416])
    """
    ...


@_flat("scaled_modified_bessel_k1", unary(0.2, 5.0))
def _special_scaled_modified_bessel_k1(input: Tensor) -> Tensor:
    """Returns ``exp(input)`` times the modified Bessel function of the second kind, order 1.

    >>> torch.special.scaled_modified_bessel_k1(torch.tensor([1.0, 2.0]))
    tensor([1.6362, 1.0335])
    """
    ...


@_flat("spherical_bessel_j0", unary())
def _special_spherical_bessel_j0(input: Tensor) -> Tensor:
    """Returns the spherical Bessel function of the first kind, order 0: ``sin(input) / input``.

    >>> torch.special.spherical_bessel_j0(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 0.8415])
    """
    ...


# --- with derivatives -------------------------------------------------------------------------------------------------


def _slope_i1(g: Tensor, input: Tensor, out: Tensor) -> Tensor:
    """Returns ``g * (I0 - I1 / input)``, which is half of g at 0."""
    tiny = input.abs() <= _SMALLEST[input._key.dtype.itemsize]
    safe = where(tiny, 1.0, input)
    return where(tiny, g * 0.5, g * (i0(safe) - out / safe))


def _slope_i1e(g: Tensor, input: Tensor, out: Tensor) -> Tensor:
    tiny = input.abs() <= _SMALLEST[input._key.dtype.itemsize]
    safe = where(tiny, 1.0, input)
    return where(tiny, g * 0.5, g * (_special_i0e(safe) - out * (sgn(safe) + 1 / safe)))


_SMALLEST = {2: 0.0009765625, 4: 1.1920929e-07, 8: 2.220446049250313e-16}  # below them the quotient is 1/2


@pointwise(
    grad={"input": lambda g, input: g * _special_i1(input)},
    dtype="float",
    check=refusals.not_implemented("i0_vml_cpu", "complex"),
    samples=unary(),
)
def i0(input: Tensor) -> Tensor:
    """Returns the modified Bessel function of the first kind, order 0.

    >>> torch.i0(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 1.2661])
    """
    ...


@pointwise(
    grad={"input": lambda g, input, out: g * (_special_i1e(input) - sgn(input) * out)},
    dtype="float",
    inplace=False,
    check=refusals.not_implemented("i0e_cpu", "complex"),
    samples=unary(),
)
def _special_i0e(input: Tensor) -> Tensor:
    """Returns ``exp(-|input|)`` times the modified Bessel function of the first kind, order 0.

    >>> torch.special.i0e(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 0.4658])
    """
    ...


@pointwise(
    grad={"input": _slope_i1},
    dtype="float",
    inplace=False,
    check=refusals.not_implemented("i1_cpu", "complex"),
    samples=unary(),
)
def _special_i1(input: Tensor) -> Tensor:
    """Returns the modified Bessel function of the first kind, order 1.

    >>> torch.special.i1(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.5652])
    """
    ...


@pointwise(
    grad={"input": _slope_i1e},
    dtype="float",
    inplace=False,
    check=refusals.not_implemented("i1e_cpu", "complex"),
    samples=unary(),
)
def _special_i1e(input: Tensor) -> Tensor:
    """Returns ``exp(-|input|)`` times the modified Bessel function of the first kind, order 1.

    >>> torch.special.i1e(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.2079])
    """
    ...


publish(
    _special_i0e,
    _special_i1,
    _special_i1e,
    _special_airy_ai,
    _special_bessel_j0,
    _special_bessel_j1,
    _special_bessel_y0,
    _special_bessel_y1,
    _special_modified_bessel_i0,
    _special_modified_bessel_i1,
    _special_modified_bessel_k0,
    _special_modified_bessel_k1,
    _special_scaled_modified_bessel_k0,
    _special_scaled_modified_bessel_k1,
    _special_spherical_bessel_j0,
)
SPECIAL["i0"] = FUNCTIONS["i0"]
