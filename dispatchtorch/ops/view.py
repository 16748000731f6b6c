"""Views."""

from __future__ import annotations

from dispatchtorch.dispatch.table import composite, primitive, view
from dispatchtorch.tensor import geometry
from dispatchtorch.tensor.tensor import Tensor


@view(grad={"input": lambda g, input_shape: g.reshape(input_shape)}, native=lambda a, shape: a.reshape(shape) if a.flags.c_contiguous and -1 not in shape else None)
def _view(input: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Returns a view."""
    return geometry.view(input, shape)


@composite(method=True, function=False, names=("reshape",))
def view_(input: Tensor, *shape: int) -> Tensor:
    """."""
    if len(shape) == 1 and not isinstance(shape[0], int):
        shape = tuple(shape[0])
    return _view(input, shape)

@view(grad={"input": lambda g, input_shape: g.sum()})
def _expand(input: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Returns a view."""
    return geometry.expand(input, shape)

@composite(method=True)
def expand(input: Tensor, *shape: int) -> Tensor:
    """."""
    if len(shape) == 1 and not isinstance(shape[0], int):
        shape = tuple(shape[0])
    return _expand(input, shape)
