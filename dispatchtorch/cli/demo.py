"""``dispatchtorch demo``: hands its arguments to the demo, which trains a classifier of handwritten digits."""

from __future__ import annotations

from collections.abc import Sequence

from dispatchtorch import _demo

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Returns the demo's exit status."""
    return int(_demo.run(list(argv)) or 0)
