"""Views that keep every element and change how they are arranged: reshaped and permuted.

A body maps a lens to a lens, with torch's rules and sentences from `tensor.geometry`; ``native`` may give the library's
own view of the same elements. Dims of size 1 are in `singleton`, views of a part in `pieces`; what changes a tensor
object itself is in `metadata`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import index as as_index
from typing import Any

from dispatchtorch._base.dtypes import DType
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.node import Node
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, primitive
from dispatchtorch.dispatch.table import view as declare_view
from dispatchtorch.dispatch.views import attach
from dispatchtorch.ops.reinterpret import TensorLens, view_dtype
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor import geometry
from dispatchtorch.tensor.lens import Lens
from dispatchtorch.tensor.sizes import flatten_shape, infer_shape, numel, unflatten_shape
from dispatchtorch.tensor.tensor import Extra, Tensor, lens_of, new

__all__ = ["Ints", "TensorLens", "ints_of", "named", "permute", "reshape", "t", "transpose"]

Ints = tuple[int, ...]


def ints_of(given: tuple[Any, ...], op: str = "", named: Any = None) -> Ints:
    """Returns the integers of ``f(2, 3)``, ``f((2, 3))`` or ``f(name=(2, 3))`` as one tuple."""
    if named is not None:
        given = (named,)
    if len(given) == 1:
        first = given[0]
        if isinstance(first, (tuple, list)):
            given = tuple(first)
    for value in given:
        if type(value) is not int:
            return tuple([_whole(v, op) for v in given])
    return given


def _whole(value: Any, op: str) -> int:
    try:
        return as_index(value.item() if isinstance(value, Tensor) else value)
    except TypeError:
        kind = type(value).__name__
        raise TypeError(f"{op}(): argument must be tuple of ints, but found element of type {kind}") from None


def named(t: Tensor, name: str) -> Tensor:
    """Returns ``t``, whose node shows PyTorch's name for the op that a composite stands for."""
    if isinstance(t._edge, Node):
        t._edge.alias = name
    return t


# --- other sizes -----------------------------------------------------------------------------------------------------


def _native_view(a: Any, shape: Ints) -> Any:
    if not a.flags.c_contiguous or 1 in a.shape:  # a dimension of size 1 may have any stride, and torch keeps it
        return None
    try:
        out = a.reshape(shape)
    except ValueError:  # the geometry has torch's words
        return None
    return out if out.shape == shape or min(shape) == -1 else None


def view_samples(make: Maker) -> Iterator[Sample]:
    """Yields views of a matrix, of nothing and of a 0-dimensional tensor."""
    yield Sample((make(3, 4), 12))
    yield Sample((make(3, 4), 2, -1))
    yield Sample((make(0, 4), 2, 0))
    yield Sample((make(), 1, 1))


@declare_view(grad={"input": lambda g, input_shape: reshape(g, input_shape)}, native=_native_view)
def _view(input: TensorLens, shape: Ints) -> Lens:
    """Returns the same elements in another shape."""
    return geometry.view(input, shape)


@primitive(grad={"input": lambda g, input_shape: reshape(g, input_shape)})
def _unsafe_view(input: Tensor, shape: Ints) -> Tensor:
    """Returns a fresh tensor's elements in another shape."""
    ...


def _view_method(input: Tensor, *shape: Any, size: Any = None, dtype: DType | None = None) -> Tensor:
    """Returns the same elements in another shape (one size may be -1), or their bits as another dtype; shares memory.

    Raises RuntimeError where the strides do not allow it.

    >>> torch.arange(6).view(2, -1)
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    a, key, cell = input._a, input._key, input._cell
    if shape and key.native and a.flags.c_contiguous and 1 not in a.shape:  # as in `_native_view`
        try:
            raw = a.reshape(*shape)
        except (ValueError, TypeError):  # in torch's words, below
            raw = a
        got = raw.shape
        if got == shape or got == shape[0]:
            if not key.simple or cell is None or cell.storage is None or not modes.grad:
                return attach(_view, input, raw, (got,))
            v = new(Tensor)  # `attach`, for a base without history: a call saved is a tenth of the time
            v._a = raw
            v._cell = cell
            v._edge = None
            v._key = (key._views or key.views())[not got]
            extra = v._extra = new(Extra)
            extra.base = input
            extra.replay = ((_view, (got,)),)
            extra.seen = cell.rebased
            return v
    if shape and isinstance(shape[0], DType):
        dtype = shape[0]
    return view_dtype(input, dtype) if dtype is not None else _view(input, ints_of(shape, "view", size))


METHODS["view"] = _view_method


@composite(method=True, function=False)
def view_as(input: Tensor, other: Tensor) -> Tensor:
    """Returns ``input.view(other.shape)``."""
    return _view(input, tuple(other._a.shape))


@composite(method=True, samples=view_samples)
def reshape(input: Tensor, *size: Any, shape: Any = None) -> Tensor:
    """Returns the same elements in another shape: a view where the strides allow it, else a copy.

    >>> torch.reshape(torch.arange(4), (2, 2))
    tensor([[0, 1],
            [2, 3]])
    """
    wanted = ints_of(size, "reshape", shape)
    a, key = input._a, input._key
    if key.native and a.flags.c_contiguous:
        raw = _native_view(a, wanted)
        return _view(input, wanted) if raw is None else attach(_view, input, raw, (wanted,))
    lens = lens_of(input)
    if geometry.reshape_geometry(lens, wanted) is not None:
        return _view(input, wanted)
    return _unsafe_view(METHODS["contiguous"](input), infer_shape(wanted, numel(lens.shape)))


@composite(method=True, function=False)
def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """Returns ``input.reshape(other.shape)``."""
    return reshape(input, tuple(other._a.shape))


@composite(method=True)
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Returns the tensor with the dims from ``start_dim`` to ``end_dim`` made one; itself where that changes nothing.

    >>> torch.flatten(torch.zeros(2, 3, 4), start_dim=1).shape
    torch.Size([2, 12])
    """
    shape = tuple(input._a.shape)
    flat = flatten_shape(shape, start_dim, end_dim)
    return input if flat == shape and shape else reshape(input, flat)


@composite(method=True)
def ravel(input: Tensor) -> Tensor:
    """Returns the elements in one dimension: a view where the tensor is contiguous."""
    return _view(METHODS["contiguous"](input), (-1,) if input._a.size else (0,))


@composite(method=True)
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Returns a view with dimension ``dim`` split into ``sizes``, one of which may be -1.

    >>> torch.unflatten(torch.zeros(2, 6), 1, (3, -1)).shape
    torch.Size([2, 3, 2])
    """
    return _view(input, unflatten_shape(tuple(input._a.shape), dim, tuple(sizes)))


# --- another order of the dims ---------------------------------------------------------------------------------------


def _inverse(dims: Ints) -> Ints:
    ndim = len(dims)
    order = [d % ndim for d in dims]
    return tuple(sorted(range(ndim), key=order.__getitem__))


def _native_permute(a: Any, dims: Ints) -> Any:
    try:
        return a.transpose(dims) if a.size else None
    except ValueError:
        return None


def _native_transpose(a: Any, dim0: int, dim1: int) -> Any:
    try:
        return a.swapaxes(dim0, dim1) if a.size else None
    except ValueError:
        return None


def permute_samples(make: Maker) -> Iterator[Sample]:
    """Yields permutations of three dims and of none."""
    yield Sample((make(2, 3, 4), (2, 0, -2)))
    yield Sample((make(0, 2), (1, 0)))


def transpose_samples(make: Maker) -> Iterator[Sample]:
    """Yields exchanges of two dims."""
    yield Sample((make(2, 3, 4), 0, -1))
    yield Sample((make(2, 3), 1, 1))
    yield Sample((make(), 0, -1))


@declare_view(grad={"input": lambda g, dims: _permute(g, _inverse(dims))}, native=_native_permute)
def _permute(input: TensorLens, dims: Ints) -> Lens:
    """Returns the dims in another order."""
    return geometry.permute(input, dims)


@composite(method=True, samples=permute_samples)
def permute(input: Tensor, *order: Any, dims: Any = None) -> Tensor:
    """Returns a view whose dimension i is dimension ``dims[i]`` of the input.

    >>> torch.permute(torch.zeros(2, 3, 4), (2, 0, 1)).shape
    torch.Size([4, 2, 3])
    """
    return _permute(input, ints_of(order, "permute", dims))


@declare_view(
    grad={"input": lambda g, dim0, dim1: transpose(g, dim0, dim1)},
    native=_native_transpose,
    method=True,
    samples=transpose_samples,
)
def transpose(input: TensorLens, dim0: int, dim1: int) -> Lens:
    """Returns a view with two dims exchanged.

    >>> torch.transpose(torch.zeros(2, 3), 0, 1).shape
    torch.Size([3, 2])
    """
    return geometry.transpose(input, dim0, dim1)


FUNCTIONS["swapaxes"] = METHODS["swapaxes"] = FUNCTIONS["swapdims"] = METHODS["swapdims"] = transpose


@declare_view(
    grad={"input": lambda g: t(g)},
    native=lambda a: a.T if a.ndim <= 2 and a.size else None,
    method=True,
    node="TBackward0",
)
def t(input: TensorLens) -> Lens:
    """Returns a view of the transposed matrix; of a vector or scalar the same elements.

    >>> torch.t(torch.zeros(2, 3)).shape
    torch.Size([3, 2])
    """
    return geometry.t(input)


@composite(method=True, names=("moveaxis",))
def movedim(input: Tensor, source: int | Ints, destination: int | Ints) -> Tensor:
    """Returns a view whose ``source`` dims stand at ``destination``, the others in their order.

    >>> torch.movedim(torch.zeros(2, 3, 4), 0, -1).shape
    torch.Size([3, 4, 2])
    """
    shape = tuple(input._a.shape)
    places = Lens(shape, tuple(range(len(shape))), 0)  # strides that name the dims: the answer is an order
    return _permute(input, geometry.movedim(places, source, destination).strides)


def _matrix_transposed(self: Tensor) -> Tensor:
    """Returns a view of the matrices transposed, batch dims in place."""
    if len(self._a.shape) < 2:
        raise RuntimeError(
            f"tensor.mT is only supported on matrices or batches of matrices. Got {len(self._a.shape)}-D tensor."
        )
    return transpose(self, -2, -1)


def _reversed_dims(self: Tensor) -> Tensor:
    """Returns a view with all dims in reverse order."""
    return _permute(self, tuple(range(len(self._a.shape)))[::-1])


def _conjugated(t: Tensor) -> Tensor:
    return METHODS["conj"](t) if t._key.dtype.is_complex else t


def adjoint(input: Tensor) -> Tensor:
    """Returns the conjugate transpose of the matrices."""
    if not input._a.shape:
        raise RuntimeError("tensor.adjoint() is only supported on matrices or batches of matrices. Got 0-D tensor.")
    if len(input._a.shape) < 2:
        raise RuntimeError("tensor.adjoint() is only supported on matrices or batches of matrices. Got 1-D tensor.")
    return _conjugated(transpose(input, -2, -1))


def _hermitian(self: Tensor) -> Tensor:
    ndim = len(self._a.shape)
    if ndim not in (0, 2):
        raise RuntimeError(f"tensor.H is only supported on matrices (2-D tensors). Got {ndim}-D tensor.")
    return _conjugated(transpose(self, 0, 1) if ndim else _reversed_dims(self))


FUNCTIONS["adjoint"] = METHODS["adjoint"] = adjoint
METHODS["T"] = property(_reversed_dims)  # type: ignore[assignment]  # members that are read, not called
METHODS["mT"] = property(_matrix_transposed)  # type: ignore[assignment]  # as above
METHODS["H"] = property(_hermitian)  # type: ignore[assignment]  # as above
METHODS["mH"] = property(adjoint)  # type: ignore[assignment]  # as above


@declare_view(grad={"input": lambda g: g}, node="AliasBackward0")
def _alias(input: TensorLens) -> Lens:
    """Returns another tensor over all the same elements."""
    return input
