"""The scaler of gradients: losses are multiplied so that small gradients survive float16, and divided before the step.

It knows of an optimizer its parameter groups and ``step`` only.
"""

from __future__ import annotations

import inspect
import warnings
from collections import defaultdict
from collections.abc import Iterable
from enum import Enum
from typing import Any

from dispatchtorch._base.dtypes import float16, float32, int32
from dispatchtorch.amp.autocast_mode import has_cuda
from dispatchtorch.autograd.grad_mode import no_grad
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.dispatch.tracing import tracing
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["GradScaler", "OptState"]


class OptState(Enum):
    """How far an optimizer has come since the last `GradScaler.update`."""

    READY = 0
    UNSCALED = 1
    STEPPED = 2


def _fresh() -> dict[str, Any]:
    return {"stage": OptState.READY, "found_inf_per_device": {}}


class GradScaler:
    """Scales losses by a factor that halves when gradients overflow, and doubles after ``growth_interval`` good steps.

    `scale` the loss, `step` the optimizer (skipped where a gradient is not finite), `update` the factor; `unscale_`
    comes before `step` where gradients are clipped. ``enabled=False`` makes all of them pass things through.

    >>> w = torch.tensor([1.0], requires_grad=True)
    >>> optimizer, scaler = torch.optim.SGD([w], lr=0.5), torch.amp.GradScaler("cpu", init_scale=8.0)
    >>> scaler.scale((w * 2).sum()).backward(); w.grad
    tensor([16.])
    >>> scaler.step(optimizer); scaler.update(); w
    tensor([0.], requires_grad=True)
    """

    _level = 2  # frames from a warning to the program

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._device = device
        self._enabled = enabled
        if device == "cuda" and enabled and not has_cuda():
            words = "torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling."
            warnings.warn(words, stacklevel=self._level)
            self._enabled = False
        if self._enabled:
            if growth_factor <= 1.0:
                raise AssertionError("The growth factor must be > 1.0.")
            if backoff_factor >= 1.0:
                raise AssertionError("The backoff factor must be < 1.0.")
            self._init_scale = init_scale
            self._scale: Tensor | None = None
            self._growth_factor = growth_factor
            self._backoff_factor = backoff_factor
            self._growth_interval = growth_interval
            self._init_growth_tracker = 0
            self._growth_tracker: Tensor | None = None
            self._per_optimizer_states: dict[int, dict[str, Any]] = defaultdict(_fresh)

    # --- scaling -----------------------------------------------------------------------------------------------------

    def _scale_like(self, t: Tensor) -> Tensor:
        """Returns the factor where ``t`` is; it is made when it is first needed, there."""
        if self._scale is None:
            place = {"device": t.device, "backend": t._key.backend}
            self._scale = FUNCTIONS["zeros"]((), dtype=float32, **place).fill_(self._init_scale)
            self._growth_tracker = FUNCTIONS["zeros"]((), dtype=int32, **place).fill_(self._init_growth_tracker)
        return self._scale.to(t.device)

    def scale(self, outputs: Any) -> Any:
        """Returns a tensor, or tensors in containers, times the factor."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * self._scale_like(outputs)
        if isinstance(outputs, Iterable):
            scaled = map(self.scale, outputs)
            return type(outputs)(scaled) if isinstance(outputs, (list, tuple)) else scaled
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    def _require_scale(self, name: str) -> tuple[Tensor, Tensor]:
        fix = "This may indicate your script did not use scaler.scale(loss or outputs) earlier in the iteration."
        if self._scale is None:
            raise AssertionError(f"Attempted {name} but _scale is None.  {fix}")
        if self._growth_tracker is None:
            raise AssertionError(f"Attempted {name} but _growth_tracker is None.  {fix}")
        return self._scale, self._growth_tracker

    def _unscale_grads_(self, optimizer: Any, inverse: Tensor, allow_fp16: bool) -> dict[Any, Tensor]:
        """Multiplies all gradients, and returns for each device 1 where one of them was not finite, else 0."""
        found: dict[Any, Tensor] = {}
        with no_grad():
            for group in optimizer.param_groups:
                for p in group["params"]:
                    if not isinstance(p, Tensor):
                        raise AssertionError(f"expected param to be torch.Tensor, got {type(p).__name__}")
                    if p.grad is None:
                        continue
                    if not allow_fp16 and p.grad.dtype is float16:
                        raise ValueError("Attempting to unscale FP16 gradients.")
                    if p.grad.is_sparse and p.grad.dtype is float16:
                        p.grad = p.grad.coalesce()
                    values = p.grad._values() if p.grad.is_sparse else p.grad.detach()
                    bad = FUNCTIONS["isfinite"](values).all().logical_not().to(float32)
                    before = found.get(values.device)
                    found[values.device] = bad if before is None else FUNCTIONS["maximum"](before, bad)
                    values.mul_(inverse.to(values.device))
        return found

    def unscale_(self, optimizer: Any) -> None:
        """Divides an optimizer's gradients by the factor; once between two updates, RuntimeError else."""
        if not self._enabled:
            return
        scale, _ = self._require_scale("unscale_")
        state = self._per_optimizer_states[id(optimizer)]
        if state["stage"] is OptState.UNSCALED:
            raise RuntimeError("unscale_() has already been called on this optimizer since the last update().")
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        inverse = scale.double().reciprocal().float()
        state["found_inf_per_device"] = self._unscale_grads_(optimizer, inverse, False)
        state["stage"] = OptState.UNSCALED

    # --- stepping ----------------------------------------------------------------------------------------------------

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Returns what ``optimizer.step(*args, **kwargs)`` does; None, and no step, where a gradient was not finite."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        self._require_scale("step")
        state = self._per_optimizer_states[id(optimizer)]
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if getattr(optimizer, "_step_supports_amp_scaling", False):
            result = self._step_scaled(optimizer, state, args, kwargs)
        else:
            if state["stage"] is OptState.READY:
                self.unscale_(optimizer)
            if not state["found_inf_per_device"]:
                raise AssertionError("No inf checks were recorded for this optimizer.")
            result = None
            if tracing.now is not None:
                result = _step_or_not(optimizer, state["found_inf_per_device"], args, kwargs)
            elif not sum(found.item() for found in state["found_inf_per_device"].values()):
                result = optimizer.step(*args, **kwargs)
        state["stage"] = OptState.STEPPED
        return result

    def _step_scaled(self, optimizer: Any, state: dict[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Returns the step of an optimizer that unscales gradients itself: it gets ``grad_scale`` and ``found_inf``."""
        if "grad_scaler" in inspect.signature(optimizer.step).parameters:
            warnings.warn(
                "GradScaler is going to stop passing itself as a keyword argument to the passed optimizer. In the near "
                "future GradScaler registers `grad_scale: Tensor` and `found_inf: Tensor` to the passed optimizer and "
                "let the optimizer use them directly.",
                FutureWarning,
                stacklevel=3,
            )
            return optimizer.step(*args, **{**kwargs, "grad_scaler": self})
        scale, _ = self._require_scale("step")
        if state["stage"] is OptState.READY:
            one = FUNCTIONS["ones_like"](scale)
            state["found_inf_per_device"] = self._unscale_grads_(optimizer, one, True)
        own = getattr(optimizer, "grad_scale", None)
        if state["stage"] is not OptState.UNSCALED:
            own = scale if own is None else scale * own
        optimizer.grad_scale = own
        optimizer.found_inf = sum(found.to(scale.device) for found in state["found_inf_per_device"].values())
        try:
            return optimizer.step(*args, **kwargs)
        finally:
            del optimizer.grad_scale, optimizer.found_inf

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Lowers or raises the factor after all steps of an iteration, or sets it to ``new_scale``."""
        if not self._enabled:
            return
        scale, tracker = self._require_scale("update")
        if isinstance(new_scale, Tensor):
            if new_scale.device.type != self._device or new_scale.numel() != 1 or new_scale.requires_grad:
                raise AssertionError(
                    "new_scale should be a float or a 1-element torch.cuda.FloatTensor or torch.FloatTensor with "
                    "requires_grad=False."
                )
            scale.copy_(new_scale.reshape(()))
        elif new_scale is not None:
            scale.fill_(new_scale)
        else:
            states = self._per_optimizer_states.values()
            found = [t.to(scale.device) for state in states for t in state["found_inf_per_device"].values()]
            if not found:
                raise AssertionError("No inf checks were recorded prior to update.")
            self._adapt(scale, tracker, found)
        self._per_optimizer_states = defaultdict(_fresh)

    def _adapt(self, scale: Tensor, tracker: Tensor, found: list[Tensor]) -> None:
        """Writes the next factor and the number of good steps; nothing is read back to the host."""
        where = FUNCTIONS["where"]
        overflowed = sum(found[1:], found[0]).gt(0)
        count = tracker.add(1)
        due = count.eq(self._growth_interval)
        grown = scale.mul(self._growth_factor)
        better = where(due.logical_and(FUNCTIONS["isfinite"](grown)), grown, scale)
        scale.copy_(where(overflowed, scale.mul(self._backoff_factor), better))
        tracker.copy_(count.masked_fill(overflowed.logical_or(due), 0))

    # --- what it is like ---------------------------------------------------------------------------------------------

    def _get_scale_async(self) -> Tensor | None:
        return self._scale

    def get_scale(self) -> float:
        """Returns the present factor; 1.0 where scaling is off."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else float(self._scale.item())

    def get_growth_factor(self) -> float:
        """Returns what the factor is multiplied by after enough good steps."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Sets what the factor is multiplied by after enough good steps."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """Returns what the factor is multiplied by when a gradient was not finite."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Sets what the factor is multiplied by when a gradient was not finite."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """Returns how many good steps in a row raise the factor."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Sets how many good steps in a row raise the factor."""
        self._growth_interval = new_interval

    def _get_growth_tracker(self) -> int:
        if not self._enabled:
            return 0
        return self._init_growth_tracker if self._growth_tracker is None else int(self._growth_tracker.item())

    def is_enabled(self) -> bool:
        """Returns whether it scales."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """Returns the factor, its rules and the number of good steps; an empty dict where scaling is off."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._get_growth_tracker(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues from what `state_dict` returned, here or in torch."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler."
            )
        self._init_scale = state_dict["scale"]
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._init_growth_tracker = state_dict["_growth_tracker"]
        if self._scale is not None and self._growth_tracker is not None:
            self._scale.fill_(self._init_scale)
            self._growth_tracker.fill_(self._init_growth_tracker)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        if self._enabled:
            if self._per_optimizer_states:
                raise AssertionError(
                    "A GradScaler instance may only be pickled at the beginning of an iteration, or at the end after "
                    "scaler.update()."
                )
            state.update(_init_scale=self.get_scale(), _init_growth_tracker=self._get_growth_tracker())
            state.update(_scale=None, _growth_tracker=None)
        return state

    def _found_inf_per_device(self, optimizer: Any) -> dict[Any, Tensor]:
        found: dict[Any, Tensor] = self._per_optimizer_states[id(optimizer)]["found_inf_per_device"]
        return found


def _step_or_not(optimizer: Any, found: dict[Any, Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Returns the step of an optimizer within a program: it is always computed, and kept where all was finite."""
    before = _state_of(optimizer)
    held = [(t, t.detach().clone()) for t in before]
    result = optimizer.step(*args, **kwargs)
    if {id(t) for t in _state_of(optimizer)} != {id(t) for t in before} and tracing.now is not None:
        tracing.now.refuse("the optimizer makes its state in this step, and a scaler may not take it")
    with no_grad():
        for t, old in held:
            bad: Any = sum(f.to(t.device) for f in found.values())
            t.copy_(FUNCTIONS["where"](bad.gt(0), old, t))
    return result


def _state_of(optimizer: Any) -> list[Tensor]:
    """Returns the parameters of an optimizer that have gradients, and the tensors of its state."""
    moved = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    return moved + [t for one in optimizer.state.values() for t in one.values() if isinstance(t, Tensor)]
