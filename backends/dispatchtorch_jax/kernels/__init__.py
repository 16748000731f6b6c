"""Kernels that JAX has itself, or that its immutable, traced arrays want in another form than the shared ones.

One file a family, each with ``KERNELS`` (op name -> kernel); ``EAGER`` holds those whose result's shape depends on
values, which therefore cannot be traced and run as they are.
"""

from __future__ import annotations

from typing import Final

from dispatchtorch.plugin import Kernel

__all__ = ["EAGER", "KERNELS"]

KERNELS: Final[dict[str, Kernel]] = {}
EAGER: Final[set[Kernel]] = set()
