"""The old names of autocast and of the scaler, one set for each kind of device; they warn and do the same."""

from __future__ import annotations

import functools
import warnings
from typing import Any

from dispatchtorch._base.dtypes import DType
from dispatchtorch.amp import autocast_mode
from dispatchtorch.amp.grad_scaler import GradScaler

__all__ = ["OldAutocast", "OldScaler", "old_custom_bwd", "old_custom_fwd"]


def _warn(old: str, new: str, level: int = 3) -> None:
    warnings.warn(f"`{old}` is deprecated. Please use `{new}` instead.", FutureWarning, stacklevel=level)


class OldAutocast(autocast_mode.autocast):
    """`torch.autocast` for one kind of device; a subclass says which, and the dtype."""

    _level = 3
    _kind: str
    _dtype: DType

    def __init__(self, enabled: bool = True, dtype: DType | None = None, cache_enabled: bool = True) -> None:
        _warn(f"torch.{self._kind}.amp.autocast(args...)", f"torch.amp.autocast('{self._kind}', args...)")
        super().__init__(self._kind, self._dtype if dtype is None else dtype, enabled, cache_enabled)


class OldScaler(GradScaler):
    """`torch.amp.GradScaler` for one kind of device; a subclass says which."""

    _level = 3
    _kind: str

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        _warn(f"torch.{self._kind}.amp.GradScaler(args...)", f"torch.amp.GradScaler('{self._kind}', args...)")
        super().__init__(self._kind, init_scale, growth_factor, backoff_factor, growth_interval, enabled)


def old_custom_fwd(fwd: Any = None, *, cast_inputs: DType | None = None) -> Any:
    """Returns ``torch.amp.custom_fwd(fwd, device_type="cuda")``; deprecated."""
    _warn("torch.cuda.amp.custom_fwd(args...)", "torch.amp.custom_fwd(args..., device_type='cuda')")
    return functools.partial(autocast_mode.custom_fwd, device_type="cuda")(fwd=fwd, cast_inputs=cast_inputs)


def old_custom_bwd(bwd: Any) -> Any:
    """Returns ``torch.amp.custom_bwd(bwd, device_type="cuda")``; deprecated."""
    _warn("torch.cuda.amp.custom_bwd(args...)", "torch.amp.custom_bwd(args..., device_type='cuda')")
    return functools.partial(autocast_mode.custom_bwd, device_type="cuda")(bwd)
