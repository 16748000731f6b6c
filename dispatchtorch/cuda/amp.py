"""``torch.cuda.amp``: the old names of `torch.amp` for CUDA devices. They warn and do the same."""

from __future__ import annotations

from dispatchtorch._base.dtypes import float16
from dispatchtorch.amp.autocast_mode import has_cuda
from dispatchtorch.amp.legacy import OldAutocast, OldScaler
from dispatchtorch.amp.legacy import old_custom_bwd as custom_bwd
from dispatchtorch.amp.legacy import old_custom_fwd as custom_fwd

__all__ = ["GradScaler", "amp_definitely_not_available", "autocast", "custom_bwd", "custom_fwd"]


def amp_definitely_not_available() -> bool:
    """Returns whether no CUDA device is there."""
    return not has_cuda()


class autocast(OldAutocast):
    """`torch.autocast` with ``device_type="cuda"``."""

    _kind, _dtype = "cuda", float16


class GradScaler(OldScaler):
    """`torch.amp.GradScaler` with ``device="cuda"``."""

    _kind = "cuda"
