"""numpy, the host's array library, imported at the first use: it costs more than all of dispatchtorch.

Only the border files (tensor/interop, tensor/format, random, the random ops) may ask for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatchtorch._base.late import Late

__all__ = ["np"]

if TYPE_CHECKING:
    import numpy as np
else:
    np = Late("numpy")
