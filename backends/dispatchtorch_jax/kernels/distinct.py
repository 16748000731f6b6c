"""Distinct elements: how many there are depends on the values, so the shared kernels run as they are, never traced."""

from __future__ import annotations

from functools import partial
from typing import Final

import jax.numpy as jnp

from dispatchtorch.plugin import Kernel
from dispatchtorch.plugin.numpylike import sort

__all__ = ["EAGER", "KERNELS"]

KERNELS: Final[dict[str, Kernel]] = {
    "_unique": partial(sort._unique, jnp),
    "_unique_consecutive": partial(sort._unique_consecutive, jnp),
}
EAGER: Final = tuple(KERNELS.values())
