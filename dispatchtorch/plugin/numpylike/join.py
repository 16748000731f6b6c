"""Shared kernels that make one array of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispatchtorch.plugin.numpylike import kernel

Array = Any


@kernel
def _cat(xp: Any, arrays: Sequence[Array], dim: int) -> Array:
    return xp.concatenate(arrays, axis=dim)


@kernel
def _stack(xp: Any, arrays: Sequence[Array], dim: int) -> Array:
    return xp.stack(arrays, axis=dim)


@kernel
def _unsafe_view(xp: Any, a: Array, shape: tuple[int, ...]) -> Array:
    return xp.reshape(a, shape)
