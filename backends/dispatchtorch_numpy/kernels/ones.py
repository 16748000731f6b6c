"""Vectors of ones: a product with one is a sum, which BLAS does in a fraction of the time of numpy's reductions."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np

__all__ = ["LONGEST", "ones"]

LONGEST: Final = 1 << 16  # longer sums are better added up in parts


@lru_cache(maxsize=256)
def ones(count: int, dtype: Any) -> Any:
    """Returns so many ones, to be read only."""
    made = np.ones(count, dtype)
    made.flags.writeable = False
    return made
