"""Half precision through float32, in which PyTorch divides and raises: rounded once, at the end.

numpy rounds a Python number to the array's dtype first, and ml_dtypes rounds in between. PyTorch keeps the digits of a
number that divides and rounds the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["in_float32", "truncated_division"]


def _widened(value: Any, dtype: Any, *, rounded: bool) -> Any:
    if isinstance(value, np.ndarray):
        return value.astype(np.float32)
    return np.asarray(value, dtype).astype(np.float32) if rounded else np.float32(value)


def in_float32(function: Callable[[Any, Any], Any], a: Any, b: Any, *, rounded: bool) -> Any:
    """Returns the function of two operands, one of them an array of half precision, in that precision.

    ``rounded``: a Python number ``b`` is rounded to half precision first; a number ``a`` always is.
    """
    dtype = a.dtype if isinstance(a, np.ndarray) else b.dtype
    with np.errstate(all="ignore"):
        wide = function(_widened(a, dtype, rounded=True), _widened(b, dtype, rounded=rounded))
        return np.asarray(wide).astype(dtype)


def truncated_division(a: Any, b: Any) -> Any:
    """Returns the quotient rounded towards zero."""
    return np.trunc(np.divide(a, b))
