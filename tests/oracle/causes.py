"""Why rows of torch's op table fail that fail: patterns on a row's name, each with its cause. Data, read by the report.

A failing row that no pattern names is a bug that nobody has looked at; the test of this folder fails for it.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["CAUSES", "cause_of"]

# (pattern of op/kind/detail, backend or "" for both, cause)
CAUSES: Final[tuple[tuple[str, str, str], ...]] = ()


def cause_of(row: str, backend: str) -> str:
    """Returns the cause of a failing row, the empty string where none is written down."""
    for pattern, where, cause in CAUSES:
        if where in ("", backend) and re.fullmatch(pattern, row):
            return cause
    return ""
