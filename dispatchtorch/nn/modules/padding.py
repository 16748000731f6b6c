"""Padding layers: the settings of ``torch.nn.functional.pad`` as objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from dispatchtorch.nn.functional.padding import pad
from dispatchtorch.nn.modules.module import Module
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d",
    "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d",
    "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d",
]  # fmt: skip


class _PadNd(Module):
    """How much to pad on each side of the last dimensions, and how."""

    __constants__: ClassVar[list[str]] = ["padding"]
    count: ClassVar[int]
    mode: ClassVar[str]

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        self.padding = (padding,) * (2 * self.count) if isinstance(padding, int) else tuple(padding)

    def forward(self, input: Tensor) -> Tensor:
        """Returns the padded input."""
        return pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        """Returns the padding."""
        return f"{self.padding}"


class _ConstantPadNd(_PadNd):
    """Padding with a value."""

    __constants__: ClassVar[list[str]] = ["padding", "value"]
    mode: ClassVar[str] = "constant"

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """Returns the padded input."""
        return pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        """Returns the padding and the value."""
        return f"padding={self.padding}, value={self.value}"


class _CircularPadNd(_PadNd):
    """Padding with what lies at the other end."""

    mode: ClassVar[str] = "circular"

    def forward(self, input: Tensor) -> Tensor:
        """Returns the padded input; ValueError for a wrong number of dimensions."""
        ndim = input.dim()
        if ndim not in (self.count + 1, self.count + 2):
            raise ValueError(f"expected {self.count + 1}D or {self.count + 2}D input (got {ndim}D input)")
        return pad(input, self.padding, self.mode)


class _ReflectionPadNd(_PadNd):
    """Fills the border with the inside, mirrored at the edge."""


class _ReplicationPadNd(_PadNd):
    """Fills the border with the values at the edge."""


class ConstantPad1d(_ConstantPadNd):
    """Pads the last dimension with a value."""

    count: ClassVar[int] = 1


class ZeroPad1d(ConstantPad1d):
    """Pads the last dimension with zeros."""

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """Returns the padding."""
        return f"{self.padding}"


class ReflectionPad1d(_ReflectionPadNd):
    """Pads the last dimension with their mirror image."""

    count: ClassVar[int] = 1
    mode: ClassVar[str] = "reflect"


class ReplicationPad1d(_ReplicationPadNd):
    """Pads the last dimension with the values at the edge."""

    count: ClassVar[int] = 1
    mode: ClassVar[str] = "replicate"


class CircularPad1d(_CircularPadNd):
    """Pads the last dimension with what lies at the other end."""

    count: ClassVar[int] = 1


class ConstantPad2d(_ConstantPadNd):
    """Pads the last two dimensions with a value."""

    count: ClassVar[int] = 2


class ZeroPad2d(ConstantPad2d):
    """Pads the last two dimensions with zeros."""

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """Returns the padding."""
        return f"{self.padding}"


class ReflectionPad2d(_ReflectionPadNd):
    """Pads the last two dimensions with their mirror image."""

    count: ClassVar[int] = 2
    mode: ClassVar[str] = "reflect"


class ReplicationPad2d(_ReplicationPadNd):
    """Pads the last two dimensions with the values at the edge."""

    count: ClassVar[int] = 2
    mode: ClassVar[str] = "replicate"


class CircularPad2d(_CircularPadNd):
    """Pads the last two dimensions with what lies at the other end."""

    count: ClassVar[int] = 2


class ConstantPad3d(_ConstantPadNd):
    """Pads the last three dimensions with a value."""

    count: ClassVar[int] = 3


class ZeroPad3d(ConstantPad3d):
    """Pads the last three dimensions with zeros."""

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """Returns the padding."""
        return f"{self.padding}"


class ReflectionPad3d(_ReflectionPadNd):
    """Pads the last three dimensions with their mirror image."""

    count: ClassVar[int] = 3
    mode: ClassVar[str] = "reflect"


class ReplicationPad3d(_ReplicationPadNd):
    """Pads the last three dimensions with the values at the edge."""

    count: ClassVar[int] = 3
    mode: ClassVar[str] = "replicate"


class CircularPad3d(_CircularPadNd):
    """Pads the last three dimensions with what lies at the other end."""

    count: ClassVar[int] = 3
