"""The table: every op in one paragraph, one file a family. Importing this package declares them all."""

from dispatchtorch.dispatch import table
from dispatchtorch.ops import create, index, join, linalg, pointwise, reduce, view
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["create", "index", "join", "linalg", "pointwise", "reduce", "view"]

table.install(Tensor)
