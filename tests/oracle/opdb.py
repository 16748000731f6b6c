"""Asks torch's op table row by row: ``python -m tests.oracle.opdb --backend numpy [-k PART] [--kind grad]``.

Prints what fails, then the share of each kind that passes; ``--write FILE`` keeps every outcome as JSON lines.
"""

from __future__ import annotations

import sys

from tests.oracle.asking import main_of
from tests.oracle.rows import KINDS, entries, rows

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Returns 0; prints failures and shares."""
    return main_of("opdb", KINDS, entries, rows, argv)


if __name__ == "__main__":
    sys.exit(main())
