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


# All numbers are arrays without dimensions: beside a Python number a ufunc spends longer than on a block of the cache.
def _single(*values: float) -> tuple[Doubles, ...]:
    return tuple([np.array(np.float32(value), np.float64) for value in values])


def _whole(value: int) -> Any:
    return np.array(value, np.int32)


# Cephes' coefficients of logf, sinf and cosf.
_LOG: Final = _single(
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
_SIN: Final = _single(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COS: Final = _single(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_REDUCE: Final = _single(-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)  # -pi/4 in three parts


def _float(value: Any) -> Floats:
    return np.array(value, np.float32)


_ONE: Final = _float(1)
_HALF: Final = _float(0.5)
_MINUS_TWO: Final = _float(-2)
_LN2_LOW: Final = _float(-2.12194440e-4)
_LN2_HIGH: Final = _float(0.693359375)
_FOUR_OVER_PI: Final = _float(1.27323954473516)
_ANGLE: Final = _float(np.float32(2 * math.pi) * np.float32(2.0**-24))  # scales by a power of two: still exact
_REDUCE_1: Final = _float(_REDUCE[0])
_REDUCE_2: Final = _float(_REDUCE[1])
_DOUBLE_ONE, _DOUBLE_HALF = np.array(1.0), np.array(0.5)

_SQRT_HALF_BITS: Final = _whole(0x3F3504F3)
_SIGN: Final = _whole(-(2**31))
_W1, _W2, _EVEN, _W23, _W29, _W30, _W31 = [_whole(i) for i in (1, 2, -2, 23, 29, 30, 31)]
_LOW_24: Final = _whole(0xFF_FFFF)
_RADIX: Final = _float(2**24)
_BITS: Final = _float(24)

_EIGHT: Final = np.dtype((np.void, 32))  # eight words or floats, which alternate: radii and angles
_PAIRS: Final = 8192  # in one block: large enough to hide numpy's cost per call, small enough for the cache


def _magic(ulp_exponent: int) -> Doubles:
    """Return the constant whose own last place is 2**ulp_exponent, so that adding it rounds there."""
    return np.array(1.5 * 2.0 ** (52 + ulp_exponent))


def _steps(coefficients: tuple[Doubles, ...], *exponents: int) -> tuple[Doubles, ...]:
    """Return what a short polynomial multiplies by, adds and takes off again."""
    c0, c1, c2 = coefficients
    second, third = [_magic(e) for e in exponents]
    return c0, np.array(c1 + second), second, np.array(c2 + third), third


_COS_STEPS: Final = _steps(_COS, -33, -28)  # results in [2**-10, 2**-9) and [2**-5, 2**-4)
_SIN_STEPS: Final = _steps(_SIN, -30, -26)  # results in [2**-7, 2**-6) and [2**-3, 2**-2)


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
    flat = np.empty(words.size, np.float32)
    drawn, out = words.view(_EIGHT).reshape(-1, 2), flat.view(_EIGHT).reshape(-1, 2)
    step = _PAIRS // 8
    scratch = _Scratch(min(_PAIRS, words.size // 2))
    for start in range(0, len(drawn), step):
        part, target = drawn[start : start + step], out[start : start + step]
        block = scratch if len(part) * 8 == scratch.x.size else scratch.first(len(part) * 8)
        eights = block.count.view(_EIGHT)
        eights[...] = part[:, 0]
        _radius(block)
        eights[...] = part[:, 1]
        _angle(block)
        np.multiply(block.log, block.cos, block.cos)
        np.multiply(block.log, block.sin, block.sin)
        target[:, 0] = block.cos.view(_EIGHT)
        target[:, 1] = block.sin.view(_EIGHT)
    mean32, std32 = np.float32(mean), np.float32(std)
    if std32 == 1:
        flat += mean32  # with a mean of 0 this is what turns -0 into 0
        return flat
    scaled = flat.astype(np.float64)
    scaled *= float(std32)
    scaled += float(mean32)
    flat[...] = scaled
    return flat


def _radius(s: _Scratch) -> None:
    """Leave sqrt(-2 log(1 - u)) in ``s.log``, where u is the low 24 bits of the words in ``s.count`` as a fraction."""
    x, y, square, exponent, wide = s.x, s.log, s.square, s.exponent, s.double
    bits: NDArray[np.int32] = x.view(np.int32)
    s.count &= _LOW_24
    x[...] = s.count
    np.subtract(_RADIX, x, out=x)
    # x = 2**(count) * m with m in [sqrt(1/2), sqrt(2)); the integer was 2**24 times the fraction.
    np.subtract(bits, _SQRT_HALF_BITS, out=s.count)
    s.count >>= _W23
    exponent[...] = s.count
    exponent -= _BITS
    s.count <<= _W23
    bits -= s.count
    x -= _ONE
    s.x_double[...] = x
    np.multiply(x, x, out=square)
    np.multiply(s.x_double, _LOG[0], wide)
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


def _angle(s: _Scratch) -> None:
    """Leave the cosine and sine of 2 pi u, u from the words in ``s.count``, in ``s.cos`` and ``s.sin``."""
    x, square, sin, cos, wide, z = s.x, s.square, s.sin, s.cos, s.double, s.square_double
    s.count &= _LOW_24
    x[...] = s.count
    x *= _ANGLE
    np.multiply(x, _FOUR_OVER_PI, out=square)
    octant = s.whole
    octant[...] = square
    octant += _W1
    octant &= _EVEN
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
    _short_polynomial(wide, z, _COS_STEPS)
    cos[...] = wide
    wide[...] = cos
    wide -= _DOUBLE_HALF
    wide *= z
    cos[...] = wide
    cos += _ONE
    _short_polynomial(wide, z, _SIN_STEPS)
    sin[...] = wide
    wide[...] = sin
    wide += _DOUBLE_ONE
    wide *= s.x_double
    sin[...] = wide
    _unfold(octant, s.count, s.x.view(np.int32), sin.view(np.int32), cos.view(np.int32))


def _short_polynomial(y: Doubles, z: Doubles, steps: tuple[Doubles, ...]) -> None:
    """Leave round(round(c0 z + c1) z + c2) z, unrounded, in ``y``."""
    first, second, second_back, third, third_back = steps
    np.multiply(z, first, y)
    y += second
    y -= second_back
    y *= z
    y += third
    y -= third_back
    y *= z


def _unfold(octant: Any, mask: Any, moved: Any, sin: Any, cos: Any) -> None:
    """Exchange sine and cosine and set their signs by the octant, all on the bits of the floats."""
    np.left_shift(octant, _W30, out=mask)
    mask >>= _W31
    np.bitwise_xor(sin, cos, out=moved)
    moved &= mask
    sin ^= moved
    cos ^= moved
    np.left_shift(octant, _W29, out=mask)
    mask &= _SIGN
    sin ^= mask
    octant += _W2
    octant <<= _W29
    octant &= _SIGN
    cos ^= octant
