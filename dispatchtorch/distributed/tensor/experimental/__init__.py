"""``torch.distributed.tensor.experimental``: ordinary tensors as replicated ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dispatchtorch.distributed.crossing import admission

__all__ = ["implicit_replication"]


@contextmanager
def implicit_replication() -> Iterator[None]:
    """Lets ops take ordinary tensors beside those on a mesh, as if they were on all of its devices.

    >>> from dispatchtorch.distributed.tensor import distribute_tensor, init_device_mesh
    >>> from dispatchtorch.distributed.tensor.experimental import implicit_replication
    >>> with torch.use_backend("jax"), implicit_replication():
    ...     (distribute_tensor(torch.ones(2), init_device_mesh("cpu", (1,))) + torch.ones(2)).full_tensor()
    tensor([2., 2.])
    """
    before, admission.open = admission.open, True
    try:
        yield
    finally:
        admission.open = before
