"""numpy, the host's array library, imported at the first use: it costs more than all of dispatchtorch.

Only the border files (tensor/interop, tensor/format, random, the random ops) may ask for it.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

__all__ = ["Late", "np"]


class Late(ModuleType):
    """A module that is imported at the first look at one of its names; each name is looked up once."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(importlib.import_module(self.__name__), name)
        setattr(self, name, value)
        return value


if TYPE_CHECKING:
    import numpy as np
else:
    np = Late("numpy")
