"""What a pipe says it gives: the T of ``IterDataPipe[T]``, and whether a value or another type keeps to it."""

from __future__ import annotations

import collections.abc
import types
import typing
from typing import Any, Union, get_args, get_origin

__all__ = ["PipeType", "type_of_bases"]


def _fits(value: Any, kind: Any) -> bool:
    """Returns whether a value is of a type as ``typing`` writes it; what is not understood is believed."""
    items: Any = value
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any or isinstance(kind, (typing.TypeVar, str)):
        return True
    if kind is None or kind is type(None):
        return value is None
    if origin in (Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is typing.Literal:
        return value in parts
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if len(parts) == 2 and parts[1] is ...:
            return all(_fits(item, parts[0]) for item in value)
        return not parts or (len(value) == len(parts) and all(map(_fits, value, parts)))
    if isinstance(origin, type):
        if not isinstance(value, origin):
            return False
        if issubclass(origin, collections.abc.Mapping) and len(parts) == 2:
            return all(_fits(k, parts[0]) and _fits(v, parts[1]) for k, v in items.items())
        if issubclass(origin, (collections.abc.Sequence, collections.abc.Set)) and len(parts) == 1:
            return all(_fits(item, parts[0]) for item in items)
        return True
    return isinstance(value, kind) if isinstance(kind, type) else True


def _under(left: Any, right: Any) -> bool:
    """Returns whether all values of one type are values of another."""
    if right is Any or isinstance(right, typing.TypeVar) or left == right:
        return True
    if left is Any or isinstance(left, typing.TypeVar):
        return False
    if get_origin(left) in (Union, types.UnionType):
        return all(_under(part, right) for part in get_args(left))
    if get_origin(right) in (Union, types.UnionType):
        return any(_under(left, part) for part in get_args(right))
    left_class, right_class = get_origin(left) or left, get_origin(right) or right
    if not (isinstance(left_class, type) and isinstance(right_class, type) and issubclass(left_class, right_class)):
        return False
    ours, theirs = get_args(left), get_args(right)
    return not theirs or (len(ours) == len(theirs) and all(map(_under, ours, theirs)))


class PipeType:
    """The type of a pipe's samples."""

    __slots__ = ("param",)

    def __init__(self, param: Any) -> None:
        self.param = param

    def __repr__(self) -> str:
        return self.param.__name__ if isinstance(self.param, type) else str(self.param)

    def __eq__(self, other: object) -> bool:
        return bool(self.param == (other.param if isinstance(other, PipeType) else other))

    def __hash__(self) -> int:
        return hash(self.param)

    def issubtype(self, other: PipeType) -> bool:
        """Returns whether all samples of this type are samples of another."""
        return _under(self.param, other.param)

    def issubtype_of_instance(self, value: Any) -> bool:
        """Returns whether a value is of this type."""
        return _fits(value, self.param)


def type_of_bases(cls: type, root: str) -> PipeType | None:
    """Returns the T that a class gave to a base called ``root``; None where it gave none."""
    for base in cls.__dict__.get("__orig_bases__", ()):
        if getattr(get_origin(base), "__name__", None) == root:
            (param,) = get_args(base)
            return PipeType(param)
    return None
