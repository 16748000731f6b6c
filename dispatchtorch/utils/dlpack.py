"""torch.utils.dlpack: memory shared with other libraries by way of DLPack. A door into the op families."""

from __future__ import annotations

from dispatchtorch.ops.exchange import DLDeviceType, from_dlpack, to_dlpack

__all__ = ["DLDeviceType", "from_dlpack", "to_dlpack"]
