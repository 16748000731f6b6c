"""Modules whose parameters lie on a mesh: `distribute_module`. Must not know: styles of parallelism."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

from dispatchtorch.distributed.crossing import is_on_mesh
from dispatchtorch.distributed.device_mesh import DeviceMesh, current_mesh
from dispatchtorch.distributed.tensor.making import distribute_tensor
from dispatchtorch.distributed.tensor.placement_types import Replicate
from dispatchtorch.nn.modules.module import Module
from dispatchtorch.tensor.tensor import Parameter

__all__ = ["distribute_module", "replicate_module"]


def replicate_module(module: Module, mesh: DeviceMesh) -> None:
    """Puts the parameters and buffers of one module that are not on a mesh yet on every device of one."""
    everywhere = [Replicate()] * mesh.ndim
    for name, p in list(module._parameters.items()):
        if p is not None and not is_on_mesh(p):
            on = distribute_tensor(p.detach(), mesh, everywhere)
            module.register_parameter(name, Parameter(on, requires_grad=p.requires_grad))
    for name, b in module._buffers.items():
        if b is not None and not is_on_mesh(b):
            module._buffers[name] = distribute_tensor(b, mesh, everywhere)


def _as_hook(function: Callable[..., Any], mesh: DeviceMesh, name: str, what: str) -> Callable[..., Any]:
    """Returns a function of (module, values), given one that takes the mesh too, and in older programs no module."""
    count = len(inspect.signature(function).parameters)
    if count == 3:
        return lambda module, values: function(module, values, mesh)
    if count == 2:
        warnings.warn(
            f"Deprecating {name} that takes two arguments ({what}, device_mesh), please use {name} that takes in "
            f"(module, {what}, device_mesh) instead!",
            FutureWarning,
            stacklevel=3,
        )
        return lambda module, values: function(values, mesh)
    raise ValueError(f"{name} should take in 3 arguments, but got {count} arguments!")


def distribute_module(
    module: Module,
    device_mesh: DeviceMesh | None = None,
    partition_fn: Callable[[str, Module, DeviceMesh], None] | None = None,
    input_fn: Callable[..., Any] | None = None,
    output_fn: Callable[..., Any] | None = None,
) -> Module:
    """Returns the module, its parameters and buffers on a mesh: where ``partition_fn`` puts them, the rest replicated.

    ``input_fn(module, inputs, mesh)`` prepares what forward gets, ``output_fn(module, outputs, mesh)`` what it gives.

    >>> from dispatchtorch.distributed.tensor import distribute_module, init_device_mesh
    >>> with torch.use_backend("jax"):
    ...     layer = distribute_module(torch.nn.Linear(2, 1), init_device_mesh("cpu", (1,)))
    >>> layer.weight.placements
    (Replicate(),)
    """
    mesh = device_mesh or current_mesh()
    if getattr(module, "_distribute_module_applied", False):
        raise RuntimeError(
            "distribute_module should only be called once on a module, but it has already been called on this module!"
        )
    for name, part in module.named_modules():
        if partition_fn is not None:
            partition_fn(name, part, mesh)
        replicate_module(part, mesh)
    if input_fn is not None:
        module.register_forward_pre_hook(_as_hook(input_fn, mesh, "input_fn", "inputs"))
    if output_fn is not None:
        prepare = _as_hook(output_fn, mesh, "output_fn", "outputs")
        module.register_forward_hook(lambda part, inputs, outputs: prepare(part, outputs))
    module._distribute_module_applied = True
    return module
