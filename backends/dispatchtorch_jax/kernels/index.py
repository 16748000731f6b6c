"""Reading at index arrays, which the core has checked: XLA need not guard against places outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

__all__ = ["KERNELS"]


def _index(a: Any, indices: Sequence[Any], dims: tuple[int, ...]) -> Any:
    where: list[Any] = [slice(None)] * a.ndim
    for dim, index in zip(dims, indices, strict=True):
        where[dim] = index
    return a.at[tuple(where)].get(mode="promise_in_bounds")


KERNELS: Final[dict[str, Callable[..., Any]]] = {"_index": _index}
