"""Where a spread tensor's values are along one dimension of a mesh: cut, whole everywhere, or yet to be added up.

Must not know: tensors, meshes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispatchtorch.plugin.meshes import Split

__all__ = ["Partial", "Placement", "Replicate", "Shard", "normalized", "of_split", "split_of"]


class Placement:
    """What is on the devices along one dimension of a mesh."""

    __slots__ = ()

    def is_shard(self, dim: int | None = None) -> bool:
        """Returns whether the tensor is cut, and along ``dim`` if that is given."""
        return False

    def is_replicate(self) -> bool:
        """Returns whether every device has the same."""
        return isinstance(self, Replicate)

    def is_partial(self, reduce_op: str | None = None) -> bool:
        """Returns whether the devices' values have yet to be reduced."""
        return False


class Shard(Placement):
    """Every device has an equal piece of dimension ``dim``.

    >>> Shard(0)
    Shard(dim=0)
    """

    __slots__ = ("dim",)

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def is_shard(self, dim: int | None = None) -> bool:
        """Returns whether the tensor is cut, and along ``dim`` if that is given."""
        return dim is None or dim == self.dim

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shard) and other.dim == self.dim

    def __hash__(self) -> int:
        return hash(self.dim)

    def __repr__(self) -> str:
        return f"Shard(dim={self.dim})"

    def __str__(self) -> str:
        return f"S({self.dim})"


class Replicate(Placement):
    """Every device has the whole.

    >>> Replicate()
    Replicate()
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Replicate)

    def __hash__(self) -> int:
        return -1

    def __repr__(self) -> str:
        return "Replicate()"

    def __str__(self) -> str:
        return "R"


class Partial(Placement):
    """Every device has a part, and all of them reduced by ``reduce_op`` are the tensor.

    Only `DTensor.from_local` takes it: the library reduces at once, so no tensor stays partial.

    >>> Partial()
    Partial(sum)
    """

    __slots__ = ("reduce_op",)

    def __init__(self, reduce_op: str = "sum") -> None:
        self.reduce_op = reduce_op

    def is_partial(self, reduce_op: str | None = None) -> bool:
        """Returns whether the devices' values have yet to be reduced, and so."""
        return reduce_op is None or reduce_op == self.reduce_op

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Partial) and other.reduce_op == self.reduce_op

    def __hash__(self) -> int:
        return 1 + hash(self.reduce_op)

    def __repr__(self) -> str:
        return f"Partial({self.reduce_op})"

    def __str__(self) -> str:
        return f"P({self.reduce_op})"


def normalized(placements: Sequence[Any], ndim: int) -> tuple[Placement, ...]:
    """Returns placements with dims counted from the front."""
    return tuple([Shard(p.dim + ndim) if isinstance(p, Shard) and p.dim < 0 else p for p in placements])


def split_of(placements: Sequence[Placement]) -> Split:
    """Returns placements as backends take them; a partial one cuts nothing."""
    return tuple([p.dim if isinstance(p, Shard) else None for p in placements])


def of_split(split: Split) -> tuple[Placement, ...]:
    """Returns a backend's account as placements."""
    return tuple([Replicate() if dim is None else Shard(dim) for dim in split])
