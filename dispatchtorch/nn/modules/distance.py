"""Distances and similarities of vectors: the path under which torch has them."""

from dispatchtorch.nn.modules.flatten import CosineSimilarity, PairwiseDistance

__all__ = ["CosineSimilarity", "PairwiseDistance"]
