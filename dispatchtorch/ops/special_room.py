"""The list of what ``torch.special`` holds beside functions that ``torch`` has too, and how a call of it is refused.

Families put their functions here; the door `dispatchtorch.special` opens it. Knows no op.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dispatchtorch.dispatch.table import with_out
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["SPECIAL", "pair", "publish"]

SPECIAL: Final[dict[str, Callable[..., Any]]] = {}  # torch.special's functions by name
_NUMBERS: Final = (bool, int, float)


def publish(*entries: Callable[..., Any]) -> None:
    """Puts functions of one tensor into ``torch.special``, with ``out=``, under their names without ``_special_``."""
    for entry in entries:
        SPECIAL[entry.__name__.strip("_").removeprefix("special_")] = with_out(entry)


def pair(entry: Callable[..., Any], first: str = "input", second: str = "other") -> None:
    """Puts a function of two arguments, one of which may be a number, into ``torch.special``; TypeError for two."""
    name = entry.__name__.strip("_")

    def function(input: Any, other: Any) -> Any:
        fits = isinstance(input, Tensor) or (isinstance(input, _NUMBERS) and isinstance(other, Tensor))
        if not fits and not hasattr(type(input), "__torch_function__"):
            raise TypeError(
                f"{name}() received an invalid combination of arguments - got ({type(input).__name__}, "
                f"{type(other).__name__}), but expected one of:\n"
                f" * (Tensor {first}, Tensor {second}, *, Tensor out = None)\n"
                f" * (Number {'self' if first == 'input' else first}, Tensor {second}, *, Tensor out = None)\n"
                f" * (Tensor {first}, Number {second}, *, Tensor out = None)\n"
            )
        return entry(input, other)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = entry.__doc__
    SPECIAL[name.removeprefix("special_")] = with_out(function)
