"""torch's collectives on ordinary tensors, one of which each process has.

Every process of a group calls the same ones in the same order; results are written into the tensors that are given.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from dispatchtorch.dispatch.inplace import write_raw
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.distributed import exchange
from dispatchtorch.distributed.groups import ProcessGroup, group_rank_of, is_member, joined_group
from dispatchtorch.distributed.reductions import ReduceOp
from dispatchtorch.plugin.selection import get_backend
from dispatchtorch.tensor.tensor import Tensor, read

__all__ = [
    "Work",
    "all_gather",
    "all_gather_into_tensor",
    "all_reduce",
    "all_reduce_coalesced",
    "all_to_all",
    "all_to_all_single",
    "barrier",
    "broadcast",
    "gather",
    "given_tensor",
    "monitored_barrier",
    "reduce",
    "reduce_scatter",
    "reduce_scatter_tensor",
    "scatter",
]


class Work:
    """A collective that was started; the library computes it as it computes everything."""

    def __init__(self, tensors: Sequence[Tensor] = ()) -> None:
        self._tensors = list(tensors)

    def wait(self, timeout: timedelta | None = None) -> bool:
        """Returns True when the results are there."""
        for t in self._tensors[:1]:
            t._key.backend.synchronize()
        return True

    def is_completed(self) -> bool:
        """Returns whether results may be used: always."""
        return True

    def is_success(self) -> bool:
        """Returns whether it went well: an error is raised at the call."""
        return True

    def result(self) -> list[Tensor]:
        """Returns the tensors that were written."""
        return self._tensors

    def synchronize(self) -> None:
        """Waits for the results."""
        self.wait()


def given_tensor(value: Any, name: str, group: ProcessGroup) -> Tensor:
    """Returns an argument that has to be one tensor of the group's library."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"Invalid function argument. Expected parameter `{name}` of type torch.Tensor\n"
            f"             but got {type(value)} instead."
        )
    if value._key.backend is not get_backend(group.library):
        kind = "is spread over a mesh" if value._key.backend.engine is not value._key.backend else "is not"
        raise RuntimeError(
            f"`{name}` {kind} on backend {value._key.backend.name!r}; collectives take ordinary tensors of backend "
            f"{group.library!r}"
        )
    return value


def _given_list(values: Any, name: str, group: ProcessGroup) -> list[Tensor]:
    if not isinstance(values, list):
        raise TypeError(
            f"Invalid function argument. Expected parameter `{name}` of type List[torch.Tensor]\n"
            f"             but got {type(values)} instead."
        )
    if not all(isinstance(value, Tensor) for value in values):
        raise TypeError(
            f"Invalid function argument. Expected parameter `{name}` of type List[torch.Tensor]\n"
            f"             but got {type(values)} with elements of type {[type(value) for value in values]}."
        )
    return [given_tensor(value, name, group) for value in values]


def _outside(group: Any, name: str) -> bool:
    """Returns whether the call is nothing to this process, which is told so."""
    if is_member(group):
        return False
    warnings.warn(
        f"Running {name} on global rank {joined_group(None).rank()} which does not belong to the given group.",
        stacklevel=3,
    )
    return True


def _done(targets: Sequence[Tensor], async_op: bool) -> Work | None:
    return Work(targets) if async_op else None


def _device(t: Tensor) -> str:
    return t._key.device.type


def _rows_of(tensors: Sequence[Tensor]) -> Any:
    stacked: Tensor = FUNCTIONS["stack"]([t.detach() for t in tensors])
    return read(stacked)


def _same(tensors: Sequence[Tensor], other: Tensor) -> None:
    dtypes = {t._key.dtype.name for t in (*tensors, other)}
    if len(dtypes) > 1:
        raise ValueError(
            f"Invalid usage of tensors with different dtypesFound {other._key.dtype} and  "
            f"{next(t for t in tensors if t._key.dtype is not other._key.dtype)._key.dtype}"
        )


def all_reduce(tensor: Tensor, op: ReduceOp = ReduceOp.SUM, group: Any = None, async_op: bool = False) -> Work | None:
    """Writes the reduction of all processes' tensors into each; returns a Work with ``async_op``."""
    if _outside(group, "all_reduce"):
        return None
    found = joined_group(group)
    t = given_tensor(tensor, "tensor", found)
    if t._key.dtype.is_complex and op not in (ReduceOp.SUM, ReduceOp.AVG):
        raise ValueError(f"all_reduce does not support {op} on complex tensors")
    write_raw(t, exchange.reduced(found, _device(t), read(t), ReduceOp(op)))
    return _done([t], async_op)


def all_reduce_coalesced(
    tensors: Any, op: ReduceOp = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """Writes reductions into several tensors."""
    listed = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    for t in listed:
        all_reduce(t, op, group)
    return _done(listed, async_op)


def reduce(
    tensor: Tensor,
    dst: int | None = None,
    op: ReduceOp = ReduceOp.SUM,
    group: Any = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """Writes the reduction of all processes' tensors into that of process ``dst``."""
    if _outside(group, "reduce"):
        return None
    found = joined_group(group)
    t = given_tensor(tensor, "tensor", found)
    target = group_rank_of(found, dst, group_dst)
    raw = exchange.reduced(found, _device(t), read(t), ReduceOp(op))
    if found.rank() == target:
        write_raw(t, raw)
    return _done([t], async_op)


def broadcast(
    tensor: Tensor, src: int | None = None, group: Any = None, async_op: bool = False, group_src: int | None = None
) -> Work | None:
    """Writes the tensor of process ``src`` into those of all others."""
    if _outside(group, "broadcast"):
        return None
    found = joined_group(group)
    t = given_tensor(tensor, "tensor", found)
    write_raw(t, exchange.one_row(found, _device(t), read(t), group_rank_of(found, src, group_src)))
    return _done([t], async_op)


def all_gather(tensor_list: list[Tensor], tensor: Tensor, group: Any = None, async_op: bool = False) -> Work | None:
    """Writes every process's tensor into a list of as many."""
    if _outside(group, "all_gather"):
        return None
    found = joined_group(group)
    targets = _given_list(tensor_list, "tensor_list", found)
    t = given_tensor(tensor, "tensor", found)
    _same(targets, t)
    if len(targets) != found.size():
        raise ValueError("ProcessGroupGloo::allgather: invalid output tensor list: its length has to be the group's")
    rows = exchange.every_row(found, _device(t), read(t))
    for target, row in zip(targets, rows, strict=True):
        write_raw(target, row.reshape(tuple(target._a.shape)))
    return _done(targets, async_op)


def all_gather_into_tensor(
    output_tensor: Tensor, input_tensor: Tensor, group: Any = None, async_op: bool = False
) -> Work | None:
    """Writes every process's tensor into one, behind each other or as rows."""
    if _outside(group, "all_gather_into_tensor"):
        return None
    found = joined_group(group)
    out = given_tensor(output_tensor, "output_tensor", found)
    t = given_tensor(input_tensor, "input_tensor", found)
    _same([out], t)
    if out.numel() != t.numel() * found.size():
        raise ValueError("output tensor size must be equal to world_size times input tensor size")
    write_raw(out, exchange.every_row(found, _device(t), read(t)).reshape(tuple(out._a.shape)))
    return _done([out], async_op)


def gather(
    tensor: Tensor,
    gather_list: list[Tensor] | None = None,
    dst: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """Writes every process's tensor into a list that process ``dst`` gives."""
    if _outside(group, "gather"):
        return None
    found = joined_group(group)
    t = given_tensor(tensor, "tensor", found)
    target = group_rank_of(found, 0 if dst is None and group_dst is None else dst, group_dst)
    here = found.rank() == target
    if here and not gather_list:
        raise ValueError("Argument ``gather_list`` must be specified on destination rank.")
    if not here and gather_list:
        raise ValueError("Argument ``gather_list`` must NOT be specified on non-destination ranks.")
    rows = exchange.every_row(found, _device(t), read(t))
    targets = _given_list(gather_list, "gather_list", found) if here else []
    for each, row in zip(targets, rows, strict=False):
        write_raw(each, row)
    return _done(targets, async_op)


def scatter(
    tensor: Tensor,
    scatter_list: list[Tensor] | None = None,
    src: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """Writes into each process's tensor its own of the list that process ``src`` gives."""
    if _outside(group, "scatter"):
        return None
    found = joined_group(group)
    t = given_tensor(tensor, "tensor", found)
    source = group_rank_of(found, 0 if src is None and group_src is None else src, group_src)
    here = found.rank() == source
    if here and not scatter_list:
        raise ValueError("Argument ``scatter_list`` must be specified on source rank.")
    if not here and scatter_list:
        raise ValueError("Argument ``scatter_list`` must NOT be specified on non-source ranks.")
    parts = _given_list(scatter_list, "scatter_list", found) if here else [t] * found.size()
    _same(parts, t)
    write_raw(t, exchange.rows_for_me(found, _device(t), _rows_of(parts), source=source))
    return _done([t], async_op)


def reduce_scatter(
    output: Tensor, input_list: list[Tensor], op: ReduceOp = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """Writes into ``output`` the reduction of what all processes have in this one's place of their lists."""
    if _outside(group, "reduce_scatter"):
        return None
    found = joined_group(group)
    out = given_tensor(output, "output", found)
    parts = _given_list(input_list, "input_list", found)
    _same(parts, out)
    write_raw(out, exchange.rows_for_me(found, _device(out), _rows_of(parts), op=ReduceOp(op)))
    return _done([out], async_op)


def reduce_scatter_tensor(
    output: Tensor, input: Tensor, op: ReduceOp = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """Writes into ``output`` this process's piece of the reduction of all inputs."""
    if _outside(group, "reduce_scatter_tensor"):
        return None
    found = joined_group(group)
    out, t = given_tensor(output, "output", found), given_tensor(input, "input", found)
    _same([out], t)
    if t.numel() != out.numel() * found.size():
        raise ValueError("input tensor must be the same size as output size times world size")
    rows = t.detach().reshape((found.size(), *out._a.shape))
    write_raw(out, exchange.rows_for_me(found, _device(out), read(rows), op=ReduceOp(op)))
    return _done([out], async_op)


def all_to_all(
    output_tensor_list: list[Tensor], input_tensor_list: list[Tensor], group: Any = None, async_op: bool = False
) -> Work | None:
    """Writes into a list what every process has in this one's place of theirs; all of one shape."""
    if _outside(group, "all_to_all"):
        return None
    found = joined_group(group)
    targets = _given_list(output_tensor_list, "output_tensor_list", found)
    parts = _given_list(input_tensor_list, "input_tensor_list", found)
    _same(targets, parts[0])
    rows = exchange.transposed(found, _device(parts[0]), _rows_of(parts))
    for target, row in zip(targets, rows, strict=True):
        write_raw(target, row)
    return _done(targets, async_op)


def all_to_all_single(
    output: Tensor,
    input: Tensor,
    output_split_sizes: Sequence[int] | None = None,
    input_split_sizes: Sequence[int] | None = None,
    group: Any = None,
    async_op: bool = False,
) -> Work | None:
    """Writes into ``output`` the pieces that every process has for this one, behind each other; equal pieces only."""
    if _outside(group, "all_to_all_single"):
        return None
    found = joined_group(group)
    out, t = given_tensor(output, "output", found), given_tensor(input, "input", found)
    for sizes in (output_split_sizes, input_split_sizes):
        if sizes and len(set(sizes)) > 1:
            raise NotImplementedError(
                f"all_to_all_single() with pieces of several sizes: {list(sizes)}; use equal ones"
            )
    _same([out], t)
    rows = t.detach().reshape((found.size(), -1))
    write_raw(out, exchange.transposed(found, _device(t), read(rows)).reshape(tuple(out._a.shape)))
    return _done([out], async_op)


def barrier(
    group: Any = None, async_op: bool = False, device_ids: Any = None, timeout: timedelta | None = None
) -> Work | None:
    """Waits until every process of the group is here."""
    if _outside(group, "barrier"):
        return None
    found = joined_group(group)
    mark: Tensor = FUNCTIONS["ones"]((), backend=found.library)
    all_reduce(mark, group=group)
    mark.item()  # waits
    return _done([mark], async_op)


def monitored_barrier(group: Any = None, timeout: Any = None, wait_all_ranks: bool = False) -> None:
    """Waits until every process of the group is here; one that has died is an error in the others."""
    barrier(group)
