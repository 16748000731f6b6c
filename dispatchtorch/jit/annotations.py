"""torch.jit.annotations: the names that code meant for scripting annotates with."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union  # noqa: UP035 - the names are the point

__all__ = [
    "Any", "BroadcastingList1", "BroadcastingList2", "BroadcastingList3", "Dict", "List", "NamedTuple", "Optional",
    "Tuple", "Union",
]  # fmt: skip


class _BroadcastingList:
    """A list of a fixed length for which one number may stand; an annotation, subscripted by the element's type."""

    def __class_getitem__(cls, types: Any) -> None:
        return None

    def __getitem__(self, types: Any) -> None:
        return None


BroadcastingList1 = _BroadcastingList()
BroadcastingList2 = _BroadcastingList()
BroadcastingList3 = _BroadcastingList()
BroadcastingList4 = _BroadcastingList()
BroadcastingList5 = _BroadcastingList()
BroadcastingList6 = _BroadcastingList()
