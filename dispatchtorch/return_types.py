"""torch.return_types: the named tuples that ops return, by the ops' names. A door into the op families."""

from __future__ import annotations

from typing import Any

from dispatchtorch.ops import return_types as _made

__all__ = ["all_return_types"]

all_return_types = [
    found for found in vars(_made).values() if isinstance(found, type) and issubclass(found, _made.ReturnType)
]


def __getattr__(name: str) -> Any:
    """Returns the class of the results of the op called ``name``."""
    found = getattr(_made, name, None)
    if isinstance(found, type) and issubclass(found, _made.ReturnType):
        return found
    raise AttributeError(f"module 'torch.return_types' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(found.__name__ for found in all_return_types)
