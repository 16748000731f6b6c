"""torch.types: names for annotations."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import IO, TypeAlias

from dispatchtorch._base.device import Device as _Device
from dispatchtorch.ops.storages import TypedStorage, UntypedStorage
from dispatchtorch.tensor.tensor import Size, Tensor

__all__ = [
    "BoolLikeType", "Device", "FileLike", "FloatLikeType", "IntLikeType", "Number", "Size", "Storage", "Tensor",
    "TensorOrTensors",
]  # fmt: skip

Number: TypeAlias = int | float | bool
Device: TypeAlias = _Device | str | int | None
Storage: TypeAlias = UntypedStorage | TypedStorage
FileLike: TypeAlias = str | os.PathLike[str] | IO[bytes]
IntLikeType: TypeAlias = int
FloatLikeType: TypeAlias = float
BoolLikeType: TypeAlias = bool
TensorOrTensors: TypeAlias = Tensor | Sequence[Tensor]
