"""Checkpoints by a Function: its backward runs the part anew with history, and differentiates it by an own walk."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

from dispatchtorch.autograd.api import backward
from dispatchtorch.autograd.engine import is_whole_walk
from dispatchtorch.autograd.function import Function
from dispatchtorch.autograd.grad_mode import enable_grad, no_grad
from dispatchtorch.random.generator import get_rng_state
from dispatchtorch.tensor.tensor import Tensor
from dispatchtorch.utils.checkpoint.state import restored

__all__ = ["CheckpointFunction", "check_backward_validity", "detach_variable"]


def detach_variable(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Returns the inputs with every tensor cut from its history, requiring a gradient as before."""
    if not isinstance(inputs, tuple):
        raise RuntimeError(f"Only tuple of tensors is supported. Got Unsupported input type: {type(inputs).__name__}")
    out = []
    for given in inputs:
        if isinstance(given, Tensor):
            cut = given.detach()
            cut.requires_grad = given.requires_grad
            out.append(cut)
        else:
            out.append(given)
    return tuple(out)


def check_backward_validity(inputs: Iterable[Any]) -> None:
    """Warns where no input requires a gradient, so that none can arrive."""
    if not any(t.requires_grad for t in inputs if isinstance(t, Tensor)):
        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2)


class CheckpointFunction(Function):
    """A part of a program as one op: nothing of its inside is kept."""

    @staticmethod
    def forward(ctx: Any, run_function: Callable[..., Any], preserve_rng_state: bool, *args: Any) -> Any:
        """Returns what the part returns."""
        check_backward_validity(args)
        ctx.run_function = run_function
        ctx.state = get_rng_state() if preserve_rng_state else None
        ctx.given = [None if isinstance(a, Tensor) else a for a in args]
        ctx.places = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        ctx.save_for_backward(*[args[i] for i in ctx.places])
        with no_grad():
            return run_function(*args)

    @staticmethod
    def backward(ctx: Any, *args: Any) -> Any:
        """Returns the gradients of the inputs, after the part has run again."""
        if not is_whole_walk():
            raise RuntimeError(
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or passing an `inputs` "
                "parameter to .backward(). To resolve this error, you can either set use_reentrant=False, or call "
                ".backward() without passing the `inputs` argument."
            )
        inputs = list(ctx.given)
        for i, tensor in zip(ctx.places, ctx.saved_tensors, strict=True):
            inputs[i] = tensor
        with restored(ctx.state):
            cut = detach_variable(tuple(inputs))
            with enable_grad():
                outputs = ctx.run_function(*cut)
        if isinstance(outputs, Tensor):
            outputs = (outputs,)
        wanted = [(o, g) for o, g in zip(outputs, args, strict=True) if isinstance(o, Tensor) and o.requires_grad]
        if not wanted:
            raise RuntimeError("none of output has requires_grad=True, this checkpoint() is not necessary")
        backward([o for o, _ in wanted], [g for _, g in wanted])
        return (None, None, *[t.grad if isinstance(t, Tensor) else None for t in cut])
