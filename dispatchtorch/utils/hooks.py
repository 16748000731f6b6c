"""``torch.utils.hooks``: the handle that registering a hook returns. A door into the autograd room."""

from __future__ import annotations

from dispatchtorch.autograd.hooks import RemovableHandle

__all__ = ["RemovableHandle"]
