"""What cannot be done to a batched tensor, in torch's words."""

from __future__ import annotations

__all__ = ["RANDOM", "DataDependentError", "DynamicShapeError"]

ITEM = (
    "vmap: It looks like you're calling .item() on a Tensor. We don't support vmap over calling .item() on a Tensor, "
    "please try to rewrite what you're doing with other operations. If error is occurring somewhere inside PyTorch "
    "internals, please file a bug report."
)
BRANCH = (
    "vmap: It looks like you're attempting to use a Tensor in some data-dependent control flow. We don't support that "
    "yet, please file an issue at https://github.com/pytorch/pytorch/issues ."
)
NO_DATA = "Cannot access data pointer of Tensor that doesn't have storage"
RANDOM = (
    "vmap: called random operation while in randomness error mode. Please either use the 'same' or 'different' "
    "randomness flags on vmap or perform the randomness operation out of vmap"
)
UNBATCHED = (
    "vmap: Cannot ask for different inplace randomness on an unbatched tensor. This will appear like same randomness. "
    "If this is necessary for your usage, please file an issue with functorch."
)
MASK = (
    "vmap: We do not support batching operators that can support dynamic shape. Attempting to batch over indexing with "
    "a boolean mask."
)


class DataDependentError(RuntimeError, TypeError):
    """Somebody asked for the values of a tensor that has others for every example.

    A TypeError too, since that is what arrays without values raise: checks of values are then left out.
    """


class DynamicShapeError(RuntimeError):
    """An op whose result has another shape for every example."""

    def __init__(self, op: str) -> None:
        name = {"unique": "_unique2"}.get(op, op)
        super().__init__(
            "vmap: We do not support batching operators that can output dynamic shape. Attempted to vmap over "
            f"aten::{name}. Please file an issue at https://github.com/pytorch/pytorch/issues if you need this feature."
        )
