"""Kernels that numpy does better than the shared ones: in-place buffers, BLAS without `matmul`'s overhead.

Every module with a dict ``KERNELS`` from op names to functions over numpy arrays is taken up; a new file needs no
mention. No kernel writes into its arguments, but for those in a dict ``WRITERS``, which are there for nothing else.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Final

from dispatchtorch.plugin import Kernel
from dispatchtorch_numpy.kernels.bare import BARE, ROWWISE

__all__ = ["BARE", "KERNELS", "ROWWISE", "WRITERS"]


_MODULES: Final = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]


def _collect(table: str) -> dict[str, Kernel]:
    found: dict[str, Kernel] = {}
    for module in _MODULES:
        kernels = getattr(module, table, {})
        twice = found.keys() & kernels.keys()
        if twice:
            raise ValueError(f"kernels given twice, again in {module.__name__}: {sorted(twice)}")
        found.update(kernels)
    return found


KERNELS: Final = _collect("KERNELS")
WRITERS: Final = _collect("WRITERS")
