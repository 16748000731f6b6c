"""The groups of the table, in its order."""

from __future__ import annotations

from tests.benchmarks.case import Group
from tests.benchmarks.groups.data import LOADING, RANDOM, SAVING
from tests.benchmarks.groups.elementwise import ELEMENTWISE
from tests.benchmarks.groups.indexing import INDEXING
from tests.benchmarks.groups.layers import LAYERS
from tests.benchmarks.groups.products import PRODUCTS
from tests.benchmarks.groups.reduction import REDUCTION
from tests.benchmarks.groups.small import SMALL
from tests.benchmarks.groups.steps import STEPS

__all__ = ["GROUPS"]

GROUPS: list[Group] = [SMALL, ELEMENTWISE, REDUCTION, INDEXING, PRODUCTS, LAYERS, *STEPS, LOADING, RANDOM, SAVING]
