"""The table: every op in one paragraph, one file a family. Importing this package declares them all.

Every module in this folder is a family or serves one; a new file needs no mention anywhere.
"""

import importlib
import pkgutil

from dispatchtorch.autograd import api as _api
from dispatchtorch.dispatch import table
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["FAMILIES"]

FAMILIES = tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))

for _family in FAMILIES:
    importlib.import_module(f"{__name__}.{_family}")

table.install(Tensor)
del _api
