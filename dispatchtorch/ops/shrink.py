"""Activations that move values towards 0, and their derivatives at the kinks as torch has them."""

from __future__ import annotations

import math

from dispatchtorch.dispatch.table import composite, pointwise, with_out
from dispatchtorch.ops.activation import _floats, _gate
from dispatchtorch.ops.angles import tanh
from dispatchtorch.tensor.tensor import Tensor


@pointwise(
    grad={"input": lambda g, input, lambd: _gate(g, input, ~((input >= -lambd) & (input <= lambd)))},
    node="HardshrinkBackward0",
    inplace=False,
    check=_floats("hardshrink_cpu"),
)
def _hardshrink(input: Tensor, lambd: float) -> Tensor:
    """Returns the values outside a band around 0, 0 within."""
    ...


@composite(method=True, out=True)
def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Returns the values, those within ``lambd`` of 0 replaced by 0.

    >>> torch.hardshrink(torch.tensor([-1.0, 0.25]))
    tensor([-1.,  0.])
    """
    return _hardshrink(input, lambd)


@pointwise(
    grad={"input": lambda g, input, lambd: _gate(g, input, ~((input >= -lambd) & (input <= lambd)))},
    node="SoftshrinkBackward0",
    inplace=False,
    check=_floats("softshrink_check"),
)
def _softshrink(input: Tensor, lambd: float) -> Tensor:
    """Returns the values moved towards 0 by ``lambd``."""
    ...


_LARGEST = {
    "float16": 65504.0, "bfloat16": 3.3895313892515355e38, "float32": 3.4028234663852886e38,
    "float64": 1.7976931348623157e308,
}  # fmt: skip


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Returns the values moved towards 0 by ``lambd``; RuntimeError for a negative or infinite one."""
    dtype = input._key.dtype
    if not 0 <= lambd <= _LARGEST.get(dtype.name, math.inf):
        raise RuntimeError(
            f"lambda must be in range [0, {_LARGEST.get(dtype.name, math.inf):g}] for input dtype {dtype.legacy}, but "
            f"found {lambd:g}"
        )
    return _softshrink(input, lambd)


def tanhshrink(input: Tensor) -> Tensor:
    """Returns ``input - tanh(input)``."""
    return input - tanh(input)


softshrink_out = with_out(softshrink)
