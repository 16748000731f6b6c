"""Elementwise kernels that have no function of their own in a namespace: compositions, free of branches on values."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from dispatchtorch.plugin.numpylike import kernel
from dispatchtorch.plugin.numpylike.halves import in_float32
from dispatchtorch.plugin.numpylike.special import erf

__all__: list[str] = []


def _is_float(xp: Any, a: Any) -> bool:
    return not (xp.issubdtype(a.dtype, xp.integer) or a.dtype == xp.bool_)  # bfloat16 is no subtype of numpy's inexact


@lru_cache(maxsize=64)
def is_complex(dtype: Any) -> bool:
    """Returns whether a native dtype is complex64 or complex128."""
    return str(dtype).startswith("complex")


def complex_logaddexp(xp: Any, a: Any, b: Any) -> Any:
    """Returns ``log(exp(a) + exp(b))`` of complex numbers; what lies lower is added to what lies higher."""
    above = xp.real(a) >= xp.real(b)
    top, low = xp.where(above, a, b), xp.where(above, b, a)
    same = xp.isinf(xp.real(top)) & (xp.real(top) == xp.real(low))  # their difference is not a number
    infinite = xp.where(xp.real(top) < 0, low, xp.log(xp.exp(top) + xp.exp(low)))
    return xp.where(same, infinite, top + xp.log1p(xp.exp(low - top)))


@kernel
def logaddexp(xp: Any, a: Any, b: Any) -> Any:
    return complex_logaddexp(xp, a, b) if is_complex(a.dtype) else xp.logaddexp(a, b)


@kernel
def _complex(xp: Any, a: Any, b: Any) -> Any:
    pairs = xp.stack([a, b], axis=-1)
    return xp.reshape(pairs.view("complex128" if a.dtype == xp.float64 else "complex64"), a.shape)


@kernel
def _pow(xp: Any, a: Any, b: Any) -> Any:
    if not xp.issubdtype(b.dtype, xp.integer):
        return xp.power(a, b)
    below = b < 0  # of whole numbers only 1 and -1 have whole powers there; others give 0
    up = xp.power(a, xp.where(below, xp.zeros_like(b), b))
    one, odd = xp.ones_like(a), xp.where(b % 2 == 0, xp.ones_like(a), a)
    down = xp.where(a == 1, one, xp.where(a == -1, odd, xp.zeros_like(a)))
    return xp.where(below, down, up)


@kernel
def _zeros(xp: Any, a: Any) -> Any:
    return xp.zeros_like(a)


@kernel
def _rsub(xp: Any, a: Any, b: Any) -> Any:
    return xp.subtract(b, a)


@kernel
def _div_trunc(xp: Any, a: Any, b: Any) -> Any:
    quotient = xp.true_divide(a, b)
    if _is_float(xp, quotient) and _is_float(xp, a):
        return xp.trunc(quotient)
    down = xp.floor_divide(a, b)
    return down + ((down < 0) & (down * b != a)).astype(down.dtype)


@kernel
def reciprocal(xp: Any, a: Any) -> Any:
    return xp.reciprocal(a)


@kernel
def rsqrt(xp: Any, a: Any) -> Any:
    return xp.reciprocal(xp.sqrt(a))


def _wide(xp: Any, a: Any) -> Any:
    """Returns half precision in float32, in which PyTorch computes what has several steps; anything else as it is."""
    return a.astype(xp.float32) if getattr(a, "dtype", None) is not None and _is_half(xp, a) else a


def _is_half(xp: Any, a: Any) -> bool:
    return bool(a.dtype.itemsize == 2 and _is_float(xp, a))


@kernel
def _addcmul(xp: Any, a: Any, b: Any, c: Any, value: Any) -> Any:
    if _is_half(xp, a):
        return (_wide(xp, a) + value * _wide(xp, b) * _wide(xp, c)).astype(a.dtype)
    return a + (value * b).astype(b.dtype) * c


@kernel
def _addcdiv(xp: Any, a: Any, b: Any, c: Any, value: Any) -> Any:
    if _is_half(xp, a):
        return (_wide(xp, a) + value * _wide(xp, b) / _wide(xp, c)).astype(a.dtype)
    return a + value * b / c


@kernel
def sign(xp: Any, a: Any) -> Any:
    return a | a if a.dtype == bool else xp.where(a != a, xp.zeros_like(a), xp.sign(a))


@kernel
def sgn(xp: Any, a: Any) -> Any:
    return xp.sign(a) if xp.issubdtype(a.dtype, xp.complexfloating) else sign(xp, a)


@kernel
def deg2rad(xp: Any, a: Any) -> Any:
    return a * (math.pi / 180)


@kernel
def rad2deg(xp: Any, a: Any) -> Any:
    return a * (180 / math.pi)


@kernel
def _clamp(xp: Any, a: Any, low: Any, high: Any) -> Any:
    if low is not None:
        a = xp.maximum(a, low)
    return a if high is None else xp.minimum(a, high)


@kernel
def floor(xp: Any, a: Any) -> Any:
    return xp.floor(a) if _is_float(xp, a) else a + 0


@kernel
def ceil(xp: Any, a: Any) -> Any:
    return xp.ceil(a) if _is_float(xp, a) else a + 0


@kernel
def trunc(xp: Any, a: Any) -> Any:
    return xp.trunc(a) if _is_float(xp, a) else a + 0


@kernel
def frac(xp: Any, a: Any) -> Any:
    return a - xp.trunc(a)


@kernel
def _round(xp: Any, a: Any) -> Any:
    return xp.rint(a) if _is_float(xp, a) else a + 0


@kernel
def _round_decimals(xp: Any, a: Any, decimals: int) -> Any:
    scale = 10.0 ** abs(decimals)
    return xp.rint(a * scale) / scale if decimals > 0 else xp.rint(a / scale) * scale


@kernel
def _nan_to_num(xp: Any, a: Any, nan: Any, posinf: Any, neginf: Any) -> Any:
    return xp.nan_to_num(a, nan=nan, posinf=posinf, neginf=neginf)


@kernel
def _lerp(xp: Any, a: Any, b: Any, weight: Any) -> Any:
    if _is_half(xp, a):
        return _lerp(xp, _wide(xp, a), _wide(xp, b), _wide(xp, weight)).astype(a.dtype)
    span = b - a
    near, far = a + weight * span, b - span * (1 - weight)
    return xp.where(xp.abs(weight) < 0.5, near, far)


@kernel
def _where(xp: Any, condition: Any, a: Any, b: Any) -> Any:
    return xp.where(condition, a, b)


@kernel
def _masked_fill(xp: Any, a: Any, mask: Any, value: Any) -> Any:
    return xp.where(mask, xp.asarray(value, dtype=a.dtype), a)


@kernel
def _masked_fill_tensor(xp: Any, a: Any, mask: Any, value: Any) -> Any:
    return xp.where(mask, value, a)


@kernel
def isposinf(xp: Any, a: Any) -> Any:
    return a == xp.inf


@kernel
def isneginf(xp: Any, a: Any) -> Any:
    return a == -xp.inf


@kernel
def signbit(xp: Any, a: Any) -> Any:
    return xp.signbit(a) if _is_float(xp, a) else a < 0


@kernel
def _angle(xp: Any, a: Any) -> Any:
    if xp.issubdtype(a.dtype, xp.complexfloating):
        return xp.angle(a)
    return xp.where(a != a, a, xp.where(a < 0, math.pi, 0.0)).astype(a.dtype)


# --- logistic and special --------------------------------------------------------------------------------------------


@kernel
def sigmoid(xp: Any, a: Any) -> Any:
    return 1 / (1 + xp.exp(-a))


@kernel
def _sigmoid_backward(xp: Any, g: Any, out: Any) -> Any:
    return g * ((1 - out) * out)


@kernel
def _tanh_backward(xp: Any, g: Any, out: Any) -> Any:
    return g * (1 - out * out)


@kernel
def _logit(xp: Any, a: Any, eps: float | None) -> Any:
    if eps is not None:
        a = xp.minimum(xp.maximum(a, eps), 1 - eps)
    return xp.log(a / (1 - a))


@kernel
def xlogy(xp: Any, a: Any, b: Any) -> Any:
    a, b = (xp.asarray(x, dtype=(a if hasattr(a, "dtype") else b).dtype) for x in (a, b))  # a number has no dtype
    product = a * xp.log(b)
    return xp.where((a == 0) & ~(b != b), xp.zeros_like(product), product)


@kernel
@in_float32
def sinc(xp: Any, a: Any) -> Any:
    angle = a * math.pi
    safe = xp.where(a == 0, xp.ones_like(angle), angle)
    return xp.where(a == 0, xp.ones_like(angle), xp.sin(safe) / safe)


# --- activations -----------------------------------------------------------------------------------------------------


@kernel
def relu(xp: Any, a: Any) -> Any:
    return xp.maximum(a, 0)


@kernel
def _relu_backward(xp: Any, g: Any, out: Any) -> Any:
    return xp.where(out <= 0, xp.zeros_like(g), g)


@kernel
def _gate(xp: Any, g: Any, a: Any, keep: Any) -> Any:
    return xp.where(keep, g, xp.zeros_like(g))


@kernel
def _leaky_relu(xp: Any, a: Any, slope: Any) -> Any:
    return xp.where(a > 0, a, a * slope)


@kernel
def _leaky_relu_backward(xp: Any, g: Any, a: Any, slope: Any) -> Any:
    return xp.where(a > 0, g, g * slope)


@kernel
def _prelu(xp: Any, a: Any, weight: Any) -> Any:
    return xp.where(a > 0, a, a * weight)


@kernel
def _threshold(xp: Any, a: Any, threshold: Any, value: Any) -> Any:
    return xp.where(a <= threshold, xp.asarray(value, dtype=a.dtype), a)


@kernel
def _hardtanh(xp: Any, a: Any, low: Any, high: Any) -> Any:
    return xp.minimum(xp.maximum(a, low), high)


@kernel
def _hardsigmoid(xp: Any, a: Any) -> Any:
    return xp.minimum(xp.maximum(a + 3, 0), 6) / 6


@kernel
def _hardswish(xp: Any, a: Any) -> Any:
    return a * xp.minimum(xp.maximum(a + 3, 0), 6) / 6


@kernel
def _hardshrink(xp: Any, a: Any, lambd: float) -> Any:
    return xp.where((a >= -lambd) & (a <= lambd), xp.zeros_like(a), a)


@kernel
def _softshrink(xp: Any, a: Any, lambd: float) -> Any:
    return xp.where(a > lambd, a - lambd, xp.where(a < -lambd, a + lambd, a * 0))


def _normal_share(xp: Any, a: Any) -> Any:
    return 0.5 * (1 + erf(xp, a * math.sqrt(0.5)))


@kernel
@in_float32
def _gelu(xp: Any, a: Any, approximate: str) -> Any:
    if approximate == "none":
        return a * _normal_share(xp, a)
    return 0.5 * a * (1 + xp.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a * a * a)))


@kernel
@in_float32
def _gelu_backward(xp: Any, g: Any, a: Any, approximate: str) -> Any:
    if approximate == "none":
        return g * (_normal_share(xp, a) + a * xp.exp(a * a * -0.5) * (1 / math.sqrt(2 * math.pi)))
    beta, kappa = math.sqrt(2 / math.pi), 0.044715
    t = xp.tanh(beta * (a + kappa * a * a * a))
    return g * (0.5 * (1 + t) + 0.5 * a * (1 - t * t) * (beta * (1 + 3 * kappa * a * a)))


@kernel
def _silu(xp: Any, a: Any) -> Any:
    return a / (1 + xp.exp(-a))


@kernel
def _silu_backward(xp: Any, g: Any, a: Any) -> Any:
    s = 1 / (1 + xp.exp(-a))
    return g * (s * (1 + a * (1 - s)))


@kernel
def _mish(xp: Any, a: Any) -> Any:
    return a * xp.tanh(xp.logaddexp(a, xp.zeros_like(a)))


@kernel
def _softplus(xp: Any, a: Any, beta: Any, threshold: Any) -> Any:
    z = a * beta
    if a.dtype.itemsize == 2:  # where exp(threshold) is out of reach
        return xp.where(z > threshold, a, (xp.maximum(z, 0) + xp.log1p(xp.exp(-xp.abs(z)))) / beta)
    return xp.where(z > threshold, a, xp.log1p(xp.exp(xp.minimum(z, threshold))) / beta)


@kernel
def _elu(xp: Any, a: Any, alpha: Any, scale: Any, input_scale: Any) -> Any:
    low = xp.expm1(xp.minimum(a, 0) * input_scale) * (alpha * scale)
    return xp.where(a <= 0, low, a * scale)


@kernel
def _celu(xp: Any, a: Any, alpha: Any) -> Any:
    return _elu(xp, a, alpha, 1.0, 1 / alpha)


@kernel
def _logsigmoid(xp: Any, a: Any) -> Any:
    return xp.minimum(a, 0) - xp.log1p(xp.exp(-xp.abs(a)))
