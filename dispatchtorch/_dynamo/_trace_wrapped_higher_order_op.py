"""The mode by which libraries say that ``x[i]`` with a mapped ``i`` is an index and not a number: here it always is."""

from __future__ import annotations

import contextlib

__all__ = ["TransformGetItemToIndex"]


class TransformGetItemToIndex(contextlib.AbstractContextManager[None]):
    """A context in which tensors may be indices under `vmap`, as they may outside of it."""

    def __exit__(self, *exc: object) -> None:
        """Does nothing."""
