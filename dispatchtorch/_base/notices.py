"""Warnings that are said once a process, as PyTorch says those that begin with "is deprecated". Knows no op."""

from __future__ import annotations

import warnings
from typing import Final

from dispatchtorch._base.switches import STATE

__all__ = ["warn_once"]

_said: Final[set[str]] = set()


def warn_once(text: str) -> None:
    """Warns the first time that a text is given, on behalf of the caller's caller; says nothing after that."""
    if STATE.warn_always or text not in _said:
        _said.add(text)
        warnings.warn(text, UserWarning, stacklevel=3)
