"""Asks torch's table of modules row by row: ``python -m tests.oracle.moduledb --backend numpy [-k PART]``.

Prints what fails, then the share of each kind that passes; ``--write FILE`` keeps every outcome as JSON lines.
"""

from __future__ import annotations

import sys

from tests.oracle.asking import main_of
from tests.oracle.module_rows import KINDS, entries, rows

__all__ = ["main"]

SAMPLES = 24  # a row: modules have more of them than ops


def main(argv: list[str] | None = None) -> int:
    """Returns 0; prints failures and shares."""
    return main_of("moduledb", KINDS, entries, lambda info, most: rows(info, SAMPLES if most is None else most), argv)


if __name__ == "__main__":
    sys.exit(main())
