"""Python objects between processes: pickled, and sent as tensors of bytes.

As with torch's, what comes out of a pickle runs code: only processes that trust each other exchange objects.
"""

from __future__ import annotations

import pickle
from typing import Any

from dispatchtorch._base.host import np
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.distributed.collectives import all_gather, broadcast
from dispatchtorch.distributed.groups import ProcessGroup, group_rank_of, is_member, joined_group
from dispatchtorch.distributed.messages import recv, send
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "all_gather_object",
    "broadcast_object_list",
    "gather_object",
    "recv_object_list",
    "scatter_object_list",
    "send_object_list",
]


def _packed(value: Any, group: ProcessGroup) -> Tensor:
    host = np.frombuffer(pickle.dumps(value), np.uint8)
    return FUNCTIONS["tensor"](host, backend=group.library)  # type: ignore[no-any-return]  # a tensor


def _unpacked(data: Tensor, size: int) -> Any:
    return pickle.loads(bytes(data.numpy()[:size].tobytes()))


def _number(value: int, group: ProcessGroup) -> Tensor:
    return FUNCTIONS["tensor"]([value], backend=group.library)  # type: ignore[no-any-return]  # a tensor


def _room(size: int, group: ProcessGroup) -> Tensor:
    return FUNCTIONS["tensor"](np.zeros(size, np.uint8), backend=group.library)  # type: ignore[no-any-return]  # a tensor


def _everyones(value: Any, group: ProcessGroup) -> list[Any]:
    data = _packed(value, group)
    sizes = [_number(0, group) for _ in group.ranks]
    all_gather(sizes, _number(data.numel(), group), group)
    lengths = [int(size.item()) for size in sizes]
    padded = FUNCTIONS["cat"]([data, _room(max(lengths) - data.numel(), group)])
    parts = [_room(max(lengths), group) for _ in lengths]
    all_gather(parts, padded, group)
    return [_unpacked(part, size) for part, size in zip(parts, lengths, strict=True)]


def _from(value: Any, group: ProcessGroup, source: int) -> Any:
    """Returns what process ``source`` gave."""
    data = _packed(value if group.rank() == source else None, group)
    size = _number(data.numel(), group)
    broadcast(size, group=group, group_src=source)
    count = int(size.item())
    if group.rank() != source:
        data = _room(count, group)
    broadcast(data, group=group, group_src=source)
    return value if group.rank() == source else _unpacked(data, count)


def all_gather_object(object_list: list[Any], obj: Any, group: Any = None) -> None:
    """Writes every process's object into a list."""
    if is_member(group):
        object_list[:] = _everyones(obj, joined_group(group))


def gather_object(
    obj: Any,
    object_gather_list: list[Any] | None = None,
    dst: int | None = None,
    group: Any = None,
    group_dst: int | None = None,
) -> None:
    """Writes every process's object into a list that process ``dst`` gives."""
    if not is_member(group):
        return
    found = joined_group(group)
    here = found.rank() == group_rank_of(found, 0 if dst is None and group_dst is None else dst, group_dst)
    if here and not object_gather_list:
        raise ValueError("Argument ``gather_list`` must be specified on destination rank.")
    if not here and object_gather_list:
        raise ValueError("Argument ``gather_list`` must NOT be specified on non-destination ranks.")
    gathered = _everyones(obj, found)
    if object_gather_list is not None and here:
        object_gather_list[:] = gathered


def broadcast_object_list(
    object_list: list[Any],
    src: int | None = None,
    group: Any = None,
    device: Any = None,
    group_src: int | None = None,
) -> None:
    """Writes the objects of process ``src`` into the lists of the others."""
    if not is_member(group):
        return
    found = joined_group(group)
    source = group_rank_of(found, 0 if src is None and group_src is None else src, group_src)
    object_list[:] = _from(list(object_list), found, source)


def scatter_object_list(
    scatter_object_output_list: list[Any],
    scatter_object_input_list: list[Any] | None = None,
    src: int | None = None,
    group: Any = None,
    group_src: int | None = None,
) -> None:
    """Writes into the first place of each process's list its own of the objects that process ``src`` gives."""
    if not is_member(group):
        return
    found = joined_group(group)
    if not isinstance(scatter_object_output_list, list) or len(scatter_object_output_list) < 1:
        raise ValueError("Expected argument scatter_object_output_list to be a list of size at least 1.")
    source = group_rank_of(found, 0 if src is None and group_src is None else src, group_src)
    if found.rank() == source and scatter_object_input_list is None:
        raise ValueError("source rank must provide non-None scatter_object_input_list")
    scatter_object_output_list[0] = _from(scatter_object_input_list, found, source)[found.rank()]


def send_object_list(
    object_list: list[Any],
    dst: int | None = None,
    group: Any = None,
    device: Any = None,
    group_dst: int | None = None,
    use_batch: bool = False,
) -> None:
    """Sends objects to process ``dst``."""
    if not is_member(group):
        return
    found = joined_group(group)
    data = _packed(list(object_list), found)
    target = group_rank_of(found, dst, group_dst)
    send(_number(data.numel(), found), group=found, group_dst=target)
    send(data, group=found, group_dst=target)


def recv_object_list(
    object_list: list[Any],
    src: int | None = None,
    group: Any = None,
    device: Any = None,
    group_src: int | None = None,
    use_batch: bool = False,
) -> int:
    """Returns who sent the objects that were written into the list."""
    if not is_member(group):
        return -1
    found = joined_group(group)
    source = group_rank_of(found, src, group_src)
    size = _number(0, found)
    recv(size, group=found, group_src=source)
    data = _room(int(size.item()), found)
    recv(data, group=found, group_src=source)
    object_list[:] = _unpacked(data, data.numel())
    return found.ranks[source]
