"""What ``reduction`` means: checked once for all losses, torch's deprecated flags included."""

from __future__ import annotations

import warnings

from dispatchtorch.ops.loss import reduce
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["legacy_reduction", "reduced"]


def legacy_reduction(size_average: bool | None, reduce: bool | None, *, emit_warning: bool = True) -> str:
    """Returns the reduction that torch's old pair of flags means."""
    average = True if size_average is None else size_average
    once = True if reduce is None else reduce
    meant = "none" if not once else "mean" if average else "sum"
    if emit_warning:
        warnings.warn(
            f"size_average and reduce args will be deprecated, please use reduction='{meant}' instead.", stacklevel=3
        )
    return meant


def checked(reduction: str) -> str:
    """Returns the reduction; ValueError for one that does not exist."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def chosen(reduction: str, size_average: bool | None, reduce: bool | None) -> str:
    """Returns the reduction that a call means, old flags first."""
    if size_average is not None or reduce is not None:
        return legacy_reduction(size_average, reduce)
    return checked(reduction)


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """Returns the mean, the sum, or the losses themselves."""
    return reduce(loss, checked(reduction))
