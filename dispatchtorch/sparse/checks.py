"""The switch by which every new sparse tensor has its coordinates held against its sizes."""

from __future__ import annotations

from types import TracebackType

from dispatchtorch.ops.sparse import invariants

__all__ = ["check_sparse_tensor_invariants"]


class check_sparse_tensor_invariants:
    """A ``with`` block in which new sparse tensors are checked; ``enable`` and ``disable`` switch it for good.

    >>> with torch.sparse.check_sparse_tensor_invariants():
    ...     torch.sparse.check_sparse_tensor_invariants.is_enabled()
    True
    """

    def __init__(self, enable: bool = True) -> None:
        self.state = enable
        self._before: list[bool] = []

    @staticmethod
    def is_enabled() -> bool:
        """Returns whether new sparse tensors are checked."""
        return invariants.on

    @staticmethod
    def enable() -> None:
        """Has new sparse tensors checked."""
        invariants.on = True

    @staticmethod
    def disable() -> None:
        """Has new sparse tensors taken as they are."""
        invariants.on = False

    def __enter__(self) -> None:
        self._before.append(invariants.on)
        invariants.on = self.state

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        invariants.on = self._before.pop()
