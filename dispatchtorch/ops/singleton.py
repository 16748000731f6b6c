"""Views that add, drop or repeat dims of size 1: squeezed, unsqueezed, expanded, broadcast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dispatchtorch.dispatch.table import composite
from dispatchtorch.dispatch.table import view as declare_view
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.ops.view import Ints, TensorLens, _view, ints_of, reshape
from dispatchtorch.tensor import geometry
from dispatchtorch.tensor.lens import Lens
from dispatchtorch.tensor.sizes import broadcast_shapes
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["expand", "squeeze", "unsqueeze"]


@declare_view(grad={"input": lambda g, input_shape: reshape(g, input_shape)}, node="SqueezeBackward0")
def _squeeze_all(input: TensorLens) -> Lens:
    return geometry.squeeze(input)


def _native_squeeze(a: Any, dim: int) -> Any:
    try:
        return a.squeeze(dim) if a.size else None
    except ValueError:  # nothing to squeeze, or no such dimension
        return None


@declare_view(
    grad={"input": lambda g, input_shape: reshape(g, input_shape)}, native=_native_squeeze, node="SqueezeBackward1"
)
def _squeeze_one(input: TensorLens, dim: int) -> Lens:
    return geometry.squeeze(input, dim)


@declare_view(grad={"input": lambda g, input_shape: reshape(g, input_shape)}, node="SqueezeBackward2")
def _squeeze_some(input: TensorLens, dims: Ints) -> Lens:
    return geometry.squeeze(input, dims)


def squeeze_samples(make: Maker) -> Iterator[Sample]:
    """Yields all, one and some dims."""
    yield Sample((make(1, 3, 1),))
    yield Sample((make(1, 3, 1), 0))
    yield Sample((make(1, 3, 1), (0, 1)))


@composite(method=True, samples=squeeze_samples)
def squeeze(input: Tensor, dim: int | Ints | None = None) -> Tensor:
    """Returns a view without the dims of size 1: all of them, or those among ``dim``.

    >>> torch.squeeze(torch.zeros(1, 3, 1), -1).shape
    torch.Size([1, 3])
    """
    if dim is None:
        return _squeeze_all(input)
    return _squeeze_some(input, tuple(dim)) if isinstance(dim, (tuple, list)) else _squeeze_one(input, dim)


def unsqueeze_samples(make: Maker) -> Iterator[Sample]:
    """Yields new dims in front, behind and on nothing."""
    yield Sample((make(2, 3), 0))
    yield Sample((make(2, 3), -1))
    yield Sample((make(), 0))


def _native_unsqueeze(a: Any, dim: int) -> Any:
    if not a.flags.c_contiguous or 1 in a.shape or not -a.ndim <= dim + 1 <= a.ndim + 1:  # as in `_native_view`
        return None
    shape = list(a.shape)
    shape.insert(dim if dim >= 0 else dim + a.ndim + 1, 1)
    return a.reshape(shape) if a.size else None


@declare_view(
    grad={"input": lambda g, dim: _squeeze_one(g, dim)},
    native=_native_unsqueeze,
    method=True,
    samples=unsqueeze_samples,
)
def unsqueeze(input: TensorLens, dim: int) -> Lens:
    """Returns a view with a dimension of size 1 put in at ``dim``.

    >>> torch.unsqueeze(torch.zeros(3), -1).shape
    torch.Size([3, 1])
    """
    return geometry.unsqueeze(input, dim)


def _unexpand(g: Tensor, shape: Ints) -> Tensor:
    """Returns a gradient summed over the dims that an expand repeated."""
    have = tuple(g._a.shape)
    lead = len(have) - len(shape)
    dims = (*range(lead), *[lead + d for d, n in enumerate(shape) if n == 1 and have[lead + d] != 1])
    return reshape(g.sum(dims, True), shape) if dims else g


@declare_view(grad={"input": lambda g, input_shape: _unexpand(g, input_shape)}, node="ExpandBackward0")
def _expand(input: TensorLens, sizes: Ints, type_name: str) -> Lens:
    return geometry.expand(input, sizes, type_name)


def expand_samples(make: Maker) -> Iterator[Sample]:
    """Yields repeated and new dims."""
    yield Sample((make(3, 1), (2, 3, 4)))
    yield Sample((make(3, 1), (-1, 4)))
    yield Sample((make(), (2, 2)))


@composite(method=True, function=False, samples=expand_samples)
def expand(input: Tensor, *sizes: Any, size: Any = None, implicit: bool = False) -> Tensor:
    """Returns a view whose dims of size 1, and new leading ones, repeat up to ``sizes``; -1 keeps a size.

    >>> torch.tensor([[1], [2]]).expand(-1, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    return _expand(input, ints_of(sizes, "expand", size), _type_name(input))


def _type_name(t: Tensor) -> str:
    """Returns what torch calls the tensor's type in the sentence about too few sizes."""
    key = t._key
    cuda = key.device.type == "cuda"
    if key.dtype.name in ("bool", "bfloat16") or key.dtype.is_complex:
        return f"{'CUDA' if cuda else 'CPU'}{key.dtype.legacy}Type"
    return f"{'torch.cuda.' if cuda else 'torch.'}{key.dtype.legacy}Tensor"


@composite(method=True, function=False)
def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """Returns ``input.expand(other.shape)``."""
    return expand(input, tuple(other._a.shape))


@composite(method=True)
def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """Returns ``input`` as a view broadcast to ``size``.

    >>> torch.broadcast_to(torch.tensor([1, 2]), (2, 2))
    tensor([[1, 2],
            [1, 2]])
    """
    return expand(input, tuple(size))


@composite()
def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Returns the tensors as views broadcast against each other.

    >>> [x.shape for x in torch.broadcast_tensors(torch.zeros(3, 1), torch.zeros(2))]
    [torch.Size([3, 2]), torch.Size([3, 2])]
    """
    given = tuple(tensors[0]) if len(tensors) == 1 and not isinstance(tensors[0], Tensor) else tensors
    shape = broadcast_shapes(*[tuple(x._a.shape) for x in given])
    return tuple([x if tuple(x._a.shape) == shape else expand(x, shape) for x in given])


def _at_least(name: str, grow: Any) -> None:
    def function(*tensors: Any) -> Any:
        if len(tensors) == 1 and isinstance(tensors[0], Tensor):
            return grow(tensors[0])
        return tuple([grow(x) for x in (tensors[0] if len(tensors) == 1 else tensors)])

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Returns views of the tensors with at least {name[-2]} dims, of size 1 where they are new."
    composite()(function)


def _two(x: Tensor) -> Tensor:
    ndim = len(x._a.shape)
    return _view(x, (1, 1)) if ndim == 0 else unsqueeze(x, 0) if ndim == 1 else x


def _three(x: Tensor) -> Tensor:
    ndim = len(x._a.shape)
    if ndim == 0:
        return _view(x, (1, 1, 1))
    if ndim == 1:
        return unsqueeze(unsqueeze(x, 0), -1)
    return unsqueeze(x, -1) if ndim == 2 else x


_at_least("atleast_1d", lambda x: x if x._a.shape else _view(x, (1,)))
_at_least("atleast_2d", _two)
_at_least("atleast_3d", _three)
