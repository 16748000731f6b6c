"""A model on all devices of a machine; here there is one, so the model is called as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispatchtorch.nn.modules.module import Module
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["DataParallel", "data_parallel"]


def _check(device_ids: Sequence[Any] | None) -> list[Any]:
    wanted = list(device_ids or [])
    if len(wanted) > 1:
        raise NotImplementedError(
            f"a model on several devices is not supported: device_ids={wanted}; give one, or none"
        )
    return wanted


class DataParallel(Module):
    """Wraps a model under the name ``module``, so that states and programs made for it fit; NotImplementedError for
    more than one device.

    >>> import dispatchtorch as torch
    >>> DataParallel(torch.nn.Linear(2, 1))(torch.ones(3, 2)).shape
    torch.Size([3, 1])
    """

    def __init__(
        self, module: Module, device_ids: Sequence[Any] | None = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        _check(device_ids)
        self.module = module
        self.device_ids: list[Any] = []
        self.dim = dim

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """Returns what the model gives."""
        return self.module(*inputs, **kwargs)


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Sequence[Any] | None = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: dict[str, Any] | None = None,
) -> Tensor:
    """Returns what the model gives; NotImplementedError for more than one device."""
    _check(device_ids)
    given = inputs if isinstance(inputs, tuple) else () if inputs is None else (inputs,)
    return module(*given, **(module_kwargs or {}))  # type: ignore[no-any-return]  # a model's output
