"""Sliding windows of an image: the path under which torch has them."""

from dispatchtorch.nn.modules.rearranging import Fold, Unfold

__all__ = ["Fold", "Unfold"]
