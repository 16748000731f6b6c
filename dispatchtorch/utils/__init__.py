"""``torch.utils``: the rooms under a name that torch prescribes. Nothing of ours lives here."""

from dispatchtorch.utils import data as data

__all__ = ["data"]
