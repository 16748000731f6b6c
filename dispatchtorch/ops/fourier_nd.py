"""Fourier transforms along several dimensions, sample frequencies, and shifts of the zero frequency to the middle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import COMPLEX, FLOATING, DType, get_default_dtype
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, with_out
from dispatchtorch.ops.fourier import (
    FFT,
    _fft_c2r,
    mode_of,
    promoted,
    published,
    resized,
    spectrum,
    transform,
    wrapped,
)
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "FFT", "fft2", "fftfreq", "fftn", "fftshift", "hfft2", "hfftn", "ifft2", "ifftn", "ifftshift", "ihfft2", "ihfftn",
    "irfft2", "irfftn", "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip

Ints = tuple[int, ...]
IntOrInts = int | Sequence[int] | None


# --- arguments --------------------------------------------------------------------------------------------------------


def _listed(value: IntOrInts) -> Ints | None:
    return None if value is None else (value,) if isinstance(value, int) else tuple(value)


def _plan(input: Tensor, s: IntOrInts, dim: IntOrInts) -> tuple[Ints, list[int]]:
    """Returns the dims to transform and how many points each has; RuntimeError as in torch where they do not fit."""
    shape = tuple(input._a.shape)
    sizes, given = _listed(s), _listed(dim)
    dims: Ints = ()
    if given is not None:
        dims = tuple([wrapped(d, len(shape)) for d in given])
        if len(set(dims)) < len(dims):
            raise RuntimeError("FFT dims must be unique")
    if sizes is not None:
        if given is not None and len(dims) != len(sizes):
            raise RuntimeError("When given, dim and shape arguments must have the same length")
        if len(sizes) > len(shape):
            raise RuntimeError(f"Got shape with {len(sizes)} values but input tensor only has {len(shape)} dimensions.")
        if given is None:
            dims = tuple(range(len(shape) - len(sizes), len(shape)))
    elif given is None:
        dims = tuple(range(len(shape)))
    points = [shape[d] for d in dims]
    if sizes is not None:
        points = [own if n == -1 else n for own, n in zip(points, sizes, strict=True)]
    for n in points:
        _need_points(n)
    return dims, points


def _need_points(n: int) -> None:
    if n < 1:
        raise RuntimeError(f"Invalid number of data points ({n}) specified")


def _need_axes(name: str, dims: Ints) -> None:
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")


def _need_real(name: str, input: Tensor) -> None:
    if input._key.dtype.category == COMPLEX:
        raise RuntimeError(f"{name} expects a real-valued input tensor, but got {input._key.dtype.legacy}")


def _half_plan(name: str, input: Tensor, s: IntOrInts, dim: IntOrInts) -> tuple[Ints, list[int], int]:
    """Returns dims, the points of each (of half the last one), and the last one's full count."""
    dims, points = _plan(input, s, dim)
    _need_axes(name, dims)
    sizes = _listed(s)
    last = points[-1] if sizes and sizes[-1] != -1 else 2 * (input._a.shape[dims[-1]] - 1)
    _need_points(last)
    points[-1] = last // 2 + 1
    return dims, points, last


# --- several dimensions -----------------------------------------------------------------------------------------------


def _fftn(name: str, input: Tensor, s: IntOrInts, dim: IntOrInts, norm: str | None) -> Tensor:
    forward = name[0] != "i"
    dims, points = _plan(input, s, dim)
    x = resized(promoted(input, complex=True), dims, points)
    return transform(x, dims, mode_of(norm, forward), forward)


def _rfftn(name: str, input: Tensor, s: IntOrInts, dim: IntOrInts, norm: str | None) -> Tensor:
    _need_real(name, input)
    dims, points = _plan(input, s, dim)
    _need_axes(name, dims)
    return spectrum(resized(promoted(input), dims, points), dims, mode_of(norm, True))


def _irfftn(name: str, input: Tensor, s: IntOrInts, dim: IntOrInts, norm: str | None) -> Tensor:
    dims, points, last = _half_plan(name, input, s, dim)
    x = resized(promoted(input, complex=True), dims, points)
    return _fft_c2r(x, dims, mode_of(norm, False), last)


def _hfftn(name: str, input: Tensor, s: IntOrInts, dim: IntOrInts, norm: str | None) -> Tensor:
    dims, points, last = _half_plan(name, input, s, dim)
    mode = mode_of(norm, True)
    x = resized(promoted(input, complex=True), dims, points)
    if len(dims) > 1:
        x = transform(x, dims[:-1], mode, True)
    return _fft_c2r(METHODS["conj"](x), dims[-1:], mode, last)


def _ihfftn(name: str, input: Tensor, s: IntOrInts, dim: IntOrInts, norm: str | None) -> Tensor:
    if input._key.dtype.category == COMPLEX:
        raise RuntimeError(f"Only supports floating-point dtypes, but found: {input._key.dtype.legacy}")
    dims, points = _plan(input, s, dim)
    _need_axes(name, dims)
    mode = mode_of(norm, False)
    half = METHODS["conj"](spectrum(resized(promoted(input), dims, points), dims[-1:], mode))
    return transform(half, dims[:-1], mode, False) if len(dims) > 1 else half


@published
def fft2(input: Tensor, s: IntOrInts = None, dim: IntOrInts = (-2, -1), norm: str | None = None) -> Tensor:
    """Returns the discrete Fourier transform along two dims; ``s`` cuts or fills them up first.

    >>> torch.fft.fft2(torch.ones(2, 2)).real
    tensor([[4., 0.],
            [0., 0.]])
    """
    return _fftn("fftn", input, s, dim, norm)


@published
def fftn(input: Tensor, s: IntOrInts = None, dim: IntOrInts = None, norm: str | None = None) -> Tensor:
    """Returns the discrete Fourier transform along ``dim``, by default all of them; ``s`` cuts or fills them up first.

    >>> torch.fft.fftn(torch.ones(2, 2)).real
    tensor([[4., 0.],
            [0., 0.]])
    """
    return _fftn("fftn", input, s, dim, norm)


@published
def ifft2(input: Tensor, s: IntOrInts = None, dim: IntOrInts = (-2, -1), norm: str | None = None) -> Tensor:
    """Returns the inverse of `fft2`.

    >>> torch.fft.ifft2(torch.fft.fft2(torch.ones(2, 2))).real
    tensor([[1., 1.],
            [1., 1.]])
    """
    return _fftn("ifftn", input, s, dim, norm)


@published
def ifftn(input: Tensor, s: IntOrInts = None, dim: IntOrInts = None, norm: str | None = None) -> Tensor:
    """Returns the inverse of `fftn`.

    >>> torch.fft.ifftn(torch.fft.fftn(torch.ones(2, 2))).real
    tensor([[1., 1.],
            [1., 1.]])
    """
    return _fftn("ifftn", input, s, dim, norm)


@published
def rfft2(input: Tensor, s: IntOrInts = None, dim: IntOrInts = (-2, -1), norm: str | None = None) -> Tensor:
    """Returns the half of a real tensor's transform along two dims that tells the other half.

    >>> torch.fft.rfft2(torch.ones(2, 4)).shape
    torch.Size([2, 3])
    """
    return _rfftn("rfftn", input, s, dim, norm)


@published
def rfftn(input: Tensor, s: IntOrInts = None, dim: IntOrInts = None, norm: str | None = None) -> Tensor:
    """Returns the half of a real tensor's transform along ``dim``, by default all of them that tells the other half.

    >>> torch.fft.rfftn(torch.ones(2, 4)).shape
    torch.Size([2, 3])
    """
    return _rfftn("rfftn", input, s, dim, norm)


@published
def irfft2(input: Tensor, s: IntOrInts = None, dim: IntOrInts = (-2, -1), norm: str | None = None) -> Tensor:
    """Returns the real inverse of a half spectrum along two dims; ``s`` are the result's sizes.

    >>> torch.fft.irfft2(torch.ones(2, 3)).shape
    torch.Size([2, 4])
    """
    return _irfftn("irfftn", input, s, dim, norm)


@published
def irfftn(input: Tensor, s: IntOrInts = None, dim: IntOrInts = None, norm: str | None = None) -> Tensor:
    """Returns the real inverse of a half spectrum along ``dim``, by default all of them; ``s`` are the result's sizes.

    >>> torch.fft.irfftn(torch.ones(2, 3)).shape
    torch.Size([2, 4])
    """
    return _irfftn("irfftn", input, s, dim, norm)


@published
def hfft2(input: Tensor, s: IntOrInts = None, dim: IntOrInts = (-2, -1), norm: str | None = None) -> Tensor:
    """Returns the real transform of half a mirrored signal along two dims; ``s`` are the result's sizes.

    >>> torch.fft.hfft2(torch.ones(2, 3)).shape
    torch.Size([2, 4])
    """
    return _hfftn("hfftn", input, s, dim, norm)


@published
def hfftn(input: Tensor, s: IntOrInts = None, dim: IntOrInts = None, norm: str | None = None) -> Tensor:
    """Returns the real transform of half a mirrored signal along ``dim``, by default all; ``s``: the result's sizes.

    >>> torch.fft.hfftn(torch.ones(2, 3)).shape
    torch.Size([2, 4])
    """
    return _hfftn("hfftn", input, s, dim, norm)


@published
def ihfft2(input: Tensor, s: IntOrInts = None, dim: IntOrInts = (-2, -1), norm: str | None = None) -> Tensor:
    """Returns half a mirrored signal, the inverse of the real transform along two dims.

    >>> torch.fft.ihfft2(torch.ones(2, 4)).shape
    torch.Size([2, 3])
    """
    return _ihfftn("ihfftn", input, s, dim, norm)


@published
def ihfftn(input: Tensor, s: IntOrInts = None, dim: IntOrInts = None, norm: str | None = None) -> Tensor:
    """Returns half a mirrored signal, the inverse of the real transform along ``dim``, by default all of them.

    >>> torch.fft.ihfftn(torch.ones(2, 4)).shape
    torch.Size([2, 3])
    """
    return _ihfftn("ihfftn", input, s, dim, norm)


# --- frequencies ------------------------------------------------------------------------------------------------------


def _frequencies(
    name: str, n: int, d: float, places: list[int], dtype: DType | None, device: Any, grad: bool
) -> Tensor:
    kind = dtype or get_default_dtype()
    if kind.category < FLOATING:
        raise RuntimeError(f"{name} requires a floating point or complex dtype")
    if kind.category == COMPLEX:
        raise NotImplementedError(f"\"arange_cpu\" not implemented for '{kind.legacy}'")
    span = n * d
    out: Tensor = FUNCTIONS["tensor"](places, dtype=kind, device=device) * (1.0 / span if span else math.inf)
    return METHODS["requires_grad_"](out) if grad else out


def fftfreq(
    n: int,
    d: float = 1.0,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Device | str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns the frequencies of `fft`'s ``n`` results for samples ``d`` apart: positive ones, then negative ones.

    >>> torch.fft.fftfreq(4)
    tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    places = [i if i < (n + 1) // 2 else i - n for i in range(n)]
    return _frequencies("fftfreq", n, d, places, dtype, device, requires_grad)


def rfftfreq(
    n: int,
    d: float = 1.0,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Device | str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns the frequencies of `rfft`'s ``n // 2 + 1`` results for samples ``d`` apart.

    >>> torch.fft.rfftfreq(4)
    tensor([0.0000, 0.2500, 0.5000])
    """
    return _frequencies("rfftfreq", n, d, list(range(int(n / 2) + 1)), dtype, device, requires_grad)


def _shift(input: Tensor, dim: IntOrInts, up: int) -> Tensor:
    ndim = len(input._a.shape)
    dims = _listed(dim)
    dims = tuple(range(ndim)) if dims is None else tuple([wrapped(d, ndim) for d in dims])
    return FUNCTIONS["roll"](input, tuple([(input._a.shape[d] + up) // 2 for d in dims]), dims)  # type: ignore[no-any-return]  # an entry


def fftshift(input: Tensor, dim: IntOrInts = None) -> Tensor:
    """Returns the transform with the zero frequency in the middle of ``dim``, by default of every dim.

    >>> torch.fft.fftshift(torch.tensor([0, 1, -2, -1]))
    tensor([-2, -1,  0,  1])
    """
    return _shift(input, dim, 0)


def ifftshift(input: Tensor, dim: IntOrInts = None) -> Tensor:
    """Returns what `fftshift` was made from.

    >>> torch.fft.ifftshift(torch.tensor([-2, -1, 0, 1]))
    tensor([ 0,  1, -2, -1])
    """
    return _shift(input, dim, 1)


FFT.update(fftfreq=with_out(fftfreq), rfftfreq=with_out(rfftfreq), fftshift=fftshift, ifftshift=ifftshift)
