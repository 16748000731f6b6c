"""``torch.distributed.tensor``: tensors spread over a mesh of devices, and modules of such."""

from __future__ import annotations

from dispatchtorch.distributed.device_mesh import DeviceMesh, init_device_mesh
from dispatchtorch.distributed.tensor.dtensor import DTensor
from dispatchtorch.distributed.tensor.making import distribute_tensor, empty, full, ones, rand, randn, zeros
from dispatchtorch.distributed.tensor.modules import distribute_module
from dispatchtorch.distributed.tensor.placement_types import Partial, Placement, Replicate, Shard

__all__ = [
    "DTensor",
    "DeviceMesh",
    "Partial",
    "Placement",
    "Replicate",
    "Shard",
    "distribute_module",
    "distribute_tensor",
    "empty",
    "full",
    "init_device_mesh",
    "ones",
    "rand",
    "randn",
    "zeros",
]
