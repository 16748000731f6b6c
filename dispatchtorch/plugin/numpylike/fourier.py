"""Fourier transforms over the namespace's ``fft``: between complex numbers, from real ones, and back to real ones.

``mode`` says what the sum is divided by: 0 nothing, 1 the root of the number of points, 2 their number.
"""

from __future__ import annotations

from typing import Any, Final

from dispatchtorch.plugin.numpylike import kernel

Array = Any
Ints = tuple[int, ...]

_FORWARD: Final = ("backward", "ortho", "forward")
_INVERSE: Final = ("forward", "ortho", "backward")


@kernel
def _fft_c2c(xp: Any, a: Array, dims: Ints, mode: int, forward: bool) -> Array:
    out = a
    for start in range(0, len(dims), 3):  # some libraries transform three dimensions at once and no more
        some = dims[start : start + 3]
        out = xp.fft.fftn(out, axes=some, norm=_FORWARD[mode]) if forward else _inverse(xp, out, some, mode)
    return out.astype(a.dtype)


def _inverse(xp: Any, a: Array, dims: Ints, mode: int) -> Array:
    return xp.fft.ifftn(a, axes=dims, norm=_INVERSE[mode])


@kernel
def _fft_r2c(xp: Any, a: Array, dims: Ints, mode: int, onesided: bool) -> Array:
    kind = xp.complex64 if a.dtype == xp.float32 else xp.complex128
    if not onesided:
        return _fft_c2c(xp, a.astype(kind), dims, mode, True)
    half = xp.fft.rfft(a, axis=dims[-1], norm=_FORWARD[mode]).astype(kind)
    return _fft_c2c(xp, half, dims[:-1], mode, True) if len(dims) > 1 else half


@kernel
def _fft_c2r(xp: Any, a: Array, dims: Ints, mode: int, last: int) -> Array:
    kind = xp.float32 if a.dtype == xp.complex64 else xp.float64
    half = _fft_c2c(xp, a, dims[:-1], mode, False) if len(dims) > 1 else a
    return xp.fft.irfft(half, n=last, axis=dims[-1], norm=_INVERSE[mode]).astype(kind)
