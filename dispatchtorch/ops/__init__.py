"""The table: every op in one paragraph, one file a family. Importing this package declares them all.

Every module in this folder is a family or serves one; a new file needs no mention anywhere.
"""

from dispatchtorch._base.folder import import_folder
from dispatchtorch.autograd import api as _api
from dispatchtorch.dispatch import table
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["FAMILIES"]

FAMILIES = import_folder(__name__, __path__)

table.install(Tensor)
del _api
