"""Gradients of convolutions as functions: what backward computes, without a graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dispatchtorch.autograd.api import grad
from dispatchtorch.autograd.grad_mode import enable_grad
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["conv1d_input", "conv1d_weight", "conv2d_input", "conv2d_weight", "conv3d_input", "conv3d_weight"]

Sizes = int | Sequence[int]


def _both(n: int) -> tuple[Callable[..., Tensor], Callable[..., Tensor]]:
    """Returns the two functions for convolutions in ``n`` dimensions."""

    def of_input(
        input_size: Sequence[int],
        weight: Tensor,
        grad_output: Tensor,
        stride: Sizes = 1,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        groups: int = 1,
    ) -> Tensor:
        return _gradient(
            n, grad_output.new_empty(tuple(input_size)), weight, grad_output, 0, stride, padding, dilation, groups
        )

    def of_weight(
        input: Tensor,
        weight_size: Sequence[int],
        grad_output: Tensor,
        stride: Sizes = 1,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        groups: int = 1,
    ) -> Tensor:
        return _gradient(
            n, input, grad_output.new_empty(tuple(weight_size)), grad_output, 1, stride, padding, dilation, groups
        )

    for function, what in ((of_input, "input"), (of_weight, "weight")):
        function.__name__ = function.__qualname__ = f"conv{n}d_{what}"
        function.__doc__ = f"Returns the gradient of ``conv{n}d`` for its {what}, of the size that is given."
    return of_input, of_weight


def _gradient(
    n: int,
    input: Tensor,
    weight: Tensor,
    g: Tensor,
    which: int,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
) -> Tensor:
    pair: list[Any] = [input.detach(), weight.detach()]
    pair[which].requires_grad_()
    with enable_grad():
        out = FUNCTIONS[f"conv{n}d"](*pair, None, stride, padding, dilation, groups)
        return grad(out, pair[which], g)[0]


conv1d_input, conv1d_weight = _both(1)
conv2d_input, conv2d_weight = _both(2)
conv3d_input, conv3d_weight = _both(3)
