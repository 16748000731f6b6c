"""Empty parameters and buffers for modules to fill: shape, device and dtype, on the selected backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.tensor.tensor import Parameter, Tensor

__all__ = ["empty_parameter", "filled", "parameter_of"]


def empty_parameter(*shape: int, device: Any = None, dtype: Any = None) -> Parameter:
    """Returns a parameter whose values are not set yet."""
    return Parameter(FUNCTIONS["empty"](shape, device=device, dtype=dtype))


def parameter_of(t: Tensor, requires_grad: bool = True) -> Parameter:
    """Returns a parameter that shares a tensor's storage."""
    return Parameter(t, requires_grad)


def filled(name: str, *args: Any, **kwargs: Any) -> Tensor:
    """Returns what a creating function of the torch namespace gives: ``filled("zeros", 3)``."""
    create: Callable[..., Tensor] = FUNCTIONS[name]
    return create(*args, **kwargs)
