"""Which parameters a backend's own kernel can move in one call, and that kernel.

Most of a step on small parameters is the way of each op to its kernel. A backend whose arrays can be written may give
a kernel that moves a whole list of them, with the arithmetic of the optimizer's own update, number for number; where it
gives none, and for parameters that are not plain arrays, each one is moved by ops. Must not know: any single method.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dispatchtorch.dispatch.overriding import state as overriding
from dispatchtorch.plugin.backend import Kernel
from dispatchtorch.plugin.manager import manager, when_plugins_change
from dispatchtorch.tensor.key import Key
from dispatchtorch.tensor.tensor import Parameter, Tensor, cell_of

__all__ = ["is_plain", "kernel_for_all", "written"]

_kernels: Final[dict[tuple[str, Key], Kernel | None]] = {}
_PLAIN: Final = ("float32", "float64")

when_plugins_change(_kernels.clear)


def kernel_for_all(name: str, key: Key) -> Kernel | None:
    """Returns the kernel that moves many parameters with this key in one call; None where there is none.

    Where a plugin looks at kernels there is none either: it gets to see the ops, which it knows.
    """
    at = (name, key)
    if at not in _kernels:
        found = None
        if key.native and not key.inference and key.dtype.name in _PLAIN:
            found = key.backend.kernels.get(name)
        if found is not None and manager().wrap_kernel(name, key.backend.name, found)[0] is not found:
            found = None
        _kernels[at] = found
    return None if overriding.modes else _kernels[at]


def is_plain(t: Tensor, like: Tensor) -> bool:
    """Returns whether ``t`` is an ordinary tensor over memory in row-major order, and otherwise like the second one."""
    kind, key, other = type(t), t._key, like._key
    if kind is not Tensor and kind is not Parameter:
        return False
    if key is not other and (key.backend is not other.backend or key.dtype is not other.dtype or key.inference):
        return False
    return bool(t._a.shape == like._a.shape and t._a.flags.c_contiguous)


def written(tensors: Sequence[Tensor]) -> list[Any]:
    """Returns the arrays, which the caller is about to write, and counts their versions."""
    arrays = []
    for t in tensors:
        cell = t._cell
        if cell is None:
            cell = cell_of(t)
        cell.version += 1
        arrays.append(t._a)
    return arrays
