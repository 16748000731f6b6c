"""What schedules share: counting epochs, writing rates into groups, saving; and the usual shape of one.

A schedule is torch's recursion: the next rate from the present one, so that several can be chained and a program may
change a rate in between. Where an epoch is named outright, the closed form is used.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, Final

from dispatchtorch.dispatch.tracing import tracing
from dispatchtorch.optim.optimizer import Optimizer
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["EPOCH_DEPRECATION", "GroupSchedule", "LRScheduler", "per_group", "require_optimizer", "set_option"]

Rate = Any  # a float, or a tensor of one element

EPOCH_DEPRECATION: Final = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. Please use "
    "`scheduler.step()` to step the scheduler. During the deprecation, if epoch is different from None, the closed "
    "form is used instead of the new chainable form, where available. Please open an issue if you are unable to "
    "replicate your use case: https://github.com/pytorch/pytorch/issues/new/choose."
)
_ORDER: Final = (
    "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 and later, you should call "
    "them in the opposite order: `optimizer.step()` before `lr_scheduler.step()`.  Failure to do this will result in "
    "PyTorch skipping the first value of the learning rate schedule. See more details at "
    "https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"
)


def require_optimizer(optimizer: Any) -> Optimizer:
    """Returns the optimizer; TypeError in torch's words for anything else."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
    return optimizer


def per_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """Returns one value for each group: a list as it is, a single value repeated."""
    groups = optimizer.param_groups
    if isinstance(value, (list, tuple)):
        if len(value) != len(groups):
            raise ValueError(
                f"{name} must have the same length as optimizer.param_groups. {name} has {len(value)} values, "
                f"param_groups has {len(groups)}."
            )
        return list(value)
    return [value] * len(groups)


def _own(value: Rate) -> Rate:
    return value.detach().clone() if isinstance(value, Tensor) else value


def set_option(group: dict[str, Any], name: str, value: Any) -> None:
    """Writes an option of a group; into the tensor, where it is one."""
    if isinstance(group[name], Tensor):
        group[name].fill_(value)
    else:
        group[name] = value


def _on_the_host(step: Callable[..., None]) -> Callable[..., None]:
    """Returns a schedule's ``step`` that a traced function has done at each run of its program."""

    @functools.wraps(step)
    def stepped(self: LRScheduler, *args: Any, **kwargs: Any) -> None:
        if tracing.now is not None:
            tracing.now.effect(self, lambda: step(self, *args, **kwargs))
        else:
            step(self, *args, **kwargs)

    return stepped


class LRScheduler:
    """The base of schedules; a program's own one overrides `get_lr`.

    ``last_epoch``: -1 starts; another one resumes, and then each group must have its ``initial_lr``.
    """

    _get_lr_called_within_step: bool = False
    _is_initial: bool = False
    last_epoch: int

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = require_optimizer(optimizer)
        groups = optimizer.param_groups
        if last_epoch == -1:
            for group in groups:
                group.setdefault("initial_lr", _own(group["lr"]))
        else:
            for i, group in enumerate(groups):
                if "initial_lr" not in group:
                    raise KeyError(
                        f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with "
                        "last_epoch >= 0.\nThis typically happens when:\n1. You're trying to resume training from a "
                        "checkpoint but haven't properly loaded the optimizer state\n2. You're using last_epoch >= 0 "
                        "for a fresh training run (not recommended)"
                    )
        self.base_lrs: list[Rate] = [_own(group["initial_lr"]) for group in groups]
        self.last_epoch = last_epoch
        if "_scheduled" not in optimizer.__dict__:
            optimizer.__dict__["_scheduled"] = True
            optimizer._opt_called = False
        self._initial_step()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = vars(cls).get("step")
        if own is not None:
            cls.step = _on_the_host(own)  # type: ignore[method-assign]  # the same, but in a trace

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def state_dict(self) -> dict[str, Any]:
        """Returns all that the schedule knows, the optimizer excepted."""
        return {name: value for name, value in self.__dict__.items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues from what `state_dict` returned."""
        self.__dict__.update(state_dict)

    def get_last_lr(self) -> list[Rate]:
        """Returns the rates that were written last, one for each group."""
        if tracing.now is not None:
            tracing.now.refuse("a schedule is asked for its rate, which is a number on the host")
        return self._last_lr

    def get_lr(self) -> list[Rate]:
        """Returns the rates for `last_epoch`, one for each group."""
        raise NotImplementedError

    def step(self, epoch: int | None = None) -> None:
        """Goes on by one epoch, or to the one given, and writes the rates."""
        if tracing.now is not None:
            tracing.now.effect(self, lambda: self.step(epoch))
            return
        if self._step_count == 1 and not self.optimizer._opt_called:
            warnings.warn(_ORDER, UserWarning, stacklevel=2)
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_DEPRECATION, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        self._get_lr_called_within_step = True
        try:
            if epoch is None:
                self.last_epoch += 1
                rates = self.get_lr()
            else:
                self.last_epoch = epoch
                rates = self._get_closed_form_lr()
        finally:
            self._get_lr_called_within_step = False
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            set_option(group, "lr", rate)
        self._last_lr: list[Rate] = [_own(group["lr"]) for group in self.optimizer.param_groups]

    def _get_closed_form_lr(self) -> list[Rate]:
        return self.get_lr()

    def _warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.",
                UserWarning,
                stacklevel=3,
            )


class GroupSchedule(LRScheduler):
    """A schedule that treats all groups alike: a subclass gives `_first`, `_next` and `_closed`."""

    def get_lr(self) -> list[Rate]:
        """Returns the rates for `last_epoch`; a warning outside `step`, where it would count twice."""
        self._warn_outside_step()
        groups = self.optimizer.param_groups
        if self._is_initial:
            return [self._first(group["lr"]) for group in groups]
        return [self._next(group["lr"], base) for group, base in zip(groups, self.base_lrs, strict=True)]

    def _get_closed_form_lr(self) -> list[Rate]:
        return [self._closed(base) for base in self.base_lrs]

    def _first(self, rate: Rate) -> Rate:
        return rate

    def _next(self, rate: Rate, base: Rate) -> Rate:
        """Returns the rate after ``rate``, in a group that began with ``base``."""
        raise NotImplementedError

    def _closed(self, base: Rate) -> Rate:
        """Returns the rate at `last_epoch` of a group that began with ``base``."""
        raise NotImplementedError
