"""torch.signal: the room of signal processing, which is `windows`."""

from __future__ import annotations

from dispatchtorch.signal import windows as windows

__all__ = ["windows"]
