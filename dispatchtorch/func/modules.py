"""Modules as functions of their parameters, and many modules as one set of stacked parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.nn.modules.batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from dispatchtorch.nn.modules.module import Module
from dispatchtorch.nn.utils.stateless import call_with
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["functional_call", "replace_all_batch_norm_modules_", "stack_module_state"]


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: dict[str, Tensor] | Sequence[dict[str, Tensor]],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Returns what the module gives with these parameters and buffers in place of its own.

    Several dicts are taken as one. ``tie_weights``: a tensor given for one name of a shared parameter serves all its
    names. ``strict``: all names, and no others, must be given; else RuntimeError.

    >>> layer = torch.nn.Linear(2, 1)
    >>> torch.func.functional_call(layer, {"weight": torch.ones(1, 2), "bias": torch.zeros(1)}, torch.ones(2))
    tensor([2.])
    """
    if isinstance(parameter_and_buffer_dicts, dict):
        given = parameter_and_buffer_dicts
    elif isinstance(parameter_and_buffer_dicts, (list, tuple)):
        names = [name for part in parameter_and_buffer_dicts for name in part]
        repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if repeated:
            raise ValueError(f"{repeated} appeared in multiple dictionaries; behavior of functional call is ambiguous")
        given = {name: t for part in parameter_and_buffer_dicts for name, t in part.items()}
    else:
        raise ValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got "
            f"{type(parameter_and_buffer_dicts)}"
        )
    return call_with(module, given, args, kwargs, tie_weights=tie_weights, strict=strict)


def stack_module_state(models: Sequence[Module]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Returns the parameters of several modules of one class, stacked, and their buffers.

    Stacked parameters are leaves that require a gradient where the modules' do. RuntimeError for modules that differ.

    >>> params, buffers = torch.func.stack_module_state([torch.nn.Linear(2, 3) for _ in range(4)])
    >>> params["weight"].shape
    torch.Size([4, 3, 2])
    """
    if not len(models):
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if any(model.training is not models[0].training for model in models):
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    if any(type(model) is not type(models[0]) for model in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    members = [dict(model.named_parameters()) for model in models]
    params = {name: _stacked([m[name] for m in members]) for name in members[0]}
    kept = [dict(model.named_buffers()) for model in models]
    return params, {name: _stacked([m[name] for m in kept]) for name in kept[0]}


def _stacked(tensors: Sequence[Tensor]) -> Tensor:
    wanted = tensors[0].requires_grad
    if any(t.requires_grad is not wanted for t in tensors):
        raise RuntimeError("Expected parameters from different models to have the same .requires_grad")
    stack: Tensor = FUNCTIONS["stack"]([t.detach() for t in tensors])
    return stack.requires_grad_() if wanted else stack


def replace_all_batch_norm_modules_(root: Module) -> Module:
    """Returns the module after its batch norms were made to keep no running statistics: ``vmap`` cannot write them."""
    for module in root.modules():
        if isinstance(module, (BatchNorm1d, BatchNorm2d, BatchNorm3d)):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root
