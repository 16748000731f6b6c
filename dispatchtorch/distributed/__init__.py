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
    get_backend_config,
    get_global_rank,
    get_group_rank,
    get_node_local_rank,
    get_pg_count,
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
    new_subgroups_by_enumeration,
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
from dispatchtorch.distributed.replicas import sums_of as _sums_of
from dispatchtorch.distributed.transports import (
    Backend,
    DistBackendError,
    DistError,
    DistNetworkError,
    DistStoreError,
    get_default_backend_for_device,
)
from dispatchtorch.nn.modules.batchnorm import when_asked_for_sums as _when_asked_for_sums
from dispatchtorch.nn.parallel.distributed import when_asked_for_replicas as _when_asked_for_replicas

all_gather_single = all_gather_into_tensor
reduce_scatter_single = reduce_scatter_tensor

_when_asked_for_replicas(_replicas_of)
_when_asked_for_sums(_sums_of)

__all__ = [
    "Backend",
    "DeviceMesh",
    "DistBackendError",
    "DistError",
    "DistNetworkError",
    "DistStoreError",
    "GroupMember",
    "P2POp",
    "ProcessGroup",
    "ReduceOp",
    "Work",
    "all_gather",
    "all_gather_into_tensor",
    "all_gather_object",
    "all_gather_single",
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
    "get_backend_config",
    "get_default_backend_for_device",
    "get_global_rank",
    "get_group_rank",
    "get_node_local_rank",
    "get_pg_count",
    "get_process_group_ranks",
    "get_rank",
    "get_world_size",
    "group",
    "init_device_mesh",
    "init_process_group",
    "irecv",
    "is_available",
    "is_backend_available",
    "is_gloo_available",
    "is_initialized",
    "is_mpi_available",
    "is_nccl_available",
    "is_torchelastic_launched",
    "is_ucc_available",
    "is_xccl_available",
    "isend",
    "monitored_barrier",
    "new_group",
    "new_subgroups",
    "new_subgroups_by_enumeration",
    "recv",
    "recv_object_list",
    "reduce",
    "reduce_scatter",
    "reduce_scatter_single",
    "reduce_scatter_tensor",
    "scatter",
    "scatter_object_list",
    "send",
    "send_object_list",
    "supports_complex",
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


def is_ucc_available() -> bool:
    """Returns False, as `is_nccl_available`."""
    return False


def is_xccl_available() -> bool:
    """Returns False, as `is_nccl_available`."""
    return False


def is_backend_available(backend: str) -> bool:
    """Returns whether one of torch's transports, named in any case, is there."""
    return str(backend).lower() == Backend.GLOO and is_available()


def supports_complex(reduceOp: ReduceOp) -> bool:
    """Returns whether a reduction is one of complex numbers, too."""
    return reduceOp in (ReduceOp.SUM, ReduceOp.AVG)
