"""Data sets as pipes that are put together by calls: ``IterableWrapper(x).map(f).batch(2)``."""

from dispatchtorch.utils.data.datapipes import iter as iter
from dispatchtorch.utils.data.datapipes import map as map

__all__ = ["iter", "map"]
