"""Averages of a model's weights along its training: plain means (Izmailov et al. 2018) and exponential ones.

``torch.optim.swa_utils``. The one file of this room that knows modules.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Literal

from dispatchtorch._base.dtypes import int64
from dispatchtorch.autograd.grad_mode import no_grad
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.dispatch.tracing import tracing
from dispatchtorch.nn.modules.batchnorm import _BatchNorm
from dispatchtorch.nn.modules.module import Module
from dispatchtorch.optim.conditions import number
from dispatchtorch.optim.lr_scheduler.base import LRScheduler, Rate, per_group
from dispatchtorch.optim.optimizer import Optimizer
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

Average = Callable[[Tensor, Tensor, Any], Tensor]
MultiAverage = Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]


def _require_share(decay: float) -> None:
    if decay < 0.0 or decay > 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def _is_continuous(t: Tensor) -> bool:
    return t.is_floating_point() or t.is_complex()


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAverage:
    """Returns a function that moves lists of averages towards lists of values by ``1 - decay``, in place."""
    _require_share(decay)

    def ema_update(ema_param_list: Sequence[Tensor], current_param_list: Sequence[Tensor], _: Any) -> None:
        with no_grad():
            for mean, value in zip(ema_param_list, current_param_list, strict=True):
                if _is_continuous(mean):
                    mean.lerp_(value, 1 - decay)
                else:
                    mean.copy_(mean * decay + value * (1 - decay))

    return ema_update


def get_swa_multi_avg_fn() -> MultiAverage:
    """Returns a function that takes lists of values into lists of means of ``num_averaged`` others, in place."""

    def swa_update(
        averaged_param_list: Sequence[Tensor], current_param_list: Sequence[Tensor], num_averaged: Any
    ) -> None:
        with no_grad():
            for mean, value in zip(averaged_param_list, current_param_list, strict=True):
                if _is_continuous(mean):
                    share = 1 / (number(num_averaged) + 1)
                    mean.lerp_(value, share.to(mean.dtype) if isinstance(share, Tensor) else share)
                else:
                    mean.copy_(mean + (value - mean) / (num_averaged + 1))

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """Returns a function of an average and a value: ``decay`` of the one and the rest of the other."""
    _require_share(decay)

    def ema_update(ema_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        with no_grad():
            return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn() -> Average:
    """Returns a function of a mean, a value and how many the mean is of: the mean with the value in it."""

    def swa_update(averaged_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        with no_grad():
            mean: Tensor = averaged_param + (current_param - averaged_param) / (num_averaged + 1)
            return mean

    return swa_update


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of it, over the calls of `update_parameters`.

    ``avg_fn(average, value, count)`` returns a new average, ``multi_avg_fn`` writes lists of them; without either it is
    the plain mean. ``use_buffers`` averages buffers too; else they are the model's last ones.

    >>> model = torch.nn.Linear(1, 1)
    >>> mean = torch.optim.swa_utils.AveragedModel(model)
    >>> for value in (1.0, 2.0):
    ...     _ = torch.nn.init.constant_(model.weight, value); mean.update_parameters(model)
    >>> mean.module.weight
    Parameter containing:
    tensor([[1.5000]], requires_grad=True)
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: MultiAverage | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", FUNCTIONS["tensor"](0, dtype=int64, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Returns what the averaged model makes of its arguments."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Takes the model's present parameters into the averages; the first call copies them."""
        mine: Iterable[Tensor] = self.parameters()
        theirs: Iterable[Tensor] = model.parameters()
        if self.use_buffers:
            mine = chain(self.module.parameters(), self.module.buffers())
            theirs = chain(model.parameters(), model.buffers())
        pairs = [(mean.detach(), value.detach().to(mean.device)) for mean, value in zip(mine, theirs)]
        if tracing.now is not None:  # both are computed, and how many there are chooses
            first = self.n_averaged.eq(0)
            self._average(pairs)
            for mean, value in pairs:
                mean.copy_(FUNCTIONS["where"](first, value, mean))
        elif int(self.n_averaged.item()) == 0:
            for mean, value in pairs:
                mean.copy_(value)
        else:
            self._average(pairs)
        if not self.use_buffers:
            for kept, buffer in zip(self.module.buffers(), model.buffers(), strict=True):
                kept.detach().copy_(buffer.detach().to(kept.device))
        self.n_averaged += 1

    def _average(self, pairs: list[tuple[Tensor, Tensor]]) -> None:
        if self.avg_fn is not None:
            for mean, value in pairs:
                mean.copy_(self.avg_fn(mean, value, self.n_averaged.to(mean.device)))
            return
        average = self.multi_avg_fn or get_swa_multi_avg_fn()
        alike: dict[Any, tuple[list[Tensor], list[Tensor]]] = {}
        for mean, value in pairs:
            means, values = alike.setdefault((str(mean.device), mean.dtype), ([], []))
            means.append(mean)
            values.append(value)
        for means, values in alike.values():
            average(means, values, self.n_averaged.to(means[0].device))


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Computes the running statistics of a model's batch norms anew, from one pass over ``loader``.

    Batches are tensors, or tuples of which the first is the model's input. A model without batch norm is left alone.
    """
    norms = {module: module.momentum for module in model.modules() if isinstance(module, _BatchNorm)}
    if not norms:
        return
    training = model.training
    model.train()
    for module in norms:
        module.reset_running_stats()
        module.momentum = None
    with no_grad():
        for batch in loader:
            batch = batch[0] if isinstance(batch, (list, tuple)) else batch
            model(batch if device is None else batch.to(device))
    for module, momentum in norms.items():
        module.momentum = momentum
    model.train(training)


class SWALR(LRScheduler):
    """The rate from where it is to ``swa_lr`` in ``anneal_epochs`` epochs, along a cosine or a line; then it stays."""

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ) -> None:
        for rate, group in zip(per_group("swa_lr", optimizer, swa_lr), optimizer.param_groups, strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._anneal_strategy = anneal_strategy
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, step: int) -> float:
        """Returns how far the way has been gone after ``step`` epochs, from 0 to 1."""
        part = max(0, min(1, step / max(1, self.anneal_epochs)))
        return part if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * part)) / 2

    def get_lr(self) -> list[Rate]:
        """Returns the rates for this epoch; a warning outside `step`."""
        self._warn_outside_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        gone, going = self._share(step - 1), self._share(step)
        rates = []
        for group in self.optimizer.param_groups:
            last = group["swa_lr"]
            first = last if gone == 1 else (group["lr"] - gone * last) / (1 - gone)
            rates.append(last * going + first * (1 - going))
        return rates
