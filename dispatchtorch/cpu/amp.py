"""``torch.cpu.amp``: the old names of `torch.amp` for the CPU. They warn and do the same."""

from __future__ import annotations

from dispatchtorch._base.dtypes import bfloat16
from dispatchtorch.amp.legacy import OldAutocast, OldScaler

__all__ = ["GradScaler", "autocast"]


class autocast(OldAutocast):
    """`torch.autocast` with ``device_type="cpu"``."""

    _kind, _dtype = "cpu", bfloat16


class GradScaler(OldScaler):
    """`torch.amp.GradScaler` with ``device="cpu"``."""

    _kind = "cpu"
