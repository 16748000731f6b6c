"""Named tuples that ops with several results return; each prints as torch's ``torch.return_types`` does."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from dispatchtorch._base.pytree import register_pytree_node

__all__ = ["ReturnType", "make"]


class ReturnType(tuple[Any, ...]):
    """A tuple whose members have names too."""

    __slots__ = ()
    _names: tuple[str, ...] = ()

    def __new__(cls, values: Iterable[Any]) -> ReturnType:
        self = tuple.__new__(cls, values)
        if len(self) != len(cls._names):
            raise TypeError(
                f"torch.return_types.{cls.__name__}() takes a {len(cls._names)}-sequence ({len(self)}-sequence given)"
            )
        return self

    @property
    def n_fields(self) -> int:
        """Returns the number of members."""
        return len(self)

    n_sequence_fields = n_fields
    n_unnamed_fields = 0

    def __getattr__(self, name: str) -> Any:
        try:
            return self[type(self)._names.index(name)]
        except ValueError:
            raise AttributeError(
                f"'torch.return_types.{type(self).__name__}' object has no attribute '{name}'"
            ) from None

    def __repr__(self) -> str:
        cls = type(self)
        inside = ",\n".join(f"{name}={value!r}" for name, value in zip(cls._names, self, strict=True))
        return f"torch.return_types.{cls.__name__}(\n{inside})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (tuple(self),)


def make(name: str, *names: str) -> type[ReturnType]:
    """Returns the class of a result called ``name`` with members called ``names``, and puts it into this module."""
    cls = type(name, (ReturnType,), {"__slots__": (), "_names": names, "__module__": __name__, "__match_args__": names})
    setattr(sys.modules[__name__], name, cls)
    register_pytree_node(cls, lambda values: (tuple(values), None), lambda values, _: cls(values))
    return cls
