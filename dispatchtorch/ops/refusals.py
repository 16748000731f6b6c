"""Which dtypes an op refuses, in torch's words: checks that run when a plan is made, never on a later call.

Each function returns or is a ``check(keys, common)`` for `pointwise`; keys may be None, a number's type, or a `Key`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dispatchtorch._base.dtypes import BOOL, COMPLEX, FLOATING, INTEGRAL, DType
from dispatchtorch.tensor.key import Key

__all__ = ["Check", "not_complex", "not_implemented", "subtraction"]

Check = Callable[[Sequence[Any], DType], None]
CATEGORIES = {"bool": BOOL, "integral": INTEGRAL, "floating": FLOATING, "complex": COMPLEX}


def not_implemented(kernel: str, *categories: str) -> Check:
    """Returns a check that refuses whole categories of the common dtype: "bool", "integral", "floating", "complex", and
    "half" for float16 and bfloat16.
    """
    refused = {CATEGORIES[c] for c in categories if c != "half"}
    half = "half" in categories

    def check(keys: Sequence[Any], common: DType) -> None:
        if common.category in refused or (half and common.category == FLOATING and common.itemsize == 2):
            raise NotImplementedError(f"\"{kernel}\" not implemented for '{common.legacy}'")

    return check


def not_complex(sentence: str, kind: type[Exception] = RuntimeError) -> Check:
    """Returns a check that refuses complex arguments with a sentence of its own."""

    def check(keys: Sequence[Any], common: DType) -> None:
        if common.category == COMPLEX:
            raise kind(sentence)

    return check


def subtraction(keys: Sequence[Any], common: DType) -> None:
    """Refuses to subtract masks."""
    masks = [k is bool or (isinstance(k, Key) and k.dtype.category == BOOL) for k in keys]
    if all(masks):
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` "
            "operator instead."
        )
    if any(masks):
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, "
            "use the `~` or `logical_not()` operator instead."
        )
