"""Modules made without drawing their initial values."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

from dispatchtorch.nn.init import skipping
from dispatchtorch.nn.modules.module import Module
from dispatchtorch.random.generator import default_generator

__all__ = ["skip_init"]

M = TypeVar("M", bound=Module)


def skip_init(module_cls: type[M], *args: Any, **kwargs: Any) -> M:
    """Returns a module whose parameters and buffers are not filled, and for which no random number was drawn.

    RuntimeError unless the class is a Module and takes ``device``.
    """
    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    state = default_generator.state_bytes()
    try:
        with skipping():
            return module_cls(*args, **kwargs)
    finally:
        default_generator.load_state_bytes(state)  # what filled itself past `nn.init` has drawn none either
