"""Activations as ops: their kernels, and their derivatives at the kinks as torch has them.

`torch.nn.functional` gives them torch's signatures; what is called here without an underscore is for it. Names of
nodes are torch's. Integers are refused where torch has no kernel for them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from dispatchtorch._base.dtypes import BOOL, COMPLEX, DType
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.op import MaskTensor
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, pointwise, primitive, with_out
from dispatchtorch.ops import refusals
from dispatchtorch.ops.angles import tanh
from dispatchtorch.ops.bounds import _clamp
from dispatchtorch.ops.choose import where
from dispatchtorch.ops.exponential import exp, sigmoid
from dispatchtorch.ops.pointwise import Number
from dispatchtorch.ops.samples import unary
from dispatchtorch.tensor.tensor import Tensor

_KEPT: Final = ("float32", "float64")  # what gelu's slope is kept in; half precision would round it
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def _floats(kernel: str) -> refusals.Check:
    return refusals.not_implemented(kernel, "bool", "integral", "complex")


def _inplace_of(entry: Any) -> Any:
    return entry.inplace


@pointwise(
    grad={"g_out": lambda g, input, keep: _gate(g, input, keep)}, node="ThresholdBackwardBackward0", inplace=False
)
def _gate(g_out: Tensor, input: Tensor, keep: MaskTensor) -> Tensor:
    """Returns a gradient where it passes, 0 elsewhere; it depends on ``input`` too, with a derivative of 0."""
    ...


# --- rectifiers ------------------------------------------------------------------------------------------------------


def _no_relu(keys: Any, common: DType) -> None:
    if common.category == BOOL:
        raise RuntimeError("Boolean inputs not supported for relu")
    if common.category == COMPLEX:
        raise NotImplementedError("clamp is not supported for complex types")


@pointwise(grad={"input": lambda g, other: _relu_backward(g, other)}, node="ThresholdBackwardBackward0", inplace=False)
def _relu_backward(input: Tensor, other: Tensor) -> Tensor:
    """Returns a gradient ``input`` where ``other``, the relu's result, is not 0."""
    ...


@pointwise(grad={"input": lambda g, out: _relu_backward(g, out)}, check=_no_relu, out=False, samples=unary())
def relu(input: Tensor) -> Tensor:
    """Returns the values, negative ones replaced by 0.

    >>> torch.relu(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    ...


@pointwise(
    grad={"input": lambda g, input, negative_slope: _leaky_relu_backward(g, input, negative_slope)},
    check=_floats("leaky_relu_cpu"),
)
def _leaky_relu(input: Tensor, negative_slope: Number) -> Tensor:
    """Returns the values, negative ones multiplied by the slope."""
    ...


@pointwise(
    grad={"g_out": lambda g, input, negative_slope: _leaky_relu_backward(g, input, negative_slope)},
    node="LeakyReluBackwardBackward0",
    inplace=False,
)
def _leaky_relu_backward(g_out: Tensor, input: Tensor, negative_slope: Number) -> Tensor:
    """Returns the gradient of `_leaky_relu`."""
    ...


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Returns the values, negative ones multiplied by the slope."""
    return _leaky_relu(input, negative_slope)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """The same in place."""
    return _inplace_of(_leaky_relu)(input, negative_slope)  # type: ignore[no-any-return]  # derived by the decorator


@pointwise(
    grad={
        "input": lambda g, input, weight: where(input > 0, g, g * weight),
        "weight": lambda g, input: where(input > 0, 0.0, g * input),
    },
    node="PreluKernelBackward0",
    inplace=False,
    check=_floats("prelu_cpu"),
)
def _prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Returns the values, negative ones multiplied by a weight that broadcasts."""
    ...


@composite(method=True)
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Returns the values, negative ones multiplied by ``weight``, one for all or one a channel (dimension 1).

    >>> torch.prelu(torch.tensor([-1.0, 2.0]), torch.tensor([0.25]))
    tensor([-0.2500,  2.0000])
    """
    if input._key.dtype is not weight._key.dtype:
        raise RuntimeError(
            f"prelu: Type promoting not supported. Got {_spoken(input)} and {_spoken(weight)}",
        )
    shape, count = tuple(input._a.shape), int(weight._a.size)
    if len(weight._a.shape) > 1:
        raise RuntimeError(
            f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {len(weight._a.shape)}"
        )
    if count != 1:
        if not shape:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = shape[1] if len(shape) > 1 else 1
        if channels != count:
            raise RuntimeError(
                f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {count} and channel "
                f"size = {channels}."
            )
    if len(weight._a.shape) == 1 and len(shape) != 1:
        weight = weight.reshape((1, count, *[1] * (len(shape) - 2)) if len(shape) > 1 else ())
    return _prelu(input, weight)


def _spoken(t: Tensor) -> str:
    return {"float32": "float", "float64": "double"}.get(t._key.dtype.name, t._key.dtype.name)


@pointwise(
    grad={"input": lambda g, input, threshold: _gate(g, input, ~(input <= threshold))},
    node="ThresholdBackward0",
    check=refusals.not_implemented("threshold_cpu", "bool", "complex"),
)
def _threshold(input: Tensor, threshold: Number, value: Number) -> Tensor:
    """Returns the values above the threshold, ``value`` elsewhere."""
    ...


def _integral_value(input: Tensor, value: Number) -> Number:
    return int(value.real) if input._key.dtype.category < 2 else value


def threshold_(input: Tensor, threshold: Number, value: Number) -> Tensor:
    """Replaces values that are not above the threshold, in place."""
    return _inplace_of(_threshold)(input, threshold, _integral_value(input, value))  # type: ignore[no-any-return]  # derived


FUNCTIONS["threshold_"] = threshold_


@composite()
def threshold(input: Tensor, threshold: Number, value: Number) -> Tensor:
    """Returns the values above the threshold, ``value`` elsewhere.

    >>> torch.threshold(torch.tensor([0.5, 2.0]), 1.0, 20.0)
    tensor([20.,  2.])
    """
    return _threshold(input, threshold, _integral_value(input, value))


def _no_hardtanh(keys: Any, common: DType) -> None:
    if common.category == BOOL:
        raise RuntimeError("Bool inputs not supported for hardtanh")
    if common.category == COMPLEX:
        raise NotImplementedError("clamp is not supported for complex types")


@pointwise(
    grad={"input": lambda g, input, low, high: _gate(g, input, (input > low) & (input < high))},
    node="HardtanhBackward0",
    check=_no_hardtanh,
)
def _hardtanh(input: Tensor, low: Number, high: Number) -> Tensor:
    """Returns the values kept between two bounds."""
    ...


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """Returns the values kept between two bounds."""
    return _hardtanh(input, _integral_value(input, min_val), _integral_value(input, max_val))


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """The same in place."""
    return _inplace_of(_hardtanh)(input, _integral_value(input, min_val), _integral_value(input, max_val))  # type: ignore[no-any-return]  # derived


def relu6(input: Tensor) -> Tensor:
    """Returns the values kept between 0 and 6."""
    return hardtanh(input, 0.0, 6.0)


def relu6_(input: Tensor) -> Tensor:
    """The same in place."""
    return hardtanh_(input, 0.0, 6.0)


@pointwise(
    grad={"input": lambda g, input: _gate(g / 6, input, (input > -3) & (input < 3))},
    check=_floats("hardsigmoid_cpu"),
)
def _hardsigmoid(input: Tensor) -> Tensor:
    """Returns ``relu6(input + 3) / 6``."""
    ...


def _hardswish_backward(g: Tensor, input: Tensor) -> Tensor:
    return where(input <= -3, 0.0, where(input < 3, g * (input / 3 + 0.5), g))


@pointwise(grad={"input": _hardswish_backward}, check=_floats("hardswish_cpu"))
def _hardswish(input: Tensor) -> Tensor:
    """Returns ``input * relu6(input + 3) / 6``."""
    ...


hardsigmoid, hardswish = _hardsigmoid, _hardswish
hardsigmoid_, hardswish_ = _inplace_of(_hardsigmoid), _inplace_of(_hardswish)


# --- smooth ones -----------------------------------------------------------------------------------------------------


def _bell(x: Tensor) -> Tensor:
    return exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))


def _gelu_curvature(x: Tensor, approximate: str) -> Tensor:
    """Returns the second derivative of gelu."""
    if approximate == "none":
        return _bell(x) * (2 - x * x)
    beta, kappa = math.sqrt(2 / math.pi), 0.044715
    t = tanh((x + x * x * x * kappa) * beta)
    d = (x * x * (3 * kappa) + 1) * beta
    bend = 1 - t * t
    return bend * d + x * 0.5 * (bend * (x * (6 * beta * kappa)) - t * 2 * bend * d * d)


@pointwise(
    grad={
        "g_out": lambda g, input, approximate: _gelu_backward(g, input, approximate),
        "input": lambda g, g_out, input, approximate: g * g_out * _gelu_curvature(input, approximate),
    },
    node="GeluBackwardBackward0",
    inplace=False,
)
def _gelu_backward(g_out: Tensor, input: Tensor, approximate: str) -> Tensor:
    """Returns the gradient of gelu."""
    ...


@pointwise(
    grad={"input": lambda g, input, approximate: _gelu_backward(g, input, approximate)},
    node="GeluBackward0",
    inplace=False,
    check=_floats("GeluKernelImpl"),
)
def _gelu(input: Tensor, approximate: str) -> Tensor:
    """Returns ``input`` times the normal distribution's share below it."""
    ...


def _through_slope(g: Sequence[Tensor | None], input: Tensor, slope: Tensor) -> Tensor | None:
    """Returns the gradient by the slope that was kept; while history is recorded, by ops that know the input."""
    grad = None if g[0] is None else _gelu_backward(g[0], input, "none") if modes.grad else g[0] * slope
    if g[1] is None:
        return grad
    bent = g[1] * _gelu_curvature(input, "none")
    return bent if grad is None else grad + bent


@primitive(
    grad={"input": lambda g, out, input: _through_slope(g, input, out[1])},
    node="GeluBackward0",
    partial=True,
    samples=unary(),
)
def _gelu_and_slope(input: Tensor) -> tuple[Tensor, Tensor]:
    """Returns gelu and its derivative, which share most of their work."""
    return _gelu(input, "none"), _gelu_backward(METHODS["new_ones"](input, input.shape), input, "none")


def _keeps_slope(input: Tensor) -> bool:
    """Returns whether the way back is prepared on the way forwards: where a backend can, and there will be one."""
    key = input._key
    able = key.requires and key.native and key.dtype.name in _KEPT and "_gelu_and_slope" in key.backend.kernels
    return able and bool(input._a.flags.c_contiguous)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Returns ``input`` times the normal distribution's share below it; "tanh" approximates."""
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    if modes.grad and approximate == "none" and type(input) is Tensor and _keeps_slope(input):
        return _gelu_and_slope(input)[0]
    return _gelu(input, approximate)


def _silu_curvature(x: Tensor) -> Tensor:
    s = sigmoid(x)
    return s * (1 - s) * (x * (1 - s * 2) + 2)


@pointwise(
    grad={
        "input": lambda g, other: _silu_backward(g, other),
        "other": lambda g, input, other: g * input * _silu_curvature(other),
    },
    node="SiluBackwardBackward0",
    inplace=False,
)
def _silu_backward(input: Tensor, other: Tensor) -> Tensor:
    """Returns a gradient ``input`` sent through the silu of ``other``."""
    ...


@pointwise(
    grad={"input": lambda g, input: _silu_backward(g, input)},
    check=refusals.not_implemented("silu_cpu", "bool", "integral"),
)
def _silu(input: Tensor) -> Tensor:
    """Returns ``input * sigmoid(input)``."""
    ...


def _mish_backward(g: Tensor, input: Tensor) -> Tensor:
    t = tanh(_softplus(input, 1.0, 20.0))
    return g * (t + input * sigmoid(input) * (1 - t * t))


@pointwise(grad={"input": _mish_backward}, check=_floats("mish_cpu"))
def _mish(input: Tensor) -> Tensor:
    """Returns ``input * tanh(softplus(input))``."""
    ...


silu, mish = _silu, _mish
silu_, mish_ = _inplace_of(_silu), _inplace_of(_mish)


def _softplus_backward(g: Tensor, input: Tensor, beta: Number, threshold: Number) -> Tensor:
    z = input if beta == 1 else input * beta
    return where(z > threshold, g, g * sigmoid(z))


@pointwise(grad={"input": _softplus_backward}, inplace=False, check=_floats("softplus_cpu"))
def _softplus(input: Tensor, beta: Number, threshold: Number) -> Tensor:
    """Returns ``log(1 + exp(beta * input)) / beta``, the input itself above the threshold."""
    ...


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Returns ``log(1 + exp(beta * input)) / beta``, the input itself where ``beta * input`` is above the threshold."""
    return _softplus(input, beta, threshold)


def _elu_backward(g: Tensor, input: Tensor, alpha: float, scale: float, input_scale: float) -> Tensor:
    low = _clamp(input, None, 0) * input_scale
    return where(input <= 0, g * (exp(low) * (alpha * scale * input_scale)), g * scale)


@pointwise(grad={"input": _elu_backward}, node="EluBackward0", check=_floats("elu_cpu"))
def _elu(input: Tensor, alpha: Number, scale: Number, input_scale: Number) -> Tensor:
    """Returns ``scale`` times the values, negative ones as ``alpha * expm1(input_scale * x)``."""
    ...


def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Returns the values, negative ones as ``alpha * expm1(x)``."""
    return _elu(input, alpha, 1.0, 1.0)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """The same in place."""
    return _inplace_of(_elu)(input, alpha, 1.0, 1.0)  # type: ignore[no-any-return]  # derived by the decorator


def selu_(input: Tensor) -> Tensor:
    """Scaled exponential units in place."""
    return _inplace_of(_elu)(input, SELU_ALPHA, SELU_SCALE, 1.0)  # type: ignore[no-any-return]  # as above


@composite()
def selu(input: Tensor) -> Tensor:
    """Returns scaled exponential units, which keep mean 0 and variance 1.

    >>> torch.selu(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 1.0507])
    """
    return _elu(input, SELU_ALPHA, SELU_SCALE, 1.0)


def _need_alpha(alpha: float) -> None:
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")


@pointwise(
    grad={"input": lambda g, input, alpha: _elu_backward(g, input, alpha, 1.0, 1.0 / alpha)},
    node="CeluBackward0",
    check=_floats("elu_cpu"),
)
def _celu(input: Tensor, alpha: Number) -> Tensor:
    """Returns the values, negative ones as ``alpha * expm1(x / alpha)``."""
    ...


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """The same as `celu`, in place."""
    _need_alpha(alpha)
    return _inplace_of(_celu)(input, alpha)  # type: ignore[no-any-return]  # as above


@composite()
def celu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Returns the values, negative ones as ``alpha * expm1(x / alpha)``.

    >>> torch.celu(torch.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    _need_alpha(alpha)
    return _celu(input, alpha)


FUNCTIONS["selu_"], FUNCTIONS["celu_"], FUNCTIONS["relu_"] = selu_, celu_, METHODS["relu_"]


@pointwise(
    grad={"input": lambda g, input: g * sigmoid(-input)},
    node="LogSigmoidBackward0",
    inplace=False,
    check=_floats("log_sigmoid_cpu"),
)
def _logsigmoid(input: Tensor) -> Tensor:
    """Returns ``log(sigmoid(input))`` without overflow."""
    ...


def log_sigmoid(input: Tensor) -> Tensor:
    """Returns ``log(sigmoid(input))`` without overflow."""
    return _logsigmoid(input)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """Returns the first half along ``dim`` times the sigmoid of the second."""
    if input.dim() == 0:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    size = input.size(dim)
    if size % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim % input.dim()} is size {size}")
    _floats("glu_cpu")([], input._key.dtype)
    first, second = input.narrow(dim, 0, size // 2), input.narrow(dim, size // 2, size // 2)
    if input._key.dtype.itemsize == 2:
        return (first.float() * second.float().sigmoid()).to(input._key.dtype)
    return first * second.sigmoid()


def softsign(input: Tensor) -> Tensor:
    """Returns ``input / (1 + |input|)``."""
    return input / (input.abs() + 1)


#: `torch.nn.functional`'s forms of what is here, with ``out=``.
WITH_OUT = {f.__name__: with_out(f) for f in (gelu, glu, log_sigmoid, softplus)}
