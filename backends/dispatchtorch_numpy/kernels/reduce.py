"""Kernels."""

from __future__ import annotations

from typing import Final

from dispatchtorch.plugin import Kernel

__all__ = ["KERNELS"]

KERNELS: Final[dict[str, Kernel]] = {}
