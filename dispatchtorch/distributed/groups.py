"""Groups of processes: which there are, which one this process is, and how they come together.

The backend's library joins the processes (`BackendSpec.join`) and computes everything that goes between them, on a mesh
with one device of each. Must not know: what is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlparse

from dispatchtorch._base import config
from dispatchtorch.distributed.transports import Backend, transport_of
from dispatchtorch.plugin.meshes import MeshBackend
from dispatchtorch.plugin.selection import expected_spec, get_backend
from dispatchtorch.utils.data.distributed import when_asked_for_the_group

__all__ = [
    "GroupMember",
    "ProcessGroup",
    "destroy_process_group",
    "get_backend_config",
    "get_backend_name",
    "get_global_rank",
    "get_group_rank",
    "get_node_local_rank",
    "get_pg_count",
    "get_process_group_ranks",
    "get_rank",
    "get_world_size",
    "group",
    "group_rank_of",
    "init_process_group",
    "is_available",
    "is_initialized",
    "is_member",
    "is_torchelastic_launched",
    "joined_group",
    "new_group",
    "new_subgroups",
    "new_subgroups_by_enumeration",
]

_NOT_YET: Final = "Default process group has not been initialized, please make sure to call init_process_group."
_TIMEOUT: Final = timedelta(minutes=30)  # torch's


class ProcessGroup:
    """Some of the processes of the world, in an order; made by `init_process_group` and `new_group`."""

    made: ClassVar[int] = 0

    def __init__(self, ranks: tuple[int, ...], me: int, library: str, transport: str) -> None:
        self.ranks = ranks
        self.library = library  # the name of the backend that all its tensors have
        self.transport = transport
        self.group_name = str(ProcessGroup.made)
        ProcessGroup.made += 1
        self._me = me

    def rank(self) -> int:
        """Returns this process's number in the group, -1 where it is no member."""
        return self.ranks.index(self._me) if self._me in self.ranks else -1

    def size(self) -> int:
        """Returns how many processes the group has."""
        return len(self.ranks)

    def name(self) -> str:
        """Returns the name of the transport."""
        return self.transport

    def mesh(self, device_type: str) -> MeshBackend:
        """Returns the mesh of one device of each process, row by row in the group's order."""
        return self.mesh_of(device_type, tuple(range(len(self.ranks))))

    def mesh_of(self, device_type: str, members: Sequence[int]) -> MeshBackend:
        """Returns the mesh of one device of each of these members."""
        backend = get_backend(self.library)
        numbers = backend.device_numbers(device_type)
        return backend.on_mesh(device_type, (len(members),), tuple([numbers[self.ranks[m]][0] for m in members]))

    def __repr__(self) -> str:
        return f"<ProcessGroup {self.group_name}: rank {self.rank()} of {self.size()}, ranks {list(self.ranks)}>"


class _World:
    group: ProcessGroup | None = None
    leave: Callable[[], None] | None = None


_world: Final = _World()


class GroupMember:
    """What stands for the world, and for a group that this process is no member of."""

    WORLD: ClassVar[ProcessGroup | None] = None
    NON_GROUP_MEMBER: ClassVar[int] = -100


class _GroupMeta(type):
    @property
    def WORLD(cls) -> ProcessGroup | None:
        return _world.group


class group(metaclass=_GroupMeta):
    """``group.WORLD`` is the group of all processes, None before `init_process_group`."""


def is_available() -> bool:
    """Returns whether the backend that serves by default can run in several processes."""
    return bool(expected_spec()[0].processes)


def is_initialized() -> bool:
    """Returns whether `init_process_group` was called, and not undone."""
    return _world.group is not None


def is_torchelastic_launched() -> bool:
    """Returns whether a launcher has started this process and will start it again."""
    return config.launched("TORCHELASTIC_RUN_ID") is not None


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: timedelta | None = None,
    world_size: int = -1,
    rank: int = -1,
    store: Any = None,
    group_name: str = "",
    pg_options: Any = None,
    device_id: Any = None,
) -> None:
    """Makes this process one of a group; to be called before the first tensor, where there are several processes.

    ``init_method`` is ``env://`` (the default: ``MASTER_ADDR``, ``MASTER_PORT``, ``WORLD_SIZE`` and ``RANK``) or
    ``tcp://host:port``. ``backend`` names torch's transports; the library chooses its own. A group of one needs neither
    an address nor a backend with `sharding`.

    >>> import dispatchtorch.distributed as dist
    >>> dist.init_process_group("gloo", init_method="tcp://127.0.0.1:29500", rank=0, world_size=1)
    >>> dist.get_rank(), dist.get_world_size()
    (0, 1)
    >>> dist.destroy_process_group()
    """
    if _world.group is not None:
        raise ValueError("trying to initialize the default process group twice!")
    transport = transport_of(backend)
    if store is not None:
        raise NotImplementedError(
            "init_process_group(store=...) is not supported: processes meet through env:// or tcp://"
        )
    address, world_size, rank = _place(init_method or "env://", world_size, rank)
    spec, made = expected_spec()
    if world_size > 1:
        if not spec.processes:
            raise NotImplementedError(
                f"backend {spec.name!r} runs in one process: it has no sharding; choose one that has, for all "
                "processes, with DISPATCHTORCH_BACKEND"
            )
        if made:
            raise RuntimeError(
                f"init_process_group() has to come before the first tensor: backend {spec.name!r} has started with the "
                "devices of this process alone"
            )
        _world.leave = spec.join(address, world_size, rank, (timeout or _TIMEOUT).total_seconds())
    _world.group = GroupMember.WORLD = ProcessGroup(tuple(range(world_size)), rank, spec.name, transport)


def _place(method: str, world_size: int, rank: int) -> tuple[str, int, int]:
    """Returns the address, the number of processes and which one this is."""
    url = urlparse(method)
    query = {name: int(values[0]) for name, values in parse_qs(url.query).items() if name in ("rank", "world_size")}
    rank = query.get("rank", rank) if rank < 0 else rank
    world_size = query.get("world_size", world_size) if world_size < 0 else world_size
    if url.scheme == "env":
        rank = int(_from_launcher("RANK")) if rank < 0 else rank
        world_size = int(_from_launcher("WORLD_SIZE")) if world_size < 0 else world_size
        return f"{_from_launcher('MASTER_ADDR')}:{_from_launcher('MASTER_PORT')}", world_size, rank
    if url.scheme != "tcp":
        raise RuntimeError(f"No rendezvous handler for {url.scheme}://; there are env:// and tcp://")
    for name, value in (("rank", rank), ("world size", world_size)):
        if value < 0:
            raise ValueError(f"Error initializing torch.distributed using tcp:// rendezvous: {name} parameter missing")
    if url.port is None:
        raise ValueError("Error initializing torch.distributed using tcp:// rendezvous: port number missing")
    return f"{url.hostname}:{url.port}", world_size, rank


def _from_launcher(name: str) -> str:
    value = config.launched(name)
    if value is None:
        raise ValueError(
            "Error initializing torch.distributed using env:// rendezvous: environment variable "
            f"{name} expected, but not set"
        )
    return value


def destroy_process_group(group: ProcessGroup | None = None) -> None:
    """Ends a group; without one the world, after which all processes have to end: it cannot be made again."""
    if _world.group is None:
        raise AssertionError("Process group cannot be None")
    if group is not None and group is not _world.group:
        return
    leave, _world.leave = _world.leave, None
    _world.group = GroupMember.WORLD = None
    ProcessGroup.made = 0
    if leave is not None:
        leave()


def joined_group(group: ProcessGroup | None) -> ProcessGroup:
    """Returns the group, the world for None; ValueError before `init_process_group`."""
    found = _world.group if group is None else group
    if found is None:
        raise ValueError(_NOT_YET)
    return found


def new_group(
    ranks: Sequence[int] | None = None,
    timeout: timedelta | None = None,
    backend: str | None = None,
    pg_options: Any = None,
    use_local_synchronization: bool = False,
    group_desc: str | None = None,
    device_id: Any = None,
    sort_ranks: bool = True,
) -> Any:
    """Returns a group of some of the processes, `GroupMember.NON_GROUP_MEMBER` in the others."""
    world = joined_group(None)
    members = list(world.ranks) if ranks is None else sorted(ranks) if sort_ranks else list(ranks)
    if len(members) > world.size():
        raise ValueError(
            "the new group's world size should be less or equal to the world size set by init_process_group"
        )
    if any(r < 0 or r >= world.size() for r in members):
        raise ValueError("The new group's rank should be within the world_size set by init_process_group")
    made = ProcessGroup(tuple(members), world.rank(), world.library, transport_of(backend or world.transport))
    return made if made.rank() >= 0 else GroupMember.NON_GROUP_MEMBER


def new_subgroups(
    group_size: int | None = None,
    group: ProcessGroup | None = None,
    timeout: timedelta | None = None,
    backend: str | None = None,
    pg_options: Any = None,
    group_desc: str | None = None,
) -> tuple[Any, list[Any]]:
    """Returns this process's group and all groups, of ``group_size`` neighbours each."""
    world = joined_group(group)
    size = group_size or world.size()
    if world.size() < size:
        raise ValueError(f"The arg 'group_size' ({size}) must not exceed the world size ({world.size()})")
    if world.size() % size:
        raise ValueError(f"The world size ({world.size()}) must be divisible by 'group_size={size}'")
    pieces = [world.ranks[start : start + size] for start in range(0, world.size(), size)]
    groups = [new_group(piece, timeout, backend) for piece in pieces]
    return next(g for g in groups if isinstance(g, ProcessGroup)), groups


def new_subgroups_by_enumeration(
    ranks_per_subgroup_list: Sequence[Sequence[int]],
    timeout: timedelta | None = None,
    backend: str | None = None,
    pg_options: Any = None,
    group_desc: str | None = None,
) -> tuple[Any, list[Any]]:
    """Returns this process's group, None where it is in none, and all groups, of the processes that are named."""
    if not ranks_per_subgroup_list:
        raise ValueError("The arg 'ranks_per_subgroup_list' cannot be empty")
    named = [rank for ranks in ranks_per_subgroup_list for rank in ranks]
    if len(set(named)) < len(named):
        raise ValueError(f"Rank {next(r for r in named if named.count(r) > 1)} has appeared in more than one subgroup")
    groups = [new_group(ranks, timeout, backend) for ranks in ranks_per_subgroup_list]
    return next((g for g in groups if isinstance(g, ProcessGroup)), None), groups


def is_member(group: Any) -> bool:
    """Returns whether this process is in the group."""
    return group is None or (isinstance(group, ProcessGroup) and group.rank() >= 0)


def get_rank(group: ProcessGroup | None = None) -> int:
    """Returns this process's number in a group, -1 where it is no member."""
    return joined_group(group).rank() if is_member(group) else -1


def get_world_size(group: ProcessGroup | None = None) -> int:
    """Returns how many processes a group has, -1 where this process is no member."""
    return joined_group(group).size() if is_member(group) else -1


def get_backend_name(group: ProcessGroup | None = None) -> Backend:
    """Returns the name of a group's transport; `torch.distributed.get_backend`."""
    if not is_member(group):
        raise ValueError("Invalid process group specified")
    return Backend(joined_group(group).transport)


def get_backend_config(group: ProcessGroup | None = None) -> str:
    """Returns the transport of each type of device."""
    return f"cpu:{get_backend_name(group)}"


def get_pg_count() -> int:
    """Returns how many groups there are that this process has made."""
    return 0 if _world.group is None else ProcessGroup.made


def get_process_group_ranks(group: ProcessGroup | None) -> list[int]:
    """Returns the world's numbers of a group's processes."""
    return list(joined_group(group).ranks)


def get_global_rank(group: ProcessGroup, group_rank: int) -> int:
    """Returns the world's number of a group's process."""
    ranks = joined_group(group).ranks
    if not 0 <= group_rank < len(ranks):
        raise ValueError(f"Group rank {group_rank} is not part of group {group}")
    return ranks[group_rank]


def get_group_rank(group: ProcessGroup, global_rank: int) -> int:
    """Returns a process's number in a group."""
    found = joined_group(group)
    if global_rank not in found.ranks:
        raise ValueError(f"Global rank {global_rank} is not part of group {group}")
    return found.ranks.index(global_rank)


def group_rank_of(group: ProcessGroup, global_rank: int | None, group_rank: int | None) -> int:
    """Returns a process's number in a group, which is given as one of the two."""
    if group_rank is not None:
        if global_rank is not None:
            raise ValueError("Can't specify both group_rank and global_rank")
        return group_rank
    if global_rank is None:
        raise ValueError("Must specify global_rank or group_rank")
    return get_group_rank(group, global_rank)


def get_node_local_rank(fallback_rank: int | None = None) -> int:
    """Returns this process's number on its machine, as the launcher says."""
    found = config.launched("LOCAL_RANK")
    if found is not None:
        return int(found)
    if fallback_rank is not None:
        return int(fallback_rank)
    raise RuntimeError(
        "LOCAL_RANK is not in the environment. Consider passing fallback_rank to allow `get_node_local_rank` to work, "
        "assuming you are not running in a multi-device context and want the code to run locally instead."
    )


when_asked_for_the_group(lambda: (get_world_size(), get_rank()))
