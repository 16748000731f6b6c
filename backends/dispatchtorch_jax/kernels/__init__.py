"""Kernels that JAX has itself, or that its immutable, traced arrays want in another form than the shared ones.

One file a family, each with ``KERNELS`` (op name -> kernel); ``EAGER`` names those that are not traced: the shape of
what they return depends on values, or they return an argument.
"""

from __future__ import annotations

from typing import Final

from dispatchtorch.plugin import Kernel
from dispatchtorch_jax.kernels import (
    branches,
    conv,
    create,
    ctc,
    distinct,
    division,
    factors,
    index,
    loss,
    pool,
    products,
    recurrences,
    recurrent,
    special,
)

__all__ = ["EAGER", "KERNELS"]

KERNELS: Final[dict[str, Kernel]] = {
    **branches.KERNELS,
    **conv.KERNELS,
    **create.KERNELS,
    **ctc.KERNELS,
    **distinct.KERNELS,
    **division.KERNELS,
    **factors.KERNELS,
    **index.KERNELS,
    **loss.KERNELS,
    **pool.KERNELS,
    **products.KERNELS,
    **recurrent.KERNELS,
    **recurrences.KERNELS,
    **special.KERNELS,
}
EAGER: Final[frozenset[Kernel]] = frozenset((*create.EAGER, *distinct.EAGER, *division.EAGER, *factors.EAGER))
