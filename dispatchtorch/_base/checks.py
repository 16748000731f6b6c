"""Conditions that a program states about its own values: ``torch._check`` and its kin, and arithmetic on sizes.

Under torch's compiler sizes are symbols and these record facts about them; here sizes are Python's ints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

__all__ = [
    "_assert",
    "_check",
    "_check_index",
    "_check_is_size",
    "_check_not_implemented",
    "_check_type",
    "_check_value",
    "_check_with",
    "sym_float",
    "sym_int",
    "sym_ite",
    "sym_max",
    "sym_min",
    "sym_not",
    "sym_sqrt",
    "sym_sum",
]  # fmt: skip

Message = Callable[[], Any] | None

_UNSAID = (
    "Expected cond to be True, but got False. (Could this error message be improved? If so, please report an "
    "enhancement request to PyTorch.)"
)


def _assert(condition: Any, message: str) -> None:
    """Raises AssertionError with the message unless the condition holds."""
    assert condition, message


def _check_with(error: type[Exception], cond: Any, message: Message) -> None:
    """Raises ``error`` with what ``message`` returns unless the condition holds; TypeError for one that is no bool."""
    if not isinstance(cond, bool):
        raise TypeError(f"cond must be a bool, but got {type(cond)}")
    if cond:
        return
    if message is not None and not callable(message):
        raise TypeError("message must be a callable")
    raise error(_UNSAID if message is None else str(message()))


def _check(cond: Any, message: Message = None) -> None:
    """Raises RuntimeError with what ``message`` returns unless the condition holds."""
    _check_with(RuntimeError, cond, message)


def _check_index(cond: Any, message: Message = None) -> None:
    """Raises IndexError with what ``message`` returns unless the condition holds."""
    _check_with(IndexError, cond, message)


def _check_value(cond: Any, message: Message = None) -> None:
    """Raises ValueError with what ``message`` returns unless the condition holds."""
    _check_with(ValueError, cond, message)


def _check_type(cond: Any, message: Message = None) -> None:
    """Raises TypeError with what ``message`` returns unless the condition holds."""
    _check_with(TypeError, cond, message)


def _check_not_implemented(cond: Any, message: Message = None) -> None:
    """Raises NotImplementedError with what ``message`` returns unless the condition holds."""
    _check_with(NotImplementedError, cond, message)


def _check_is_size(i: int, message: Message = None, *, max: int | None = None) -> None:
    """Raises RuntimeError unless ``i`` may be a size: not negative, and at most ``max``."""
    _check(i >= 0 and (max is None or i <= max), message)


# --- sizes -----------------------------------------------------------------------------------------------------------


def sym_int(a: Any) -> int:
    """Returns a number cut off to an int."""
    return math.trunc(float(a)) if isinstance(a, float) else int(a)


def sym_float(a: Any) -> float:
    """Returns a number as a float."""
    return float(a)


def sym_not(a: Any) -> bool:
    """Returns whether ``a`` is false."""
    return not a


def sym_max(a: Any, b: Any) -> Any:
    """Returns the larger of two numbers, a float if either is one."""
    found = max(a, b)
    return float(found) if isinstance(a, float) or isinstance(b, float) else found


def sym_min(a: Any, b: Any) -> Any:
    """Returns the smaller of two numbers, a float if either is one."""
    found = min(a, b)
    return float(found) if isinstance(a, float) or isinstance(b, float) else found


def sym_sum(args: Iterable[Any]) -> Any:
    """Returns the sum of numbers."""
    return sum(args)


def sym_ite(b: bool, t: Any, f: Any) -> Any:
    """Returns ``t`` where ``b`` is true, else ``f``."""
    return t if b else f


def sym_sqrt(a: Any) -> float:
    """Returns the square root of a number."""
    return math.sqrt(a)
