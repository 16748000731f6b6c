"""Tensors that modules treat specially: `Parameter`, `Buffer`, and those whose shape is not known yet."""

from __future__ import annotations

from typing import Any

from dispatchtorch.tensor.tensor import Parameter, Tensor, alias_of

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "is_lazy"]

_NO_SHAPE = (
    "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
    "`load_state_dict` when "
    "trying to load an uninitialized parameter into an initialized one. Call `forward` to initialize the "
    "parameters before "
    "accessing their attributes."
)


class Buffer(Tensor):
    """A tensor that a Module registers as a buffer when it is assigned.

    ``Buffer(data, persistent=True)`` shares the storage of ``data``; a buffer that is not persistent is not saved.
    """

    __slots__ = ()
    persistent: bool

    def __new__(cls, data: Tensor, *, persistent: bool = True) -> Buffer:
        self: Buffer = alias_of(data, cls)  # type: ignore[assignment]  # it makes an object of the class it is given
        self.persistent = persistent
        return self

    def __init__(self, data: Tensor, *, persistent: bool = True) -> None:
        """Nothing is left to do after ``__new__``."""


class UninitializedParameter(Parameter):
    """A parameter whose shape the first forward call will tell."""

    __slots__ = ()

    @property
    def shape(self) -> Any:
        """Raises RuntimeError: there is no shape yet."""
        raise RuntimeError(_NO_SHAPE)


class UninitializedBuffer(Buffer):
    """A buffer whose shape the first forward call will tell."""

    __slots__ = ()

    @property
    def shape(self) -> Any:
        """Raises RuntimeError: there is no shape yet."""
        raise RuntimeError(_NO_SHAPE)


def is_lazy(param: Any) -> bool:
    """Returns whether a parameter or buffer has no shape yet."""
    return isinstance(param, (UninitializedParameter, UninitializedBuffer))
