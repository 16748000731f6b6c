"""``torch.utils``: the rooms under a name that torch prescribes. Nothing of ours lives here."""

from dispatchtorch.utils import checkpoint as checkpoint
from dispatchtorch.utils import data as data
from dispatchtorch.utils import dlpack as dlpack

__all__ = ["checkpoint", "data", "dlpack"]
