"""From one process to another: a collective of the two, so both have to come to it in the same order.

`batch_isend_irecv` puts several in an order that both sides agree on. Must not know: objects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dispatchtorch.dispatch.inplace import write_raw
from dispatchtorch.distributed import exchange
from dispatchtorch.distributed.collectives import Work, given_tensor
from dispatchtorch.distributed.groups import ProcessGroup, group_rank_of, is_member, joined_group
from dispatchtorch.tensor.tensor import Tensor, read

__all__ = ["P2POp", "batch_isend_irecv", "irecv", "isend", "recv", "send"]


def _passed(tensor: Tensor, group: ProcessGroup, source: int, target: int) -> None:
    members = sorted((source, target))
    raw = exchange.sent(group, tensor._key.device.type, read(tensor), members, source)
    if group.rank() == target:
        write_raw(tensor, raw)


def _other(group: ProcessGroup, rank: int, kind: str) -> int:
    if rank == group.rank():
        raise ValueError(f"Invalid {kind} rank: {kind} rank should not be the same as the rank of the current process.")
    return rank


def isend(
    tensor: Tensor, dst: int | None = None, group: Any = None, tag: int = 0, group_dst: int | None = None
) -> Work | None:
    """Returns the work of sending a tensor; tags are not looked at, messages arrive in the order of the calls."""
    if not is_member(group):
        return None
    found = joined_group(group)
    t = given_tensor(tensor, "tensor", found)
    _passed(t, found, found.rank(), _other(found, group_rank_of(found, dst, group_dst), "destination"))
    return Work([t])


def irecv(
    tensor: Tensor, src: int | None = None, group: Any = None, tag: int = 0, group_src: int | None = None
) -> Work | None:
    """Returns the work of writing what another process sends into a tensor; ``src`` has to be given."""
    if not is_member(group):
        return None
    found = joined_group(group)
    t = given_tensor(tensor, "tensor", found)
    if src is None and group_src is None:
        raise NotImplementedError("receiving from whichever process sends first is not supported: give src")
    _passed(t, found, _other(found, group_rank_of(found, src, group_src), "source"), found.rank())
    return Work([t])


def send(tensor: Tensor, dst: int | None = None, group: Any = None, tag: int = 0, group_dst: int | None = None) -> None:
    """Sends a tensor to process ``dst``."""
    work = isend(tensor, dst, group, tag, group_dst)
    if work is not None:
        work.wait()


def recv(tensor: Tensor, src: int | None = None, group: Any = None, tag: int = 0, group_src: int | None = None) -> int:
    """Returns who sent what was written into a tensor, -1 in processes that are not of the group."""
    work = irecv(tensor, src, group, tag, group_src)
    if work is None:
        return -1
    work.wait()
    found = joined_group(group)
    return found.ranks[group_rank_of(found, src, group_src)]


class P2POp:
    """One of several messages for `batch_isend_irecv`: ``op`` is `isend` or `irecv`."""

    def __init__(
        self,
        op: Callable[..., Any],
        tensor: Tensor,
        peer: int | None = None,
        group: Any = None,
        tag: int = 0,
        group_peer: int | None = None,
    ) -> None:
        if op not in (isend, irecv):
            raise ValueError(
                "Invalid ``op``. Expected ``op`` to be of type ``torch.distributed.isend`` or "
                "``torch.distributed.irecv``."
            )
        self.op, self.tensor, self.group, self.tag = op, tensor, joined_group(group), tag
        self.group_peer = group_rank_of(self.group, peer, group_peer)
        self.peer = self.group.ranks[self.group_peer]


def batch_isend_irecv(p2p_op_list: list[P2POp]) -> list[Work]:
    """Returns the works of several messages, which the processes may name in different orders."""
    if not p2p_op_list or not all(isinstance(op, P2POp) for op in p2p_op_list):
        raise ValueError("Invalid ``p2p_op_list``. Each op is expected to to be of type ``torch.distributed.P2POp``.")
    if any(op.group is not p2p_op_list[0].group for op in p2p_op_list):
        raise ValueError("All ops need to use the same group.")

    def place(op: P2POp) -> tuple[int, int, int]:
        me = op.group.rank()
        low, high = sorted((me, op.group_peer))
        return low, high, me if op.op is isend else op.group_peer

    works = {id(op): op.op(op.tensor, group=op.group, **_peer(op)) for op in sorted(p2p_op_list, key=place)}
    return [works[id(op)] for op in p2p_op_list]


def _peer(op: P2POp) -> dict[str, int]:
    return {"group_dst" if op.op is isend else "group_src": op.group_peer}
