"""What code says to a scripting compiler in passing: marks on functions, types of values; Python runs it unchanged."""

from __future__ import annotations

import builtins
import collections.abc
import types
import typing
from typing import Any, Final, NamedTuple, TypeVar

__all__ = [
    "Attribute", "Error", "Final", "TracerWarning", "annotate", "export", "ignore", "interface", "isinstance", "unused",
]  # fmt: skip

F = TypeVar("F")


class Error(RuntimeError):
    """An error inside a scripted program; never raised here."""


class TracerWarning(Warning):
    """A warning that a trace will not generalise; never said here, for programs that filter it."""


class Attribute(NamedTuple):
    """A value and the type it is declared with."""

    value: Any
    type: Any


def annotate(the_type: Any, the_value: F) -> F:
    """Returns the value; the type is for readers."""
    return the_value


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """Returns the function itself, or with a keyword the decorator that does: Python calls it either way."""
    return drop if callable(drop) else lambda fn: fn


def unused(fn: F) -> F:
    """Returns the function itself."""
    return fn


def export(fn: F) -> F:
    """Returns the function itself."""
    return fn


def interface(obj: F) -> F:
    """Returns the class itself."""
    return obj


def isinstance(obj: Any, target_type: Any) -> bool:
    """Returns whether a value is of a type, looking into containers: ``isinstance([1], List[int])`` is True.

    >>> isinstance(["a"], typing.List[int])
    False
    """
    if builtins.isinstance(target_type, tuple):
        return any(isinstance(obj, one) for one in target_type)
    if target_type is Any:
        return True
    if target_type is None:
        return obj is None
    origin, inside = typing.get_origin(target_type), typing.get_args(target_type)
    if origin is None:
        return builtins.isinstance(obj, target_type)
    if origin in (typing.Union, types.UnionType):
        return any(isinstance(obj, one) for one in inside)
    if not builtins.isinstance(obj, origin):
        return False
    if origin is tuple:
        if len(inside) == 2 and inside[1] is ...:
            return all(isinstance(one, inside[0]) for one in obj)
        return len(obj) == len(inside) and all(isinstance(one, kind) for one, kind in zip(obj, inside, strict=True))
    if issubclass(origin, collections.abc.Mapping):
        return all(isinstance(key, inside[0]) and isinstance(value, inside[1]) for key, value in obj.items())
    return all(isinstance(one, inside[0]) for one in obj)
