"""Momentum that moves against the rate: where it is kept, and what it begins with. For schedules that go in cycles."""

from __future__ import annotations

from typing import Any

from dispatchtorch.optim.lr_scheduler.base import per_group
from dispatchtorch.optim.optimizer import Optimizer

__all__ = ["set_momentum", "start_momentum"]


def set_momentum(group: dict[str, Any], use_beta1: bool, value: float) -> None:
    """Writes a group's momentum, or the first of its betas."""
    if use_beta1:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value


def start_momentum(optimizer: Optimizer, base: Any, most: Any, fresh: bool) -> tuple[bool, list[Any], list[Any]]:
    """Returns whether momentum is the first beta, each group's least and its greatest, written if ``fresh``.

    ValueError in torch's words for an optimizer without either.
    """
    if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
        raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
    use_beta1 = "betas" in optimizer.defaults
    lows, highs = per_group("base_momentum", optimizer, base), per_group("max_momentum", optimizer, most)
    if fresh:
        for group, low, high in zip(optimizer.param_groups, lows, highs, strict=True):
            set_momentum(group, use_beta1, high)
            group["max_momentum"], group["base_momentum"] = high, low
    return use_beta1, lows, highs
