"""What an option of an optimizer must be, with torch's sentences."""

from __future__ import annotations

from typing import Any

from dispatchtorch.dispatch.tracing import tracing
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["is_on", "number", "require_betas", "require_lr", "require_not_negative", "scalar"]


def number(value: Any) -> Any:
    """Returns an option that may be a tensor of one element as a number; while a step is traced, as a 0-d tensor."""
    if not isinstance(value, Tensor):
        return value
    if tracing.now is None:
        return float(value.item())
    return (value.reshape(()) if value.dim() else value).double()


def is_on(value: Any) -> bool:
    """Returns whether an option is not 0; one that is a tensor is taken to be on."""
    return isinstance(value, Tensor) or value != 0


def scalar(value: Any) -> Any:
    """Returns an option that may be a tensor of one element, which then has no dimension."""
    return value.squeeze() if isinstance(value, Tensor) and value.dim() != 0 else value


def require_lr(lr: Any) -> None:
    """Raises ValueError for a negative learning rate, or a tensor of several."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    require_not_negative("learning rate", lr)


def require_not_negative(words: str, value: Any) -> None:
    """Raises ValueError unless ``value`` is 0 or more; nan is refused."""
    if not number(value) >= 0.0:
        raise ValueError(f"Invalid {words}: {value}")


def require_betas(betas: tuple[Any, Any]) -> None:
    """Raises ValueError unless both rates of decay are in [0, 1)."""
    for index, beta in enumerate(betas):
        if not 0.0 <= number(beta) < 1.0:
            raise ValueError(f"Invalid beta parameter at index {index}: {beta}")
