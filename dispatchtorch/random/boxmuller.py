"""Box and Muller's transform in single precision, rounded step for step as torch rounds it: equal to the last bit.

torch evaluates Cephes' short polynomials with fused multiply-adds. NumPy has no such step, so each one is taken in
double precision, where the product of two floats is exact, and rounded to a float: by a cast, or, where the results of
a step lie in two neighbouring binades, by adding a large constant and taking it off again (`_rounding`). Every other
operation is rounded once, too, so the bits depend on no library; that they are those of the plain sequence of steps
was checked for all 2**24 words ([why](../../docs/adr/0018-normals-step-for-step.md)).

It knows words of 24 random bits and arrays. It must not know engines, dtypes' names or tensors.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "fill", "from_words"]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


# All numbers are arrays without dimensions: beside a Python number a ufunc spends longer than on a block of the cache.
def _single(*values: float) -> tuple[float, ...]:
    return tuple([float(np.float32(value)) for value in values])


def _whole(value: int) -> Any:
    return np.array(value, np.int32)


# Cephes' coefficients of logf, sinf and cosf.
_LOG: Final = _single(
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
_SIN: Final = _single(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COS: Final = _single(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_QUARTER: Final = np.array(2 * math.fsum(_single(-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)))
# -pi/2 in three parts: their sum, and its products with whole quarters, are exact


def _float(value: float | np.float32) -> Floats:
    return np.array(value, np.float32)


_ANGLE: Final = _float(np.float32(2 * math.pi) * np.float32(2.0**-24))  # scales by a power of two: still exact
_ONE: Final = _float(1)
_DOUBLE_ONE, _DOUBLE_HALF = np.array(1.0), np.array(0.5)
_LOW_24: Final = _whole(0xFF_FFFF)
_EIGHTH, _W9, _W22, _W31, _W8, _SIGN = [_whole(i) for i in (1 << 21, 9, 22, 31, 8, -(2**31))]

# The logarithm is computed 2**24 times too large, from integers, which saves bringing them to [0, 1).
_RADIX: Final = _float(2**24)
_EXPONENT: Final = _whole(-(2**23))
_SQRT_HALF_BITS: Final = _whole(0x3F3504F3 + (24 << 23))
_LN2_LOW: Final = _float(np.float32(-2.12194440e-4) * 2)  # beside exponents that are 2**23 times too large
_LN2_HIGH: Final = _float(0.693359375 * 2)
_HALF_SQUARE: Final = _float(2.0**-25)
_MINUS_TWO: Final = _float(-2 * 2.0**-24)

_EIGHT: Final = np.dtype((np.void, 32))  # eight words or floats, which alternate: radii and angles
BLOCK: Final = 1 << 14  # words at a time: enough to hide numpy's cost per call, few enough for the cache


def _rounding(least: float, most: float, scale: float = 1.0) -> float:
    """Return the constant that rounds a sum in [least, most] to a float's 24 bits where it is added and taken off.

    Both ends have one sign and lie in one binade or in two neighbouring ones, [b/2, b) and [b, 2b). Beside the constant
    2**53 u - b, where u is the last place of a float in the lower binade, a sum under b stays under 2**53 u and is
    rounded to u, and one from b on passes it and is rounded to 2u: halves go to the even neighbour, as they should.
    """
    low, high = sorted((abs(least), abs(most)))
    bottom, top = math.frexp(low)[1], math.frexp(high)[1]  # low is in [2**(bottom - 1), 2**bottom)
    assert top - bottom <= 1
    edge = 2.0**bottom  # b; u is 2**-24 b
    return math.copysign((2.0**29 - 1.0) * edge, least) * scale


def _horner(coefficients: tuple[float, ...], low: float, high: float, *, step: float, last: float) -> list[Doubles]:
    """Return the first coefficient, then what each step of Horner's rule adds and takes off; arguments in [low, high].

    Arguments come ``step`` times too large, and the last result leaves ``last`` times too large.
    """
    scales = [last * step ** -(len(coefficients) - 1 - i) for i in range(len(coefficients))]
    ends = [coefficients[0], coefficients[0]]
    steps = [np.array(coefficients[0] * scales[0])]
    for value, scale in zip(coefficients[1:], scales[1:]):
        ends = [ends[0] * low + value, ends[1] * high + value]
        constant = _rounding(ends[0], ends[1], scale)
        steps += [np.array(value * scale + constant), np.array(constant)]
    return steps


_LOG_FIRST, *_LOG_STEPS = _horner(_LOG, math.sqrt(0.5) - 1, math.sqrt(2) - 1, step=2.0**24, last=2.0**-48)
_COS_FIRST, *_COS_STEPS = _horner(_COS, 0.0, 0.6169, step=1.0, last=1.0)
_SIN_FIRST, *_SIN_STEPS = _horner(_SIN, 0.0, 0.6169, step=1.0, last=1.0)


class _Scratch:
    """The buffers of one block, made once a call: fresh pages cost more than the arithmetic on them."""

    __slots__ = ("cos", "count", "double", "log", "sin", "square", "whole", "wide_square", "x", "x_double")

    def __init__(self, pairs: int) -> None:
        self.count, self.whole = np.empty((2, pairs), np.int32)
        self.x, self.square, self.log, self.sin, self.cos = np.empty((5, pairs), np.float32)
        self.double, self.x_double, self.wide_square = np.empty((3, pairs), np.float64)

    def first(self, pairs: int) -> _Scratch:
        """Return a view of the first ``pairs`` places, for the last block."""
        part = object.__new__(_Scratch)
        for name in self.__slots__:
            setattr(part, name, getattr(self, name)[:pairs])
        return part


def from_words(words: NDArray[np.uint32], mean: float, std: float) -> Floats:
    """Return normals made of 32-bit words, as many as there are words; their number is a multiple of 16."""
    out = np.empty(words.size, np.float32)
    fill(out, (words[start : start + BLOCK] for start in range(0, words.size, BLOCK)), mean, std)
    return out


def fill(out: Floats, blocks: Iterable[NDArray[np.uint32]], mean: float, std: float) -> None:
    """Fill a vector with normals made of blocks of words, each of which has `BLOCK` words or fewer, in sixteens."""
    scratch = _Scratch(min(BLOCK, out.size) // 2)
    start = 0
    for words in blocks:
        drawn = words.view(_EIGHT).reshape(-1, 2)
        target = out[start : start + words.size].view(_EIGHT).reshape(-1, 2)
        start += words.size
        block = scratch if words.size == 2 * scratch.x.size else scratch.first(words.size // 2)
        eights = block.count.view(_EIGHT)
        eights[...] = drawn[:, 0]
        _radius(block)
        eights[...] = drawn[:, 1]
        _angle(block)
        for place, numbers in enumerate((block.cos, block.sin)):
            numbers *= block.log
            if std == 1:
                numbers += np.float32(mean)  # with a mean of 0 this is what turns -0 into 0
            else:
                block.double[...] = numbers
                block.double *= float(np.float32(std))
                block.double += float(np.float32(mean))
                numbers[...] = block.double
            target[:, place] = numbers.view(_EIGHT)


def _radius(s: _Scratch) -> None:
    """Leave sqrt(-2 log(1 - u)) in ``s.log``, where u is the low 24 bits of the words in ``s.count`` as a fraction."""
    x, y, square, exponent, wide, whole = s.x, s.log, s.square, s.sin, s.double, s.whole
    bits: NDArray[np.int32] = x.view(np.int32)
    s.count &= _LOW_24
    x[...] = s.count
    np.subtract(_RADIX, x, x)
    # 1 - u = 2**exponent * m with m in [sqrt(1/2), sqrt(2)); x is to be m - 1, and is 2**24 times that
    np.subtract(bits, _SQRT_HALF_BITS, whole)
    whole &= _EXPONENT
    exponent[...] = whole
    bits -= whole
    x -= _RADIX
    s.x_double[...] = x
    np.multiply(x, x, square)
    _polynomial(wide, s.x_double, _LOG_FIRST, _LOG_STEPS)
    y[...] = wide
    y *= x
    wide[...] = y
    s.x_double[...] = square
    wide *= s.x_double
    np.multiply(exponent, _LN2_LOW, y)
    s.x_double[...] = y
    wide += s.x_double
    y[...] = wide
    square *= _HALF_SQUARE
    y -= square
    y += x
    exponent *= _LN2_HIGH  # nine bits times five: exact, so the sum below is the fused one
    y += exponent
    y *= _MINUS_TWO
    np.sqrt(y, y)


def _angle(s: _Scratch) -> None:
    """Leave cosine and sine of 2 pi u, u from the words in ``s.count``, in ``s.cos`` and ``s.sin``.

    The sign that they share is given to ``s.log``, which both are going to be multiplied by.
    """
    x, square, sin, cos, wide, angle, quarter = s.x, s.square, s.sin, s.cos, s.double, s.x_double, s.whole
    s.count &= _LOW_24
    x[...] = s.count
    x *= _ANGLE
    s.count += _EIGHTH  # from here on bits 22 to 24 are the quarter of the circle, whose middle is at angle 0
    np.right_shift(s.count, _W22, quarter)
    wide[...] = quarter
    wide *= _QUARTER
    angle[...] = x
    angle += wide
    x[...] = angle
    angle[...] = x
    np.multiply(x, x, square)
    z = s.wide_square
    z[...] = square
    _polynomial(wide, z, _COS_FIRST, _COS_STEPS)
    cos[...] = wide
    cos *= square
    wide[...] = cos
    wide -= _DOUBLE_HALF
    wide *= z
    cos[...] = wide
    cos += _ONE
    _polynomial(wide, z, _SIN_FIRST, _SIN_STEPS)
    sin[...] = wide
    sin *= square
    wide[...] = sin
    wide += _DOUBLE_ONE
    wide *= angle
    sin[...] = wide
    _unfold(s.count, quarter, x.view(np.int32), s.log.view(np.int32), sin.view(np.int32), cos.view(np.int32))


def _polynomial(y: Doubles, x: Doubles, first: Doubles, steps: list[Doubles]) -> None:
    """Leave Horner's polynomial of ``x`` in ``y``, each step rounded to a float."""
    np.multiply(x, first, y)
    y += steps[0]
    y -= steps[1]
    for i in range(2, len(steps), 2):
        y *= x
        y += steps[i]
        y -= steps[i + 1]


def _unfold(count: Any, odd: Any, moved: Any, radius: Any, sin: Any, cos: Any) -> None:
    """Exchange sine and cosine in odd quarters and set signs, all on the bits of the floats."""
    np.left_shift(count, _W9, out=odd)
    odd >>= _W31
    np.bitwise_xor(sin, cos, out=moved)
    moved &= odd
    sin ^= moved
    odd &= _SIGN
    moved ^= odd
    cos ^= moved
    count <<= _W8
    count &= _SIGN
    radius ^= count
