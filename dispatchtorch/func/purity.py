"""Functions without side effects, and tensors without levels."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from dispatchtorch.batching.array import Batched
from dispatchtorch.tensor.tensor import Tensor, read

__all__ = ["debug_unwrap", "functionalize"]


def functionalize(func: Callable[..., Any], *, remove: str = "mutations") -> Callable[..., Any]:
    """Returns the function: that writes and views are carried out on other arrays is every immutable backend's affair.

    What it writes into its inputs is seen by the caller, as in torch. RuntimeError for an unknown ``remove``.
    """
    if remove not in ("mutations", "mutations_and_views"):
        raise RuntimeError(
            f"functionalize(f, remove='mutations'): received invalid argument for remove={remove}. Valid options are:\n"
            "     remove='mutations': all inplace and out= operators will be removed from the program, and replaced "
            "with their out-of-place equivalents.\n"
            "     remove='mutations_and_views': In addition to the above, all aliasing operators {view} will be "
            "replaced with their non-aliasing counterparts, {view}_copy.\n"
        )

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return wrapped


def debug_unwrap(tensor: Tensor, *, recurse: bool = True) -> Tensor:
    """Returns what a batched tensor holds, the level's dimension in front; any other tensor itself. For debugging.

    ``recurse``: through all levels.
    """
    raw = read(tensor)
    if not isinstance(raw, Batched):
        return tensor
    return debug_unwrap(raw.inner) if recurse else raw.inner
