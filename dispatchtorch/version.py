"""torch.version: which release this is, and which kinds of GPU its own code was built for: none, it is Python."""

from __future__ import annotations

from typing import Final

from dispatchtorch._version import __version__

__all__ = ["__version__", "cuda", "debug", "git_version", "hip", "xpu"]

cuda: Final[str | None] = None
hip: Final[str | None] = None
rocm: Final[str | None] = None
xpu: Final[str | None] = None
debug: Final = False
git_version: Final = "unknown"
