"""``torch.utils``: the rooms under a name that torch prescribes. Nothing of ours lives here."""

from dispatchtorch.utils import _pytree as _pytree
from dispatchtorch.utils import checkpoint as checkpoint
from dispatchtorch.utils import data as data
from dispatchtorch.utils import dlpack as dlpack
from dispatchtorch.utils import hooks as hooks

__all__ = ["checkpoint", "data", "dlpack", "hooks"]
