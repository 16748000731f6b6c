"""Orthogonal polynomials whose degree is an argument: real only, without derivatives, as in torch.

Knows no kernel and no backend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from dispatchtorch.dispatch.table import pointwise
from dispatchtorch.ops import refusals
from dispatchtorch.ops.pointwise import Number
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.ops.special_room import pair
from dispatchtorch.tensor.tensor import Tensor


def _degrees(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4), make(3, 4, low=0.0, high=9.0)))
    yield Sample((make(3, 1), make(4, dtype="int64", low=0, high=20)))
    yield Sample((make(2, 3), 3))
    yield Sample((0.5, make(2, 3, low=0.0, high=9.0)))
    yield Sample((make(0, 3), 2))


def _polynomial(name: str) -> Callable[..., Any]:
    return pointwise(
        dtype="float",
        inplace=False,
        check=refusals.not_implemented(f"{name}_cpu", "complex", "half"),
        samples=_degrees,
    )


@_polynomial("chebyshev_polynomial_t")
def _special_chebyshev_polynomial_t(x: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Returns Chebyshev polynomials of the first kind of degree ``n`` at ``x``; 0 for negative degrees.

    >>> torch.special.chebyshev_polynomial_t(torch.tensor([0.5, 2.0]), 3)
    tensor([-1., 26.])
    """
    ...


@_polynomial("chebyshev_polynomial_u")
def _special_chebyshev_polynomial_u(x: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Returns Chebyshev polynomials of the second kind of degree ``n`` at ``x``; 0 for negative degrees.

    >>> torch.special.chebyshev_polynomial_u(torch.tensor([0.5, 2.0]), 3)
    tensor([-1., 56.])
    """
    ...


@_polynomial("chebyshev_polynomial_v")
def _special_chebyshev_polynomial_v(x: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Returns Chebyshev polynomials of the third kind of degree ``n`` at ``x``; 0 for negative degrees.

    >>> torch.special.chebyshev_polynomial_v(torch.tensor([0.5, 2.0]), 3)
    tensor([-1., 41.])
    """
    ...


@_polynomial("chebyshev_polynomial_w")
def _special_chebyshev_polynomial_w(x: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Returns Chebyshev polynomials of the fourth kind of degree ``n`` at ``x``; 0 for negative degrees.

    >>> torch.special.chebyshev_polynomial_w(torch.tensor([0.5, 2.0]), 3)
    tensor([-1., 71.])
    """
    ...


@_polynomial("shifted_chebyshev_polynomial_t")
def _special_shifted_chebyshev_polynomial_t(x: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Returns Chebyshev polynomials of the first kind of degree ``n`` at ``2 x - 1``; 0 for negative degrees.

    >>> torch.special.shifted_chebyshev_polynomial_t(torch.tensor([0.5, 2.0]), 3)
    tensor([-0., 99.])
    """
    ...


@_polynomial("shifted_chebyshev_polynomial_u")
def _special_shifted_chebyshev_polynomial_u(x: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Returns Chebyshev polynomials of the second kind of degree ``n`` at ``2 x - 1``; 0 for negative degrees.

    >>> torch.special.shifted_chebyshev_polynomial_u(torch.tensor([0.5, 2.0]), 3)
    tensor([ -0., 204.])
    """
    ...


@_polynomial("shifted_chebyshev_polynomial_v")
def _special_shifted_chebyshev_polynomial_v(x: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Returns Chebyshev polynomials of the third kind of degree ``n`` at ``2 x - 1``; 0 for negative degrees.

    >>> torch.special.shifted_chebyshev_polynomial_v(torch.tensor([0.5, 2.0]), 3)
    tensor([  1., 169.])
    """
    ...


@_polynomial("shifted_chebyshev_polynomial_w")
def _special_shifted_chebyshev_polynomial_w(x: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Returns Chebyshev polynomials of the fourth kind of degree ``n`` at ``2 x - 1``; 0 for negative degrees.

    >>> torch.special.shifted_chebyshev_polynomial_w(torch.tensor([0.5, 2.0]), 3)
    tensor([ -1., 239.])
    """
    ...


@_polynomial("hermite_polynomial_h")
def _special_hermite_polynomial_h(x: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Returns Hermite's polynomials, as physicists write them, of degree ``n`` at ``x``; 0 for negative degrees.

    >>> torch.special.hermite_polynomial_h(torch.tensor([0.5, 2.0]), 3)
    tensor([-5., 40.])
    """
    ...


@_polynomial("hermite_polynomial_he")
def _special_hermite_polynomial_he(x: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Returns Hermite's polynomials, as statisticians write them, of degree ``n`` at ``x``; 0 for negative degrees.

    >>> torch.special.hermite_polynomial_he(torch.tensor([0.5, 2.0]), 3)
    tensor([-1.3750,  2.0000])
    """
    ...


@_polynomial("laguerre_polynomial_l")
def _special_laguerre_polynomial_l(x: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Returns Laguerre's polynomials of degree ``n`` at ``x``; 0 for negative degrees.

    >>> torch.special.laguerre_polynomial_l(torch.tensor([0.5, 2.0]), 3)
    tensor([-0.1458, -0.3333])
    """
    ...


@_polynomial("legendre_polynomial_p")
def _special_legendre_polynomial_p(x: Tensor | Number, n: Tensor | Number) -> Tensor:
    """Returns Legendre's polynomials of degree ``n`` at ``x``; 0 for negative degrees.

    >>> torch.special.legendre_polynomial_p(torch.tensor([0.5, 2.0]), 3)
    tensor([-0.4375, 17.0000])
    """
    ...


for _entry in (
    _special_chebyshev_polynomial_t,
    _special_chebyshev_polynomial_u,
    _special_chebyshev_polynomial_v,
    _special_chebyshev_polynomial_w,
    _special_shifted_chebyshev_polynomial_t,
    _special_shifted_chebyshev_polynomial_u,
    _special_shifted_chebyshev_polynomial_v,
    _special_shifted_chebyshev_polynomial_w,
    _special_hermite_polynomial_h,
    _special_hermite_polynomial_he,
    _special_laguerre_polynomial_l,
    _special_legendre_polynomial_p,
):
    pair(_entry, "x", "n")
