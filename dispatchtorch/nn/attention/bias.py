"""Causal masks for queries and keys of different number; plain tensors of truth values here."""

from __future__ import annotations

from enum import IntEnum, auto

from dispatchtorch._base.dtypes import bool_
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["CausalVariant", "causal_lower_right", "causal_upper_left"]


class CausalVariant(IntEnum):
    """Which corner the diagonal of a mask starts from."""

    UPPER_LEFT = auto()
    LOWER_RIGHT = auto()


def _mask(size: tuple[int, ...], shift: int) -> Tensor:
    return FUNCTIONS["ones"](size, dtype=bool_).tril(shift)  # type: ignore[no-any-return]  # of the table


def _check(size: tuple[int, ...], name: str) -> None:
    if len(size) != 2:
        raise AssertionError(f"{name} only supports 2D tensors")


def causal_upper_left(*size: int) -> Tensor:
    """Returns the mask in which the first query sees the first key, (queries, keys).

    >>> causal_upper_left(2, 3).tolist()
    [[True, False, False], [True, True, False]]
    """
    _check(size, "causal_upper_left")
    return _mask(size, 0)


def causal_lower_right(*size: int) -> Tensor:
    """Returns the mask in which the last query sees the last key, (queries, keys).

    >>> causal_lower_right(2, 3).tolist()
    [[True, True, False], [True, True, True]]
    """
    _check(size, "causal_lower_right")
    return _mask(size, size[1] - size[0])
