"""Parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.nn.modules.tree import typename
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Returns all parameters flattened, one behind another."""
    return FUNCTIONS["cat"]([p.view(-1) for p in parameters])  # type: ignore[no-any-return]  # a function of the table


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Makes slices of one vector the parameters' data."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {typename(vec)}")
    start = 0
    for parameter in parameters:
        size = parameter.numel()
        parameter.data = vec[start : start + size].view_as(parameter).data
        start += size
