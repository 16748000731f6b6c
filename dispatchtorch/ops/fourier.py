"""Fourier transforms along one dimension, and the three primitives under all of them. The door is `dispatchtorch.fft`.

``_fft_c2c`` goes between complex numbers, ``_fft_r2c`` from real ones, ``_fft_c2r`` to real ones; the derivative of
each is made of the three. Must not know how a backend computes them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from dispatchtorch._base.dtypes import COMPLEX, FLOATING, DType, get_default_dtype
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, primitive, with_out
from dispatchtorch.ops.pad import constant_pad_nd
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.sizes import wrap_dim
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "FFT",
    "backwards",
    "fft",
    "forwards",
    "hfft",
    "ifft",
    "ihfft",
    "irfft",
    "promoted",
    "published",
    "resized",
    "rfft",
    "spectrum",
    "transform",
]

Ints = tuple[int, ...]

FFT: Final[dict[str, Callable[..., Any]]] = {}  # torch.fft's functions by name; `fourier_nd` adds its own


# --- the closed set ---------------------------------------------------------------------------------------------------


def _c2c_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4, dtype="complex64"), (1,), 0, True))
    yield Sample((make(2, 3, 4, dtype="complex64"), (0, 2), 2, False))


@primitive(
    grad={"input": lambda g, dims, mode, forward: _fft_c2c(g, dims, mode, not forward)},
    node="FftC2CBackward0",
    samples=_c2c_samples,
)
def _fft_c2c(input: Tensor, dims: Ints, mode: int, forward: bool) -> Tensor:
    """Returns the transform along ``dims``, divided by nothing (0), the root of the size (1) or the size (2)."""
    ...


def _r2c_backward(g: Tensor, dims: Ints, mode: int, onesided: bool, input_shape: Ints) -> Tensor:
    if onesided:
        g = resized(g, (dims[-1],), (input_shape[dims[-1]],))
    return FUNCTIONS["real"](_fft_c2c(g, dims, mode, False))  # type: ignore[no-any-return]  # an entry of the table


def _r2c_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4), (1,), 0, True))
    yield Sample((make(2, 3, 5), (0, 2), 1, True))
    yield Sample((make(3, 4), (0,), 2, False))


@primitive(grad={"input": _r2c_backward}, node="FftR2CBackward0", samples=_r2c_samples)
def _fft_r2c(input: Tensor, dims: Ints, mode: int, onesided: bool) -> Tensor:
    """Returns the transform of real numbers; ``onesided`` keeps the half of the last dim that tells the other."""
    ...


def _c2r_backward(g: Tensor, dims: Ints, mode: int, last: int) -> Tensor:
    half = _fft_r2c(g, dims, mode, True)
    size = half._a.shape[dims[-1]]
    twice = [2.0 if 0 < i <= last - size else 1.0 for i in range(size)]  # these stand for their mirror images too
    weights = FUNCTIONS["tensor"](twice, dtype=g._key.dtype, device=g._key.device, backend=g._key.backend)
    return half * weights.reshape(-1, *(1,) * (len(g._a.shape) - 1 - dims[-1]))  # type: ignore[no-any-return]  # arithmetic


def _c2r_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 3, dtype="complex64"), (1,), 0, 4))
    yield Sample((make(2, 3, 3, dtype="complex64"), (0, 2), 2, 5))


@primitive(grad={"input": _c2r_backward}, node="FftC2RBackward0", samples=_c2r_samples)
def _fft_c2r(input: Tensor, dims: Ints, mode: int, last: int) -> Tensor:
    """Returns the real inverse transform of a half spectrum, with ``last`` points in the last of ``dims``."""
    ...


# --- arguments --------------------------------------------------------------------------------------------------------


_MODES: Final = {None: (0, 2), "backward": (0, 2), "ortho": (1, 1), "forward": (2, 0)}


def mode_of(norm: str | None, forward: bool) -> int:
    """Returns what the transform is divided by; RuntimeError for a word that torch does not know."""
    if norm not in _MODES:
        raise RuntimeError(f'Invalid normalization mode: "{norm}"')
    return _MODES[norm][not forward]


def promoted(input: Tensor, complex: bool = False) -> Tensor:
    """Returns the tensor in a dtype that can be transformed; RuntimeError for half precision."""
    dtype: DType = input._key.dtype
    if dtype.category < FLOATING:
        dtype = get_default_dtype()
    if dtype.category == FLOATING and dtype.itemsize < 4:
        raise RuntimeError(f"Unsupported dtype {dtype.legacy}")
    if complex:
        dtype = dtype.to_complex()
    return input if dtype is input._key.dtype else METHODS["to"](input, dtype)


def resized(input: Tensor, dims: Sequence[int], sizes: Sequence[int]) -> Tensor:
    """Returns the tensor cut, or filled up with zeros at the end, to these sizes of these dims."""
    shape = input._a.shape
    pads = [0] * (2 * len(shape))
    for dim, size in zip(dims, sizes, strict=True):
        if shape[dim] < size:
            pads[2 * (len(shape) - 1 - dim) + 1] = size - shape[dim]
        elif shape[dim] > size:
            input = METHODS["narrow"](input, dim, 0, size)
    return constant_pad_nd(input, pads, 0) if any(pads) else input


def with_checked_out(function: Callable[..., Any], name: str, real: bool) -> Callable[..., Any]:
    """Returns the function with torch's ``out=``, which has to be real or complex as the results are."""
    public = with_out(function)
    kind = "floating point" if real else "complex"

    @functools.wraps(function)
    def opened(*args: Any, out: Tensor | None = None, **kwargs: Any) -> Any:
        if out is None:
            return function(*args, **kwargs)
        if out._key.dtype.category != (FLOATING if real else COMPLEX):
            raise RuntimeError(f"{name} expects a {kind} output tensor, but got {out._key.dtype.legacy}")
        return public(*args, out=out, **kwargs)

    return opened


def wrapped(dim: int, ndim: int) -> int:
    """Returns the dim counted from the front; IndexError for any dim of a 0-dimensional tensor."""
    if not ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return wrap_dim(dim, ndim)


def _points(n: int | None, otherwise: int) -> int:
    count = otherwise if n is None else n
    if count < 1:
        raise RuntimeError(f"Invalid number of data points ({count}) specified")
    return count


def transform(input: Tensor, dims: Ints, mode: int, forward: bool) -> Tensor:
    """Returns the complex transform; a copy where there is nothing to transform."""
    return _fft_c2c(input, dims, mode, forward) if dims else METHODS["clone"](input)


def spectrum(input: Tensor, dims: Ints, mode: int, onesided: bool = True) -> Tensor:
    """Returns the transform of real numbers."""
    return _fft_r2c(input, dims, mode, onesided)


def backwards(input: Tensor, n: int | None, dim: int, norm: str | None, forward: bool) -> Tensor:
    """Returns real numbers made of half a spectrum: `irfft`, and with ``forward`` its conjugate `hfft`."""
    x = promoted(input, complex=True)
    dim = wrapped(dim, len(x._a.shape))
    points = _points(n, 2 * (x._a.shape[dim] - 1))
    if n is not None:
        x = resized(x, (dim,), (points // 2 + 1,))
    mode = mode_of(norm, forward)
    return _fft_c2r(METHODS["conj"](x) if forward else x, (dim,), mode, points)


def forwards(
    name: str, input: Tensor, n: int | None, dim: int, norm: str | None, forward: bool, onesided: bool = True
) -> Tensor:
    """Returns the spectrum of real numbers: `rfft`, and without ``forward`` its conjugate `ihfft`."""
    if input._key.dtype.category == COMPLEX:
        raise RuntimeError(f"{name} expects a real input tensor, but got {input._key.dtype.legacy}")
    x = promoted(input)
    dim = wrapped(dim, len(x._a.shape))
    points = _points(n, x._a.shape[dim])
    if n is not None:
        x = resized(x, (dim,), (points,))
    out = _fft_r2c(x, (dim,), mode_of(norm, forward), onesided)
    return out if forward else METHODS["conj"](out)


def _both(input: Tensor, n: int | None, dim: int, norm: str | None, forward: bool) -> Tensor:
    if input._key.dtype.category != COMPLEX:
        return forwards("fft" if forward else "ifft", input, n, dim, norm, forward, onesided=False)
    x = promoted(input)
    dim = wrapped(dim, len(x._a.shape))
    points = _points(n, x._a.shape[dim])
    if n is not None:
        x = resized(x, (dim,), (points,))
    return _fft_c2c(x, (dim,), mode_of(norm, forward), forward)


# --- one dimension ----------------------------------------------------------------------------------------------------


def published(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Takes a function up into torch.fft, with ``out=``; returns it as it is."""
    name = function.__name__
    plain = name.rstrip("2n")
    shown = name.replace("2", "n")
    FFT[name] = with_checked_out(function, shown, plain in ("irfft", "hfft"))
    return function


@published
def fft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """Returns the discrete Fourier transform along ``dim``, of ``n`` points; complex, of the input's precision.

    ``norm``: "backward" divides by nothing, "ortho" by the root of the number of points, "forward" by their number.

    >>> torch.fft.fft(torch.tensor([1.0, 0.0, 0.0, 0.0]))
    tensor([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j])
    """
    return _both(input, n, dim, norm, True)


@published
def ifft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """Returns the inverse of `fft`.

    >>> torch.fft.ifft(torch.tensor([4.0, 0.0, 0.0, 0.0], dtype=torch.complex64))
    tensor([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j])
    """
    return _both(input, n, dim, norm, False)


@published
def rfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """Returns the transform of real numbers, of which the first ``n // 2 + 1`` tell the others.

    >>> torch.fft.rfft(torch.tensor([1.0, 0.0, 0.0, 0.0]))
    tensor([1.+0.j, 1.+0.j, 1.+0.j])
    """
    return forwards("rfft", input, n, dim, norm, True)


@published
def irfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """Returns the inverse of `rfft`: ``n`` real numbers, an even count where none is given.

    >>> torch.fft.irfft(torch.tensor([4.0, 0.0, 0.0]))
    tensor([1., 1., 1., 1.])
    """
    return backwards(input, n, dim, norm, False)


@published
def hfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """Returns the real transform of a signal given by its first half, which the other half mirrors.

    >>> torch.fft.hfft(torch.tensor([1.0, 0.0, 0.0]))
    tensor([1., 1., 1., 1.])
    """
    return backwards(input, n, dim, norm, True)


@published
def ihfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """Returns the inverse of `hfft`.

    >>> torch.fft.ihfft(torch.tensor([4.0, 0.0, 0.0, 0.0])).real
    tensor([1., 1., 1.])
    """
    return forwards("ihfft", input, n, dim, norm, False)
