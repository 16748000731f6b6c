"""A model in many processes: not supported, and said so."""

from __future__ import annotations

from typing import Any

from dispatchtorch.nn.modules.module import Module

__all__ = ["DistributedDataParallel"]


class DistributedDataParallel(Module):
    """Raises NotImplementedError when it is made: there are no process groups here. Programs may ask by isinstance."""

    def __init__(self, module: Module, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "DistributedDataParallel is not supported: dispatchtorch has no process groups; train in one process, "
            "or wrap the model in torch.nn.DataParallel, which passes through"
        )
