"""``torch.distributed``: processes that compute together, and tensors spread over a mesh of devices.

The backend's library does the work; a backend without `sharding` says so. ``docs/distributed.md`` tells how one process
with several devices and several processes look to a program.
"""

from __future__ import annotations

from dispatchtorch.distributed import device_mesh as device_mesh
from dispatchtorch.distributed.collectives import (
    Work,
    all_gather,
    all_gather_into_tensor,
    all_reduce,
    all_reduce_coalesced,
    all_to_all,
    all_to_all_single,
    barrier,
    broadcast,
    gather,
    monitored_barrier,
    reduce,
    reduce_scatter,
    reduce_scatter_tensor,
    scatter,
)
from dispatchtorch.distributed.device_mesh import DeviceMesh, init_device_mesh
from dispatchtorch.distributed.groups import (
    GroupMember,
    ProcessGroup,
    destroy_process_group,
    get_global_rank,
    get_group_rank,
    get_node_local_rank,
    get_process_group_ranks,
    get_rank,
    get_world_size,
    group,
    init_process_group,
    is_available,
    is_initialized,
    is_torchelastic_launched,
    new_group,
    new_subgroups,
)
from dispatchtorch.distributed.groups import get_backend_name as get_backend
from dispatchtorch.distributed.messages import P2POp, batch_isend_irecv, irecv, isend, recv, send
from dispatchtorch.distributed.objects import (
    all_gather_object,
    broadcast_object_list,
    gather_object,
    recv_object_list,
    scatter_object_list,
    send_object_list,
)
from dispatchtorch.distributed.reductions import ReduceOp
from dispatchtorch.distributed.replicas import replicas_of as _replicas_of
from dispatchtorch.nn.parallel.distributed import when_asked_for_replicas as _when_asked_for_replicas

_when_asked_for_replicas(_replicas_of)

__all__ = [
    "DeviceMesh",
    "GroupMember",
    "P2POp",
    "ProcessGroup",
    "ReduceOp",
    "Work",
    "all_gather",
    "all_gather_into_tensor",
    "all_gather_object",
    "all_reduce",
    "all_reduce_coalesced",
    "all_to_all",
    "all_to_all_single",
    "barrier",
    "batch_isend_irecv",
    "broadcast",
    "broadcast_object_list",
    "destroy_process_group",
    "device_mesh",
    "gather",
    "gather_object",
    "get_backend",
    "get_global_rank",
    "get_group_rank",
    "get_node_local_rank",
    "get_process_group_ranks",
    "get_rank",
    "get_world_size",
    "group",
    "init_device_mesh",
    "init_process_group",
    "irecv",
    "is_available",
    "is_gloo_available",
    "is_initialized",
    "is_mpi_available",
    "is_nccl_available",
    "is_torchelastic_launched",
    "isend",
    "monitored_barrier",
    "new_group",
    "new_subgroups",
    "recv",
    "recv_object_list",
    "reduce",
    "reduce_scatter",
    "reduce_scatter_tensor",
    "scatter",
    "scatter_object_list",
    "send",
    "send_object_list",
]


def is_gloo_available() -> bool:
    """Returns whether processes without accelerators can compute together."""
    return is_available()


def is_mpi_available() -> bool:
    """Returns False."""
    return False


def is_nccl_available() -> bool:
    """Returns False: which transport the library uses between accelerators is its own matter."""
    return False
