"""Elementwise kernels with in-place buffers, small powers without `pow`, and integer division that notices zeros.

What may warn (a division by 0 that is to be inf) is hidden by the backend's filter; kernels here are not wrapped again.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy._core.umath import clip as _clip  # type: ignore[attr-defined]  # not in the stubs: the ufunc of np.clip

from dispatchtorch.plugin.numpylike.special import erf as exact_erf
from dispatchtorch_numpy.kernels.bare import bare
from dispatchtorch_numpy.kernels.blocks import blocked, numbers, scratch_blocked
from dispatchtorch_numpy.kernels.halves import in_float32, truncated_division

__all__ = ["KERNELS", "normal_parts"]

_FLOAT32: Final = np.dtype(np.float32)
_ARRAY: Final = np.ndarray
_ZEROS: Final = {np.dtype(c): np.zeros((), c) for c in "fd"}
_SMALL: Final = 1024

# erf(x / sqrt(2)) is the tanh of x B (x^2 + A + G / (x^2 + C + D / (x^2 + E))) to 1.1e-7: a fit to 40 digits, least
# in its largest error. numpy's float32 tanh is vectorised, and steps with a number cost half of steps with an array.
_BELL_ARGUMENT: Final = (
    65.23506754925278, -146.9692615823749, -23.606256254461425, 1383.4215449118192, 45.323225833241025,
    0.018138644078139594,
)  # fmt: skip
# atanh(erf(x)) / x in x*x, for x*x <= 11: erf is the tanh of an odd polynomial to 1e-7; beyond, tanh is 1 anyway.
_ARGUMENT: Final = (
    1.128379274394103, 0.1027690534820784, -0.00019182231538733045, -0.0006197946357562112, 8.764203185245765e-05,
    -5.669392992383467e-06, 1.4191293885262217e-07,
)  # fmt: skip
_LAST_SQUARE: Final = 11.0
_ROOT_HALF: Final = math.sqrt(0.5)
_BELL: Final = 1 / math.sqrt(2 * math.pi)
_BETA, _KAPPA = math.sqrt(2 / math.pi), 0.044715


def _horner(coefficients: tuple[float, ...], x: Any, out: Any) -> None:
    np.multiply(x, coefficients[-1], out=out)
    for c in coefficients[-2:0:-1]:
        np.add(out, c, out=out)
        np.multiply(out, x, out=out)
    np.add(out, coefficients[0], out=out)


def _erf(a: Any, out: Any, s: Any) -> None:
    if out.dtype != _FLOAT32:
        out[...] = exact_erf(np, a)
        return
    np.multiply(a, a, out=s)
    _clip(s, 0.0, _LAST_SQUARE, out=s)
    _horner(_ARGUMENT, s, out)
    np.multiply(out, a, out=out)
    np.tanh(out, out=out)


def _one_and_exp_of_minus(a: Any, out: Any) -> Any:
    """Writes ``1 + exp(-a)`` into ``out``; returns 1."""
    one, two = numbers(out.dtype, 1, 2)
    np.negative(a, out)
    if out.dtype is _FLOAT32:
        np.expm1(out, out)  # the quicker of the two, and as exact here: where it is near -1 the sum is near 1
        np.add(out, two, out)
    else:
        np.exp(out, out)
        np.add(out, one, out)
    return one


def _sigmoid(a: Any, out: Any) -> None:
    one = _one_and_exp_of_minus(a, out)
    np.divide(one, out, out)


def _sigmoid_backward(g: Any, y: Any, out: Any) -> None:
    np.subtract(1, y, out=out)
    np.multiply(out, y, out=out)
    np.multiply(out, g, out=out)


def _tanh_backward(g: Any, y: Any, out: Any) -> None:
    np.multiply(y, y, out=out)
    np.subtract(1, out, out=out)
    np.multiply(out, g, out=out)


def _silu(a: Any, out: Any) -> None:
    _one_and_exp_of_minus(a, out)
    np.divide(a, out, out)


def _silu_backward(g: Any, a: Any, out: Any, s: Any) -> None:
    _sigmoid(a, s)
    np.subtract(1, s, out=out)
    np.multiply(out, a, out=out)
    np.add(out, 1, out=out)
    np.multiply(out, s, out=out)
    np.multiply(out, g, out=out)


def _gelu_exact(a: Any, out: Any, s: Any) -> None:
    one, half = numbers(out.dtype, 1, 0.5)
    if out.dtype is _FLOAT32:
        _bell(a, out, s)
    else:
        np.multiply(a, _ROOT_HALF, out)
        out[...] = exact_erf(np, out)
    np.add(out, one, out)
    np.multiply(out, a, out)
    np.multiply(out, half, out)


def _bell(a: Any, out: Any, s: Any) -> None:
    """Writes ``erf(a / sqrt(2))`` of float32 into ``out``, without an end: tanh is 1 where the argument is infinite."""
    above, upper, middle, lower, below, scale = numbers(_FLOAT32, *_BELL_ARGUMENT)
    np.square(a, s)
    np.add(s, below, out)
    np.divide(lower, out, out)
    np.add(out, s, out)
    np.add(out, middle, out)
    np.divide(upper, out, out)
    np.add(out, s, out)
    np.add(out, above, out)
    np.multiply(out, a, out)
    np.multiply(out, scale, out)
    np.tanh(out, out)


def normal_parts(a: Any, share: Any, s: Any) -> None:
    """Writes the share of the normal distribution below ``a`` into ``share``, ``a`` times its density into ``s``."""
    one, half, minus, bell = numbers(a.dtype, 1, 0.5, -0.5, _BELL)
    if a.dtype is _FLOAT32:
        _bell(a, share, s)
    else:
        np.multiply(a, _ROOT_HALF, share)
        share[...] = exact_erf(np, share)
    np.add(share, one, share)
    np.multiply(share, half, share)
    np.square(a, s)
    np.multiply(s, minus, s)
    np.exp(s, s)
    np.multiply(s, bell, s)
    np.multiply(s, a, s)


def _gelu_exact_backward(g: Any, a: Any, out: Any, s: Any) -> None:
    normal_parts(a, out, s)
    np.add(out, s, out)
    np.multiply(out, g, out)


def _gelu_tanh(a: Any, out: Any) -> None:
    one, half, beta, cubic = numbers(out.dtype, 1, 0.5, _BETA, _BETA * _KAPPA)
    np.square(a, out)
    np.multiply(out, cubic, out)
    np.add(out, beta, out)
    np.multiply(out, a, out)
    np.tanh(out, out)
    np.add(out, one, out)
    np.multiply(out, a, out)
    np.multiply(out, half, out)


def _gelu_tanh_backward(g: Any, a: Any, out: Any, s: Any, t: Any) -> None:
    np.multiply(a, a, out=s)
    np.multiply(s, _BETA * _KAPPA, out=t)
    np.add(t, _BETA, out=t)
    np.multiply(t, a, out=t)
    np.tanh(t, out=t)
    np.multiply(s, 3 * _KAPPA * _BETA, out=s)
    np.add(s, _BETA, out=s)
    np.multiply(s, a, out=s)
    np.multiply(t, t, out=out)
    np.subtract(1, out, out=out)
    np.multiply(out, s, out=out)
    np.add(out, t, out=out)
    np.add(out, 1, out=out)
    np.multiply(out, 0.5, out=out)
    np.multiply(out, g, out=out)


_gelus: Final = {"none": scratch_blocked(1, _gelu_exact), "tanh": blocked(_gelu_tanh)}
_gelu_backwards: Final = {
    "none": scratch_blocked(1, _gelu_exact_backward),
    "tanh": scratch_blocked(2, _gelu_tanh_backward),
}


@bare
def gelu(a: Any, approximate: str) -> Any:
    """Returns gelu; of half precision computed in float32."""
    if a.dtype.itemsize == 2:
        return _gelus[approximate](a.astype(np.float32)).astype(a.dtype)
    return _gelus[approximate](a)


@bare
def gelu_backward(g: Any, a: Any, approximate: str) -> Any:
    """Returns gelu's gradient; of half precision computed in float32."""
    if a.dtype.itemsize == 2:
        return _gelu_backwards[approximate](g.astype(np.float32), a.astype(np.float32)).astype(a.dtype)
    return _gelu_backwards[approximate](g, a)


@bare
def relu(a: Any) -> Any:
    """Returns the values, negative ones replaced by 0."""
    if a.size > _SMALL and a.dtype.kind == "f":
        return _clip(a, 0.0, np.inf)
    zero = _ZEROS.get(a.dtype)
    return np.maximum(a, 0 if zero is None else zero, out=...)


@bare
def clamp(a: Any, low: Any, high: Any) -> Any:
    """Returns the values between two bounds, either of which may be missing."""
    if a.dtype.kind == "f" and type(low) is not _ARRAY and type(high) is not _ARRAY:
        bottom, top = -np.inf if low is None else low, np.inf if high is None else high
        if bottom <= top:
            return _clip(a, bottom, top, out=...)
    if low is None:
        return np.minimum(a, high, out=...)
    out = np.maximum(a, low, out=...)
    if high is None:
        return out
    return np.minimum(out, high, out=out if type(high) is not _ARRAY or high.shape == () else ...)


@bare
def rsqrt(a: Any) -> Any:
    """Returns reciprocal square roots."""
    out = np.sqrt(a, out=...)
    return np.reciprocal(out, out=out)


@bare
def power(a: Any, b: Any) -> Any:
    """Returns powers; the usual numbers without `pow`, negative integer powers of integers as torch has them."""
    kind = type(b)
    if kind is not _ARRAY and type(a) is _ARRAY:
        if b == 2:
            return np.multiply(a, a, out=...)
        if b == 1:
            return np.positive(a, out=...)
        if a.dtype.kind in "fc":
            if b == 3:
                return np.multiply(np.multiply(a, a), a, out=...)
            if b == 0.5:
                return np.sqrt(a, out=...)
            if b == -1:
                return np.reciprocal(a, out=...)
            if b == -0.5:
                return rsqrt(a)
            if b == 4:
                square = np.multiply(a, a)
                return np.multiply(square, square, out=...)
            if b == -2:
                return np.reciprocal(np.multiply(a, a), out=...)
        elif a.dtype.kind == "V":  # bfloat16
            if b == 3:
                return np.multiply(np.multiply(a, a), a, out=...)
            return in_float32(np.power, a, b, rounded=True)
        return np.power(a, b, out=...)
    if kind is _ARRAY and type(a) is not _ARRAY and b.dtype.kind == "V":
        return in_float32(np.power, a, b, rounded=True)
    if kind is _ARRAY and b.dtype.kind == "i" and np.any(b < 0):
        below = b < 0
        up = np.power(a, np.where(below, 0, b))
        odd = np.where(b % 2 == 0, 1, a)
        return np.asarray(np.where(below, np.where(a == 1, 1, np.where(a == -1, odd, 0)), up)).astype(b.dtype)
    return np.power(a, b, out=...)


@bare
def reverse_subtract(a: Any, b: Any) -> Any:
    """Returns ``b - a``."""
    if type(b) is not _ARRAY and a.dtype.kind == "V":  # a Python number would widen bfloat16
        b = np.asarray(b, a.dtype)
    return np.subtract(b, a, out=...)


def _checked_division(function: Any) -> Any:
    """Returns an integer division that raises torch's error for a zero divisor."""

    quotient = function is np.floor_divide

    @bare
    def divide(a: Any, b: Any) -> Any:
        dtype = (a if type(a) is _ARRAY else b).dtype
        if dtype is _FLOAT32:
            return function(a, b, out=...)
        if dtype.kind in "iu":
            if not (b.all() if type(b) is _ARRAY else b):
                raise RuntimeError("ZeroDivisionError")
        elif dtype.itemsize == 2:
            return in_float32(function, a, b, rounded=not quotient)
        return function(a, b, out=...)

    divide.__name__ = function.__name__
    return divide


_floor_divide: Final = _checked_division(np.floor_divide)


@bare
def div_trunc(a: Any, b: Any) -> Any:
    """Returns the quotient rounded towards zero."""
    dtype = (a if type(a) is _ARRAY else b).dtype
    if dtype.itemsize == 2 and dtype.kind not in "iu":
        if type(a) is _ARRAY and type(b) is _ARRAY and b.ndim:
            return np.trunc(in_float32(np.divide, a, b, rounded=True))  # PyTorch rounds the quotient of arrays first
        return in_float32(truncated_division, a, b, rounded=False)
    if dtype.kind == "f":
        out = np.divide(a, b, out=...)
        return np.trunc(out, out=out)
    down = _floor_divide(a, b)
    return np.add(down, (down < 0) & (down * b != a), out=..., dtype=down.dtype, casting="unsafe")


KERNELS: Final = {
    "sigmoid": bare(blocked(_sigmoid)),
    "_sigmoid_backward": bare(blocked(_sigmoid_backward)),
    "_tanh_backward": bare(blocked(_tanh_backward)),
    "_silu": bare(blocked(_silu)),
    "_silu_backward": bare(scratch_blocked(1, _silu_backward)),
    "erf": bare(scratch_blocked(1, _erf)),
    "_gelu": gelu,
    "_gelu_backward": gelu_backward,
    "relu": relu,
    "_clamp": clamp,
    "rsqrt": rsqrt,
    "_rsub": reverse_subtract,
    "_pow": power,
    "_pow_number": power,
    "_pow_base": power,
    "_div_floor": _floor_divide,
    "_floor_divide": _floor_divide,
    "_div_trunc": div_trunc,
    "remainder": _checked_division(np.remainder),
    "fmod": _checked_division(np.fmod),
}
