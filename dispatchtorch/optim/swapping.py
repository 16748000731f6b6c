"""Another set of parameters and state under an optimizer, for the length of a block."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from dispatchtorch.optim.optimizer import Optimizer
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["swap_in_optimizer_params_and_state"]

_NAME: Final = "swap_in_optimizer_params_and_state"


@contextmanager
def swap_in_optimizer_params_and_state(
    optimizer: Optimizer, swapin_parameters: dict[str, Tensor], swapin_optim_state: dict[str, Any]
) -> Iterator[None]:
    """Puts other parameters, options and state into an optimizer within the block, and takes them out after it.

    ``swapin_parameters``: in the order of the optimizer's own; ``swapin_optim_state``: as `Optimizer.state_dict`
    returns it. Tensors of that state are written by steps within; what is newly assigned is dropped. RuntimeError in
    torch's words where the two do not match.

    >>> w, v = (torch.ones(1, requires_grad=True) for _ in range(2))
    >>> optimizer = torch.optim.SGD([w], lr=0.5, momentum=0.9)
    >>> w.sum().backward(); optimizer.step()
    >>> with torch.optim.swap_in_optimizer_params_and_state(optimizer, {"v": v}, optimizer.state_dict()):
    ...     v.sum().backward(); optimizer.step()
    >>> v.item() < w.item() == 0.5
    True
    """
    if not optimizer.state:
        raise RuntimeError(f"{_NAME} requires initialized optimizer state.")
    if not isinstance(swapin_optim_state, dict):
        raise RuntimeError(f"{_NAME} requires a DCP-style optimizer state_dict.")
    saved = _checked_state(swapin_optim_state.get("state"))
    groups = _checked_groups(optimizer, swapin_optim_state.get("param_groups"))
    given = iter(swapin_parameters.values())
    params = [_taken(given, len(group["params"])) for group in groups]
    known = {number for group in groups for number in group["params"]}
    extra = [key for key in saved if key not in known]
    if extra:
        raise RuntimeError(
            f"{_NAME} requires swapin_optim_state['state'] to be keyed only by packed parameter ids from "
            f"param_groups[*]['params']; got extra keys {extra!r}."
        )
    own_state, own_groups = optimizer.state, [dict(group) for group in optimizer.param_groups]
    state: defaultdict[Any, Any] = defaultdict(dict)
    try:
        for live, group, new in zip(optimizer.param_groups, groups, params, strict=True):
            live.update({**group, "params": new})
            for p, number in zip(new, group["params"], strict=True):
                state[p] = dict(saved.get(number, {}))
        optimizer.state = state
        yield
    finally:
        for live, own in zip(optimizer.param_groups, own_groups, strict=True):
            live.clear()
            live.update(own)
        optimizer.state = own_state


def _taken(given: Iterator[Tensor], count: int) -> list[Tensor]:
    found = [p for _, p in zip(range(count), given)]
    if len(found) < count:
        raise RuntimeError(f"{_NAME} requires the explicit parameter state to match optimizer.param_groups ordering.")
    return found


def _checked_state(state: Any) -> dict[Any, Any]:
    if not isinstance(state, dict):
        raise RuntimeError(
            f"{_NAME} requires swapin_optim_state['state'] to be a dict mapping packed parameter ids to per-param "
            f"state dicts, got {type(state).__name__}."
        )
    if any(isinstance(key, Tensor) for key in state):
        raise RuntimeError(f"{_NAME} requires optimizer.state_dict()-style state keyed by packed parameter ids.")
    if any(isinstance(key, int) and not isinstance(value, dict) for key, value in state.items()):
        raise RuntimeError(f"{_NAME} requires per-parameter optimizer state entries to be dictionaries.")
    return state


def _checked_groups(optimizer: Optimizer, groups: Any) -> list[dict[str, Any]]:
    if not isinstance(groups, list):
        raise RuntimeError(
            f"{_NAME} requires swapin_optim_state['param_groups'] to be a list of param-group dicts, got "
            f"{type(groups).__name__}."
        )
    if len(optimizer.param_groups) != len(groups):
        raise RuntimeError("swapin_optim_state has a different number of parameter groups than the live optimizer.")
    for i, (live, group) in enumerate(zip(optimizer.param_groups, groups, strict=True)):
        if not isinstance(group, dict):
            raise RuntimeError(f"{_NAME} requires each optimizer param group to be a dictionary.")
        numbers = group.get("params")
        if not isinstance(numbers, list) or not all(isinstance(number, int) for number in numbers):
            raise RuntimeError(
                f"{_NAME} requires optimizer.state_dict()-style param_groups[*]['params'] entries keyed by packed "
                "parameter ids."
            )
        if len(live["params"]) != len(numbers):
            raise RuntimeError(
                f"swapin_optim_state param group {i} has a different number of params than the live optimizer param "
                "group."
            )
        theirs, ours = [k for k in group if k not in live], [k for k in live if k not in group]
        if theirs or ours:
            raise RuntimeError(
                f"{_NAME} requires optimizer.state_dict()-style param group keys to exactly match the live optimizer "
                f"group keys for group {i}. Keys only in swap-in: {theirs}. Keys only in live: {ours}."
            )
    return groups
