"""Box and Muller's transform in single precision, rounded step for step as torch rounds it: equal to the last bit.

torch evaluates Cephes' short polynomials with fused multiply-adds. NumPy has no such step, so each one is taken in
double precision, where the product of two floats is exact, and rounded back to a float. Where all results of a step lie
in one binade, adding and subtracting a large constant rounds them (``_MAGIC``) and saves two casts.

It knows words of 24 random bits and arrays. It must not know engines, dtypes' names or tensors.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["from_words"]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


def _single(*values: float) -> tuple[float, ...]:
    return tuple(float(np.float32(value)) for value in values)


# Cephes' coefficients of logf, sinf and cosf.
_LOG: Final = _single(
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
_SIN: Final = _single(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COS: Final = _single(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_REDUCE: Final = _single(-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)  # -pi/4 in three parts

_ONE: Final = np.float32(1)
_HALF: Final = np.float32(0.5)
_MINUS_TWO: Final = np.float32(-2)
_LN2_LOW: Final = np.float32(-2.12194440e-4)
_LN2_HIGH: Final = np.float32(0.693359375)
_FOUR_OVER_PI: Final = np.float32(1.27323954473516)
_ANGLE: Final = np.float32(np.float32(2 * math.pi) * np.float32(2.0**-24))  # scales by a power of two: still exact
_REDUCE_1: Final = np.float32(_REDUCE[0])
_REDUCE_2: Final = np.float32(_REDUCE[1])

_SQRT_HALF_BITS: Final = np.int32(0x3F3504F3)
_SIGN: Final = np.int32(-(2**31))
_LOW_24: Final = np.uint32(0xFF_FFFF)
_RADIX: Final = np.float32(2**24)

_PAIRS: Final = 32768  # in one block: large enough to hide numpy's cost per call, small enough for the cache


def _magic(ulp_exponent: int) -> float:
    """Return the constant whose own last place is 2**ulp_exponent, so that adding it rounds there."""
    return 1.5 * 2.0 ** (52 + ulp_exponent)


_COS_MAGIC: Final = (_magic(-33), _magic(-28))  # results in [2**-10, 2**-9) and [2**-5, 2**-4)
_SIN_MAGIC: Final = (_magic(-30), _magic(-26))  # results in [2**-7, 2**-6) and [2**-3, 2**-2)


class _Scratch:
    """The buffers of one block, made once a call: fresh pages cost more than the arithmetic on them."""

    __slots__ = (
        "cos",
        "count",
        "double",
        "exponent",
        "log",
        "sin",
        "square",
        "square_double",
        "whole",
        "x",
        "x_double",
    )

    def __init__(self, pairs: int) -> None:
        self.count: NDArray[np.int32] = np.empty(pairs, np.int32)
        self.whole: NDArray[np.int32] = np.empty(pairs, np.int32)
        self.x, self.square, self.log, self.sin, self.cos, self.exponent = np.empty((6, pairs), np.float32)
        self.double, self.x_double, self.square_double = np.empty((3, pairs), np.float64)

    def first(self, pairs: int) -> _Scratch:
        """Return a view of the first ``pairs`` places, for the last block."""
        part = object.__new__(_Scratch)
        for name in self.__slots__:
            setattr(part, name, getattr(self, name)[:pairs])
        return part


def from_words(words: NDArray[np.uint32], mean: float, std: float) -> Floats:
    """Return normals made of 32-bit words, as many as there are words; their number is a multiple of 16."""
    rows = words.reshape(-1, 2, 8)
    out = np.empty(rows.shape, np.float32)
    step = _PAIRS // 8
    scratch = _Scratch(min(_PAIRS, words.size // 2))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        block = scratch if len(part) * 8 == scratch.x.size else scratch.first(len(part) * 8)
        _radius(block, part[:, 0])
        _angle(block, part[:, 1])
        target = out[start : start + step]
        np.multiply(block.log, block.cos, out=block.cos)
        np.multiply(block.log, block.sin, out=block.sin)
        target[:, 0] = block.cos.reshape(-1, 8)
        target[:, 1] = block.sin.reshape(-1, 8)
    flat = out.reshape(-1)
    mean32, std32 = np.float32(mean), np.float32(std)
    if std32 == 1:
        flat += mean32  # with a mean of 0 this is what turns -0 into 0
        return flat
    scaled = flat.astype(np.float64)
    scaled *= float(std32)
    scaled += float(mean32)
    flat[...] = scaled
    return flat


def _radius(s: _Scratch, words: NDArray[np.uint32]) -> None:
    """Leave sqrt(-2 log(1 - u)) in ``s.log``, where u is the word's low 24 bits as a fraction."""
    x, y, square, exponent, wide = s.x, s.log, s.square, s.exponent, s.double
    bits: NDArray[np.int32] = x.view(np.int32)
    np.bitwise_and(words, _LOW_24, out=s.count.view(np.uint32).reshape(-1, 8))
    x[...] = s.count
    np.subtract(_RADIX, x, out=x)
    # x = 2**(count) * m with m in [sqrt(1/2), sqrt(2)); the integer was 2**24 times the fraction.
    np.subtract(bits, _SQRT_HALF_BITS, out=s.count)
    s.count >>= 23
    exponent[...] = s.count
    exponent -= np.float32(24)
    s.count <<= 23
    bits -= s.count
    x -= _ONE
    s.x_double[...] = x
    np.multiply(x, x, out=square)
    np.multiply(s.x_double, _LOG[0], out=wide)
    wide += _LOG[1]
    y[...] = wide
    for coefficient in _LOG[2:]:
        wide[...] = y
        wide *= s.x_double
        wide += coefficient
        y[...] = wide
    y *= x
    wide[...] = y
    s.square_double[...] = square
    wide *= s.square_double
    np.multiply(exponent, _LN2_LOW, out=s.sin)
    s.square_double[...] = s.sin
    wide += s.square_double
    y[...] = wide
    square *= _HALF
    y -= square
    y += x
    exponent *= _LN2_HIGH  # nine bits times five: exact, so the sum below is the fused one
    y += exponent
    y *= _MINUS_TWO
    np.sqrt(y, out=y)


def _angle(s: _Scratch, words: NDArray[np.uint32]) -> None:
    """Leave the cosine and sine of 2 pi u in ``s.cos`` and ``s.sin``."""
    x, square, sin, cos, wide, z = s.x, s.square, s.sin, s.cos, s.double, s.square_double
    np.bitwise_and(words, _LOW_24, out=s.count.view(np.uint32).reshape(-1, 8))
    x[...] = s.count
    x *= _ANGLE
    np.multiply(x, _FOUR_OVER_PI, out=square)
    octant = s.whole
    octant[...] = square
    octant += 1
    octant &= -2
    square[...] = octant
    for part in (_REDUCE_1, _REDUCE_2):  # few bits times an octant: exact products
        np.multiply(square, part, out=sin)
        x += sin
    wide[...] = square
    wide *= _REDUCE[2]
    s.x_double[...] = x
    wide += s.x_double
    x[...] = wide
    s.x_double[...] = x
    np.multiply(x, x, out=square)
    z[...] = square
    _short_polynomial(wide, z, _COS, _COS_MAGIC)
    cos[...] = wide
    wide[...] = cos
    wide -= 0.5
    wide *= z
    cos[...] = wide
    cos += _ONE
    _short_polynomial(wide, z, _SIN, _SIN_MAGIC)
    sin[...] = wide
    wide[...] = sin
    wide += 1.0
    wide *= s.x_double
    sin[...] = wide
    _unfold(octant, s.count, s.x.view(np.int32), sin.view(np.int32), cos.view(np.int32))


def _short_polynomial(y: Doubles, z: Doubles, coefficients: tuple[float, ...], magic: tuple[float, float]) -> None:
    """Leave round(round(c0 z + c1) z + c2) z, unrounded, in ``y``."""
    np.multiply(z, coefficients[0], out=y)
    y += coefficients[1] + magic[0]
    y -= magic[0]
    y *= z
    y += coefficients[2] + magic[1]
    y -= magic[1]
    y *= z


def _unfold(octant: Any, mask: Any, moved: Any, sin: Any, cos: Any) -> None:
    """Exchange sine and cosine and set their signs by the octant, all on the bits of the floats."""
    np.left_shift(octant, 30, out=mask)
    mask >>= 31
    np.bitwise_xor(sin, cos, out=moved)
    moved &= mask
    sin ^= moved
    cos ^= moved
    np.left_shift(octant, 29, out=mask)
    mask &= _SIGN
    sin ^= mask
    octant += 2
    octant <<= 29
    octant &= _SIGN
    cos ^= octant
