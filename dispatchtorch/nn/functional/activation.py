"""Nonlinearities of ``torch.nn.functional``: the table's ops with ``inplace``, and the few that are compositions."""

from __future__ import annotations

import warnings
from typing import Any

from dispatchtorch._base.dtypes import DType
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.ops import activation as ops
from dispatchtorch.ops import rrelu as slopes
from dispatchtorch.ops import shrink
from dispatchtorch.ops.rrelu import rrelu_
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "celu", "celu_", "elu", "elu_", "gelu", "glu", "gumbel_softmax", "hardshrink", "hardsigmoid", "hardswish",
    "hardtanh", "hardtanh_", "leaky_relu", "leaky_relu_", "log_softmax", "logsigmoid", "mish", "prelu", "relu",
    "relu6", "relu_", "rrelu", "rrelu_", "selu", "selu_", "sigmoid", "silu", "softmax", "softmin", "softplus",
    "softshrink", "softsign", "tanh", "tanhshrink", "threshold", "threshold_",
]  # fmt: skip

celu_, elu_, hardtanh_, leaky_relu_ = ops.celu_, ops.elu_, ops.hardtanh_, ops.leaky_relu_
selu_, threshold_, relu_ = ops.selu_, ops.threshold_, FUNCTIONS["relu_"]
gelu, hardshrink, logsigmoid, prelu = (
    ops.WITH_OUT["gelu"], FUNCTIONS["hardshrink"], ops.WITH_OUT["log_sigmoid"], ops.prelu,
)  # fmt: skip
softplus, softshrink = ops.WITH_OUT["softplus"], shrink.softshrink_out
softsign, tanhshrink = ops.softsign, shrink.tanhshrink


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Returns ``max(0, input)``."""
    return relu_(input) if inplace else ops.relu(input)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """Returns the input held within [0, 6]."""
    return ops.relu6_(input) if inplace else ops.relu6(input)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Returns the values, negative ones as ``alpha * expm1(x)``."""
    return ops.elu_(input, alpha) if inplace else ops.elu(input, alpha)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Returns the scaled exponential linear unit."""
    return ops.selu_(input) if inplace else ops.selu(input)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Returns the values, negative ones as ``alpha * expm1(x / alpha)``."""
    return ops.celu_(input, alpha) if inplace else ops.celu(input, alpha)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Returns the values, negative ones times ``negative_slope``."""
    return ops.leaky_relu_(input, negative_slope) if inplace else ops.leaky_relu(input, negative_slope)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """Returns the input held within [min_val, max_val]."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return ops.hardtanh_(input, min_val, max_val) if inplace else ops.hardtanh(input, min_val, max_val)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """Returns the input where it is above ``threshold``, else ``value``."""
    return ops.threshold_(input, threshold, value) if inplace else ops.threshold(input, threshold, value)


def _either(entry: Any, input: Tensor, inplace: bool) -> Tensor:
    return entry.inplace(input) if inplace else entry(input)  # type: ignore[no-any-return]  # entries of the table


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """Returns ``input * sigmoid(input)``."""
    return _either(ops._silu, input, inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """Returns ``input * tanh(softplus(input))``."""
    return _either(ops._mish, input, inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """Returns ``clamp(input / 6 + 1 / 2, 0, 1)``."""
    return _either(ops._hardsigmoid, input, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """Returns ``input * hardsigmoid(input)``."""
    return _either(ops._hardswish, input, inplace)


def sigmoid(input: Tensor) -> Tensor:
    """Returns ``1 / (1 + exp(-input))``."""
    return input.sigmoid()


def tanh(input: Tensor) -> Tensor:
    """Returns the hyperbolic tangent."""
    return input.tanh()


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """Returns the first half along ``dim`` times the sigmoid of the second."""
    return ops.glu(input, dim)


def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """Returns the values, negative ones times a slope: random in training, the middle one otherwise."""
    return (slopes.rrelu_ if inplace else slopes.rrelu)(input, lower, upper, training)


def _dim_for(name: str, dim: int | None, ndim: int, stacklevel: int) -> int:
    """Returns the dim, or the one that torch used to take where none was given, with its warning."""
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        stacklevel=stacklevel + 1,
    )
    return 0 if ndim in (0, 1, 3) else 1


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None) -> Tensor:
    """Returns exponentials along ``dim`` that sum to 1."""
    if dim is None:
        dim = _dim_for("softmax", dim, input.dim(), _stacklevel)
    return input.softmax(dim) if dtype is None else input.softmax(dim, dtype=dtype)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None) -> Tensor:
    """Returns `softmax` of the negated input."""
    if dim is None:
        dim = _dim_for("softmin", dim, input.dim(), _stacklevel)
    return softmax(-input, dim, dtype=dtype)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None) -> Tensor:
    """Returns the logarithm of `softmax`, computed without overflow."""
    if dim is None:
        dim = _dim_for("log_softmax", dim, input.dim(), _stacklevel)
    if dtype is None:
        return input.log_softmax(dim)
    return input.log_softmax(dim, dtype=dtype)


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """Returns a random relaxed choice by the logits; with ``hard`` a one-hot one that has the relaxed gradient."""
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    gumbels = -logits.new_empty(logits.shape).exponential_().log()
    soft = ((logits + gumbels) / tau).softmax(dim)
    if not hard:
        return soft
    index = soft.max(dim, keepdim=True)[1]
    chosen = soft.new_zeros(soft.shape).scatter_(dim, index, 1.0)
    return chosen - soft.detach() + soft
