"""``autograd.grad(is_grads_batched=True)``: one walk for many cotangents, which stand along a first dimension."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dispatchtorch.batching.mapping import vmap
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["grad_batched"]


def grad_batched(
    grad: Callable[..., Any], outputs: Sequence[Tensor], grad_outputs: Sequence[Tensor | None]
) -> tuple[Any, ...]:
    """Returns what ``grad(grad_outputs)`` gives for each member of the first dimensions, None where it gives that.

    RuntimeError for cotangents whose other dimensions are not those of the outputs.
    """
    given = [g for g in grad_outputs if g is not None]
    for i, (g, out) in enumerate(zip(grad_outputs, outputs, strict=True)):
        if g is not None and tuple(g._a.shape)[1:] != tuple(out._a.shape):
            sizes = type(g.shape)(tuple(g._a.shape)[2:])  # as torch counts them
            raise RuntimeError(
                "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch "
                "dimension. The sizes of the remaining dimensions are expected to match the shape of corresponding "
                f"output, but a mismatch was detected: grad_output[{i}] has a shape of {sizes} and output[{i}] has a "
                f"shape of {out.shape}. If you only want some tensors in `grad_output` to be considered batched, "
                "consider using vmap."
            )
    found: list[bool] = []

    def one(*gs: Tensor) -> tuple[Tensor, ...]:
        filled = iter(gs)
        got = grad([None if g is None else next(filled) for g in grad_outputs])
        found[:] = [g is not None for g in got]
        return tuple([g for g in got if g is not None])

    results = iter(vmap(one, randomness="same")(*given))
    return tuple([next(results) if there else None for there in found])
