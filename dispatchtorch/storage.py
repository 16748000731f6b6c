"""torch.storage: the memory that tensors share. A door into the op families."""

from __future__ import annotations

from dispatchtorch.ops.storages import TypedStorage, UntypedStorage

__all__ = ["TypedStorage", "UntypedStorage"]
