"""``torch.autograd.Variable``: what tensors with history were called once. Old programs still say it."""

from __future__ import annotations

import warnings
from typing import Any

from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.tensor.tensor import Tensor, alias_of

__all__ = ["Variable", "VariableMeta", "variable"]


class VariableMeta(type):
    """Makes every tensor an instance of `Variable`."""

    def __instancecheck__(cls, other: Any) -> bool:
        """Returns whether it is a tensor."""
        return isinstance(other, Tensor)


class Variable(metaclass=VariableMeta):
    """A tensor: ``Variable(data, requires_grad)`` shares the storage of ``data``; TypeError for anything but a tensor.

    >>> torch.autograd.Variable(torch.ones(2), requires_grad=True)
    tensor([1., 1.], requires_grad=True)
    """

    def __new__(
        cls, data: Any = None, requires_grad: bool = False, volatile: bool | None = None, name: str | None = None
    ) -> Any:
        if volatile is not None:
            warnings.warn(
                "volatile was removed and now has no effect. Use `with torch.no_grad():` instead.", stacklevel=2
            )
            if volatile and requires_grad:
                raise ValueError("Variable can't be volatile and require_grad at the same time!")
        if data is None:
            data = FUNCTIONS["empty"]((0,))
        if not isinstance(data, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(data).__name__}")
        made: Any = alias_of(data)
        if requires_grad:
            made.requires_grad_()
        return made


def variable(*args: Any, **kwargs: Any) -> Any:
    """Raises RuntimeError: `torch.tensor` makes tensors."""
    raise RuntimeError("torch.autograd.variable(...) is deprecated, use torch.tensor(...) instead")
