"""Weights of convolutions laid out otherwise in memory."""

from __future__ import annotations

from typing import Any, TypeVar

from dispatchtorch.nn.modules.conv import Conv2d, Conv3d, ConvTranspose2d, ConvTranspose3d
from dispatchtorch.nn.modules.module import Module

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]

M = TypeVar("M", bound=Module)


def _convert(module: M, kinds: tuple[type, ...], memory_format: Any) -> M:
    for one in module.modules():
        if isinstance(one, kinds):
            weight: Any = one.weight
            weight.data = weight.detach().clone(memory_format=memory_format)
    return module


def convert_conv2d_weight_memory_format(module: M, memory_format: Any) -> M:
    """Returns the module, the weights of its 2-D convolutions in a memory format."""
    return _convert(module, (Conv2d, ConvTranspose2d), memory_format)


def convert_conv3d_weight_memory_format(module: M, memory_format: Any) -> M:
    """Returns the module, the weights of its 3-D convolutions in a memory format."""
    return _convert(module, (Conv3d, ConvTranspose3d), memory_format)
