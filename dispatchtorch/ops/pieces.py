"""Views of a part of the elements: an index, a range, a diagonal, windows, pieces; and copies with such a part written.

The derivative of a part puts the gradient into zeros of the input's size; the derivative of that is the part again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dispatchtorch.dispatch.lifting import lift, wrapping
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, primitive
from dispatchtorch.dispatch.table import view as declare_view
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.ops.view import Ints, TensorLens, named
from dispatchtorch.tensor import geometry, pieces
from dispatchtorch.tensor.lens import Lens, contiguous_strides
from dispatchtorch.tensor.sizes import wrap_dim
from dispatchtorch.tensor.tensor import Tensor, lens_of, storage_of

__all__ = ["select", "slice_", "split", "unbind"]


# --- one index, a range ----------------------------------------------------------------------------------------------


_WHOLE = (slice(None),) * 64


def _native_select(a: Any, dim: int, index: int) -> Any:
    try:
        if dim == 0:
            return a[index, ...]
        return a[(*_WHOLE[:dim], index, ...)] if dim > 0 else None
    except IndexError:  # the geometry has torch's words
        return None


@primitive(grad={"g_out": lambda g, dim, index: _select(g, dim, index)})
def _select_backward(g_out: Tensor, shape: Ints, dim: int, index: int) -> Tensor:
    """Returns zeros of ``shape`` with ``g_out`` at one index."""
    ...


@declare_view(
    grad={"input": lambda g, input_shape, dim, index: _select_backward(g, input_shape, dim, index)},
    native=_native_select,
)
def _select(input: TensorLens, dim: int, index: int) -> Lens:
    """Returns one index along a dimension."""
    return pieces.select(input, dim, index)


def select_samples(make: Maker) -> Iterator[Sample]:
    """Yields the first, a middle and a last index."""
    yield Sample((make(3, 4), 0, 1))
    yield Sample((make(3, 4), -1, -1))
    yield Sample((make(3), 0, 2))


@composite(method=True, samples=select_samples)
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """Returns a view of one ``index`` along ``dim``, without that dimension.

    >>> torch.select(torch.tensor([[1, 2], [3, 4]]), 1, 0)
    tensor([1, 3])
    """
    return _select(input, dim, index if type(index) is int else int(index))


@primitive(grad={"g_out": lambda g, dim, start, stop, step: _slice(g, dim, start, stop, step)})
def _slice_backward(g_out: Tensor, shape: Ints, dim: int, start: int | None, stop: int | None, step: int) -> Tensor:
    """Returns zeros of ``shape`` with ``g_out`` in a range along one dimension."""
    ...


def _native_slice(a: Any, dim: int, start: int | None, stop: int | None, step: int) -> Any:
    if not 0 <= dim < a.ndim or step <= 0:
        return None
    out = a[start:stop:step] if dim == 0 else a[(*_WHOLE[:dim], slice(start, stop, step))]
    return out if out.size else None  # where an empty view begins is the geometry's to say


@declare_view(
    grad={
        "input": lambda g, input_shape, dim, start, stop, step: _slice_backward(g, input_shape, dim, start, stop, step)
    },
    native=_native_slice,
)
def _slice(input: TensorLens, dim: int, start: int | None, stop: int | None, step: int) -> Lens:
    """Returns a range along a dimension."""
    return pieces.slice_dim(input, dim, start, stop, step)


def slice_(input: Tensor, dim: int = 0, start: int | None = None, stop: int | None = None, step: int = 1) -> Tensor:
    """Returns a view of ``start:stop:step`` along ``dim``."""
    return _slice(input, dim, start, stop, step)


@composite(method=True)
def narrow(input: Tensor, dim: int, start: int | Tensor, length: int) -> Tensor:
    """Returns a view of ``length`` indices from ``start`` on along ``dim``.

    >>> torch.narrow(torch.arange(5), 0, 1, 3)
    tensor([1, 2, 3])
    """
    if isinstance(start, Tensor):
        if start._a.shape or start._key.dtype.category != 1:
            raise RuntimeError("start must be an 0-dim integral Tensor.")
        start = int(start.item())
    first = start
    pieces.narrow(Lens(tuple(input._a.shape), (0,) * len(input._a.shape), 0), dim, first, length)
    dim = wrap_dim(dim, len(input._a.shape))
    if first < 0:
        first += int(input._a.shape[dim])
    return _slice(input, dim, first, first + length, 1)


# --- diagonals, windows, any strides ---------------------------------------------------------------------------------


@primitive(grad={"g_out": lambda g, offset, dim1, dim2: _diagonal(g, offset, dim1, dim2)})
def _diagonal_backward(g_out: Tensor, shape: Ints, offset: int, dim1: int, dim2: int) -> Tensor:
    """Returns zeros of ``shape`` with ``g_out`` on a diagonal."""
    ...


@declare_view(
    grad={"input": lambda g, input_shape, offset, dim1, dim2: _diagonal_backward(g, input_shape, offset, dim1, dim2)}
)
def _diagonal(input: TensorLens, offset: int, dim1: int, dim2: int) -> Lens:
    return pieces.diagonal(input, offset, dim1, dim2)


def diagonal_samples(make: Maker) -> Iterator[Sample]:
    """Yields the main one, one beside it, and one over chosen dims."""
    yield Sample((make(3, 4),))
    yield Sample((make(3, 4), -1))
    yield Sample((make(2, 3, 4), 1, 0, 2))


@composite(method=True, samples=diagonal_samples)
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """Returns a view of a diagonal of the last dimension made from ``dim1`` and ``dim2``.

    >>> torch.diagonal(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    return _diagonal(input, offset, dim1, dim2)


@primitive(grad={"g_out": lambda g, dim, size, step: _unfold(g, dim, size, step)})
def _unfold_backward(g_out: Tensor, shape: Ints, dim: int, size: int, step: int) -> Tensor:
    """Returns zeros of ``shape`` to which every window was added."""
    ...


@declare_view(grad={"input": lambda g, input_shape, dim, size, step: _unfold_backward(g, input_shape, dim, size, step)})
def _unfold(input: TensorLens, dim: int, size: int, step: int) -> Lens:
    return pieces.unfold(input, dim, size, step)


def unfold_samples(make: Maker) -> Iterator[Sample]:
    """Yields overlapping and separate windows."""
    yield Sample((make(5, 3), 0, 2, 1))
    yield Sample((make(2, 6), -1, 2, 3))


@composite(method=True, function=False, samples=unfold_samples)
def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Returns a view of every window of ``size`` along ``dimension``, ``step`` apart, as a new last dimension.

    >>> torch.arange(4).unfold(0, 2, 1)
    tensor([[0, 1],
            [1, 2],
            [2, 3]])
    """
    return _unfold(input, dimension, size, step)


@primitive(grad={"g_out": lambda g, at, size, stride, offset: _strided_again(g, at, size, stride, offset)})
def _as_strided_backward(g_out: Tensor, at: Lens, size: Ints, stride: Ints, offset: int) -> Tensor:
    """Returns a gradient for a tensor that lies ``at`` a place of its storage, of a view of that storage."""
    ...


@primitive()
def _strided_again(g_out: Tensor, at: Lens, size: Ints, stride: Ints, offset: int) -> Tensor:
    """Returns the elements of ``g_out``, which lies ``at`` a place of a storage, that another view sees."""
    ...


@declare_view(
    grad={"input": lambda g, size, stride, offset, at: _as_strided_backward(g, at, size, stride, offset)},
    node="AsStridedBackward0",
)
def _as_strided(input: TensorLens, size: Ints, stride: Ints, offset: int, at: Lens) -> Lens:
    return geometry.as_strided(input, size, stride, offset)


def as_strided_samples(make: Maker) -> Iterator[Sample]:
    """Yields a transposed and an overlapping view."""
    yield Sample((make(3, 4), (4, 3), (1, 4)))
    yield Sample((make(6), (3, 2), (1, 1), 1))


@composite(method=True, samples=as_strided_samples)
def as_strided(input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Tensor:
    """Returns a view of the tensor's storage with any sizes, strides and offset, in elements.

    >>> torch.as_strided(torch.arange(6), (2, 2), (2, 1), 1)
    tensor([[1, 2],
            [3, 4]])
    """
    at = lens_of(input)
    itemsize = input._key.dtype.itemsize
    capacity = storage_of(input).size
    got = geometry.as_strided(at, tuple(size), tuple(stride), storage_offset, capacity=capacity, itemsize=itemsize)
    return _as_strided(input, *got, at)


# --- several pieces --------------------------------------------------------------------------------------------------


def _cat(gs: Any, dim: int) -> Tensor:
    return FUNCTIONS["cat"](gs, dim)  # type: ignore[no-any-return]  # declared in `join`


def _native_split(a: Any, size: int, dim: int) -> Any:
    if not 0 <= dim < a.ndim or size <= 0 or not a.size:
        return None
    before = _WHOLE[:dim]
    return [a[(*before, slice(i, i + size))] for i in range(0, a.shape[dim], size)]


@declare_view(grad={"input": lambda g, dim: _cat([*g], dim)}, native=_native_split, node="SplitBackward0")
def _split(input: TensorLens, size: int, dim: int) -> list[Lens]:
    return pieces.split(input, size, dim)


@declare_view(grad={"input": lambda g, dim: _cat([*g], dim)}, node="SplitWithSizesBackward0")
def _split_with_sizes(input: TensorLens, sizes: Ints, dim: int) -> list[Lens]:
    return pieces.split(input, sizes, dim)


def _native_unbind(a: Any, dim: int) -> Any:
    return [a[i, ...] for i in range(a.shape[0])] if dim == 0 and a.ndim and a.size else None


@declare_view(
    grad={"input": lambda g, input_shape, dim: _unbound(g, input_shape, dim)},
    native=_native_unbind,
    node="UnbindBackward0",
)
def _unbind(input: TensorLens, dim: int) -> list[Lens]:
    return pieces.unbind(input, dim)


def _unbound(gs: Any, shape: Ints, dim: int) -> Tensor:
    return FUNCTIONS["stack"]([*gs], dim)  # type: ignore[no-any-return]  # declared in `join`


def split_samples(make: Maker) -> Iterator[Sample]:
    """Yields pieces of one size and of listed sizes."""
    yield Sample((make(5, 2), 2))
    yield Sample((make(2, 4), (1, 3), -1))


@composite(method=True, samples=split_samples)
def split(tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Returns views of consecutive pieces along ``dim``: of one size, the last perhaps smaller, or of listed sizes.

    >>> torch.split(torch.arange(5), 2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    sizes: Any = split_size_or_sections
    if isinstance(sizes, (tuple, list)):
        return _split_with_sizes(tensor, tuple([int(n) for n in sizes]), dim)  # type: ignore[return-value]  # several
    return _split(tensor, int(sizes), dim)  # type: ignore[return-value]  # several


@composite(method=True)
def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Returns views of consecutive pieces of the sizes listed."""
    return _split_with_sizes(input, tuple(split_sizes), dim)  # type: ignore[return-value]  # several


def chunk_samples(make: Maker) -> Iterator[Sample]:
    """Yields a division that leaves a rest."""
    yield Sample((make(5, 2), 2))
    yield Sample((make(2, 3), 2, 1))


@composite(method=True, samples=chunk_samples)
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Returns views of at most ``chunks`` consecutive pieces of one size along ``dim``.

    >>> torch.chunk(torch.arange(5), 2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    """
    found = pieces.chunk(_sizes_only(input), chunks, dim)
    dim = wrap_dim(dim, len(input._a.shape))
    size = found[0].shape[dim]
    if size == 0:
        return _split_with_sizes(input, (0,) * chunks, dim)  # type: ignore[return-value]  # several
    return _split(input, size, dim)  # type: ignore[return-value]  # several


def _sizes_only(t: Tensor) -> Lens:
    shape = tuple(t._a.shape)
    return Lens(shape, contiguous_strides(shape), 0)


@composite(method=True, samples=chunk_samples)
def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Returns views of a number of nearly equal pieces along ``dim``, or of the pieces that end at listed indices.

    >>> torch.tensor_split(torch.arange(5), 2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    """
    cuts = indices_or_sections
    if isinstance(cuts, Tensor):
        cuts = cuts.tolist()
    if not isinstance(cuts, int):
        cuts = tuple(cuts)
    parts = pieces.tensor_split(_sizes_only(input), cuts, dim)
    dim = wrap_dim(dim, len(input._a.shape))
    if not isinstance(cuts, int):
        bounds = zip((0, *cuts), (*cuts, int(input._a.shape[dim])), strict=True)
        return tuple([_slice(input, dim, low, high, 1) for low, high in bounds])
    out = []
    start = 0
    for part in parts:
        out.append(_slice(input, dim, start, start + part.shape[dim], 1))
        start += part.shape[dim]
    return tuple(out)


def _along(name: str, at_least: int, axis: int) -> None:
    def function(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
        ndim = len(input._a.shape)
        if ndim < at_least:
            raise RuntimeError(
                f"torch.{name} requires a tensor with at least {at_least} dimension, but got a tensor with {ndim} "
                "dimensions!"
            )
        dim = 0 if name == "hsplit" and ndim == 1 else axis
        if isinstance(indices_or_sections, int):
            size, count = int(input._a.shape[dim]), indices_or_sections
            if count <= 0 or size % count:
                raise RuntimeError(
                    f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension {size} is "
                    f"not divisible by the split_size {count}!"
                )
        elif not isinstance(indices_or_sections, (list, tuple, Tensor)):
            kind = type(indices_or_sections).__name__
            raise TypeError(
                f"{name}() received an invalid combination of arguments - got (Tensor, {kind}), but expected one of:\n"
                " * (Tensor input, int sections)\n"
                f"      didn't match because some of the arguments have invalid types: (Tensor, !{kind}!)\n"
                " * (Tensor input, tuple of ints indices)\n"
                f"      didn't match because some of the arguments have invalid types: (Tensor, !{kind}!)\n"
            )
        return tensor_split(input, indices_or_sections, dim)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Returns views of pieces along dimension {axis}: a number of equal ones, or cut at indices."
    composite(method=True)(function)


_along("hsplit", 1, 1)
_along("vsplit", 2, 0)
_along("dsplit", 3, 2)


def unbind_samples(make: Maker) -> Iterator[Sample]:
    """Yields both dims."""
    yield Sample((make(2, 3),))
    yield Sample((make(2, 3), -1))


@composite(method=True, samples=unbind_samples)
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Returns views of every index along ``dim``, each without that dimension.

    >>> torch.unbind(torch.tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
    """
    return _unbind(input, dim)  # type: ignore[return-value]  # several


def _iterate(self: Tensor) -> Iterator[Tensor]:
    if not self._a.shape:
        raise TypeError("iteration over a 0-d tensor")
    return iter(unbind(self, 0))


METHODS["__iter__"] = _iterate


# --- a part written, as a new tensor ---------------------------------------------------------------------------------


def _written(input: Tensor, part: Any, src: Tensor, op: str, node: str) -> Tensor:
    """Returns a copy of ``input`` in which the part that ``part`` views is ``src``."""
    over = wrapping((input._key, src._key))
    out = METHODS["clone"](input if over is None else lift(input, over))
    target = part(out)
    if tuple(target._a.shape) != tuple(src._a.shape):
        raise RuntimeError(
            f"expected src to have a size equal to the {op} of self. src size = {list(src._a.shape)}, {op} size = "
            f"{list(target._a.shape)}"
        )
    METHODS["copy_"](target, src)
    return named(out, node)


@composite(method=True)
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """Returns a copy of ``input`` with ``src`` at one ``index`` along ``dim``."""
    return _written(input, lambda t: select(t, dim, index), src, "slice", "SelectScatterBackward0")


@composite(method=True, out=True)
def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """Returns a copy of ``input`` with ``src`` in ``start:end:step`` along ``dim``."""
    return _written(input, lambda t: slice_(t, dim, start, end, step), src, "slice", "SliceScatterBackward0")


@composite(method=True)
def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """Returns a copy of ``input`` with ``src`` on a diagonal."""
    return _written(input, lambda t: diagonal(t, offset, dim1, dim2), src, "slice", "DiagonalScatterBackward0")


@composite(method=True)
def as_strided_scatter(
    input: Tensor, src: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """Returns a copy of ``input`` with ``src`` where `as_strided` looks."""
    return _written(
        input, lambda t: as_strided(t, size, stride, storage_offset), src, "slice", "AsStridedScatterBackward0"
    )
