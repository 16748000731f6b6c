"""The op table's public functions as attributes of one object, so that formulas below read as they do in a program.

Knows names only: which functions there are is the table's matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias, cast

from dispatchtorch import linalg as _linalg
from dispatchtorch import ops as _families  # noqa: F401 - importing them declares every op
from dispatchtorch import special as _special
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["Number", "Shape", "Value", "linalg", "ops", "special", "uniform_like"]

Number: TypeAlias = int | float
Shape: TypeAlias = Sequence[int]
Value: TypeAlias = Tensor | int | float


class _Table:
    """Functions of the torch namespace; AttributeError for a name that has none.

    Several tensors are typed as one here, which unpacks the same.
    """

    def __getattr__(self, name: str) -> Callable[..., Tensor]:
        try:
            found = FUNCTIONS[name]
        except KeyError:
            raise AttributeError(name) from None
        setattr(self, name, found)
        return found


ops: Final = _Table()
linalg: Final = cast(_Table, _linalg)
special: Final = cast(_Table, _special)


def uniform_like(t: Tensor, shape: Shape, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Returns uniform numbers of a shape, of the dtype, device and library of ``t``."""
    return t.new_empty(shape).uniform_(low, high)
