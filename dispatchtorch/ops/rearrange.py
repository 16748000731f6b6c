"""Copies in another arrangement: flipped, rolled, repeated, triangular, on a diagonal. Nothing here is a view."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dispatchtorch._base.dtypes import DType, float64, int64
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, primitive
from dispatchtorch.ops.pieces import diagonal
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.ops.singleton import expand
from dispatchtorch.ops.view import Ints, ints_of, named, reshape
from dispatchtorch.tensor.sizes import numel, wrap_dim, wrap_dims
from dispatchtorch.tensor.tensor import Tensor

# --- order reversed or rotated ---------------------------------------------------------------------------------------


@primitive(grad={"input": lambda g, dims: _flip(g, dims)}, node="FlipBackward0")
def _flip(input: Tensor, dims: Ints) -> Tensor:
    """Returns the order along ``dims`` reversed."""
    ...


def flip_samples(make: Maker) -> Iterator[Sample]:
    """Yields one dimension and two."""
    yield Sample((make(3, 4), (0,)))
    yield Sample((make(2, 3, 2), (0, -1)))


@composite(method=True, samples=flip_samples)
def flip(input: Tensor, *order: Any, dims: Any = None) -> Tensor:
    """Returns a copy with the order along ``dims`` reversed.

    >>> torch.flip(torch.tensor([1, 2, 3]), (0,))
    tensor([3, 2, 1])
    """
    return _flip(input, wrap_dims(ints_of(order, "flip", dims), len(input._a.shape)))


@composite(method=True)
def fliplr(input: Tensor) -> Tensor:
    """Returns a copy with the order along dimension 1 reversed."""
    if len(input._a.shape) < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return _flip(input, (1,))


@composite(method=True)
def flipud(input: Tensor) -> Tensor:
    """Returns a copy with the order along dimension 0 reversed."""
    if not input._a.shape:
        raise RuntimeError("Input must be >= 1-d.")
    return _flip(input, (0,))


@primitive(grad={"input": lambda g, shifts, dims: _roll(g, tuple([-s for s in shifts]), dims)}, node="RollBackward0")
def _roll(input: Tensor, shifts: Ints, dims: Ints) -> Tensor:
    """Returns the elements shifted along ``dims``, or with none in the flattened tensor."""
    ...


def roll_samples(make: Maker) -> Iterator[Sample]:
    """Yields a flat shift, and shifts of two dims."""
    yield Sample((make(3, 4), 1))
    yield Sample((make(3, 4), (1, -2), (0, 1)))


@composite(method=True, samples=roll_samples)
def roll(input: Tensor, shifts: int | Ints, dims: int | Ints = ()) -> Tensor:
    """Returns a copy with the elements shifted along ``dims``; those pushed out at one end come in at the other.

    >>> torch.roll(torch.tensor([1, 2, 3]), 1)
    tensor([3, 1, 2])
    """
    steps = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    along = (dims,) if isinstance(dims, int) else tuple(dims)
    if not steps:
        raise RuntimeError("`shifts` required")
    if len(along) != len(steps) and not (len(steps) == 1 and not along):
        raise RuntimeError(f"shifts and dimensions must align. shifts: {len(steps)}, dims:{len(along)}")
    if along and not input._a.shape:
        raise IndexError(f"Dimension specified as {along[0]} but tensor has no dimensions")
    return _roll(input, steps, tuple([wrap_dim(d, len(input._a.shape)) for d in along]))


def rot90_samples(make: Maker) -> Iterator[Sample]:
    """Yields a quarter and a half turn."""
    yield Sample((make(2, 3),))
    yield Sample((make(2, 3, 2), 2, (0, 2)))


@primitive(grad={"input": lambda g, k, dims: _rot90(g, -k, dims)}, node="Rot90Backward0")
def _rot90(input: Tensor, k: int, dims: Ints) -> Tensor:
    """Returns a quarter turn, ``k`` times."""
    ...


@composite(method=True, samples=rot90_samples)
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Returns a copy turned by ``k`` quarters in the plane of two dims, from the first towards the second.

    >>> torch.rot90(torch.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
    """
    ndim = len(input._a.shape)
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {ndim}")
    if dims[0] == dims[1] or abs(dims[0] - dims[1]) == ndim:
        raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}")
    for name, d in (("0", dims[0]), ("1", dims[1])):
        if not -ndim <= d < ndim:
            raise RuntimeError(f"Rotation dim{name} out of range, dim{name} = {d}")
    return _rot90(input, k, tuple([wrap_dim(d, ndim) for d in dims]))


# --- repetition ------------------------------------------------------------------------------------------------------


def _unrepeat(g: Tensor, shape: Ints, repeats: Ints) -> Tensor:
    lead = len(repeats) - len(shape)
    parts: list[int] = []
    for i, times in enumerate(repeats):
        parts += [times, shape[i - lead] if i >= lead else 1]
    return reshape(reshape(g, tuple(parts)).sum(tuple(range(0, len(parts), 2))), shape)


@primitive(grad={"input": lambda g, input_shape, repeats: _unrepeat(g, input_shape, repeats)}, node="RepeatBackward0")
def _repeat(input: Tensor, repeats: Ints) -> Tensor:
    """Returns the tensor laid ``repeats`` times along each dimension."""
    ...


def repeat_samples(make: Maker) -> Iterator[Sample]:
    """Yields repetition along old dims and a new one."""
    yield Sample((make(2, 3), (2, 1)))
    yield Sample((make(2, 3), (3, 1, 2)))


@composite(method=True, function=False, samples=repeat_samples)
def repeat(input: Tensor, *times: Any, repeats: Any = None) -> Tensor:
    """Returns the tensor laid the given number of times along each dimension; more numbers than dims add dims.

    >>> torch.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    counts = ints_of(times, "repeat", repeats)
    shape = tuple(input._a.shape)
    if len(counts) < len(shape):
        raise RuntimeError("Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor")
    sizes = [n * c for n, c in zip((1,) * (len(counts) - len(shape)) + shape, counts, strict=True)]
    for n in sizes:
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {sizes}")
    return _repeat(input, counts)


@composite(method=True)
def tile(input: Tensor, *times: Any, dims: Any = None) -> Tensor:
    """Returns the tensor laid ``dims`` times; fewer numbers than dims leave the first ones alone.

    >>> torch.tile(torch.tensor([1, 2]), (2,))
    tensor([1, 2, 1, 2])
    """
    counts = ints_of(times, "tile", dims)
    return repeat(input, (1,) * (len(input._a.shape) - len(counts)) + counts)


def interleave_samples(make: Maker) -> Iterator[Sample]:
    """Yields a number, and numbers for each row."""
    yield Sample((make(2, 3), 2))
    yield Sample((make(2, 3), 2, 1))


@composite(method=True, samples=interleave_samples)
def repeat_interleave(
    input: Tensor, repeats: int | Tensor | None = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Returns each element, or with ``dim`` each slice, repeated in place.

    >>> torch.repeat_interleave(torch.tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
    """
    if repeats is None:
        return _spread(input, None)
    if dim is None:
        input, dim = METHODS["flatten"](input), 0
    dim = wrap_dim(dim, len(input._a.shape))
    size = int(input._a.shape[dim]) if input._a.shape else 1
    if isinstance(repeats, Tensor) and repeats._a.size == 1:
        repeats = int(METHODS["item"](repeats))
    if isinstance(repeats, int):
        if repeats < 0:
            raise RuntimeError("Repeats must be non-negative")
        shape = tuple(input._a.shape) or (1,)
        thin = METHODS["unsqueeze"](input, dim + 1 if input._a.shape else 0)
        wide = expand(thin, (*shape[: dim + 1], repeats, *shape[dim + 1 :]))
        merged = (*shape[:dim], shape[dim] * repeats, *shape[dim + 1 :])
        return METHODS["view"](METHODS["contiguous"](wide), merged)  # type: ignore[no-any-return]  # an entry
    if len(repeats._a.shape) != 1:
        raise RuntimeError("repeats must be 0-dim or 1-dim tensor")
    if repeats._a.shape[0] != size:
        raise RuntimeError(
            "repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{repeats._a.shape[0]} and input.size({dim}) = {size}"
        )
    return FUNCTIONS["index_select"](input, dim, _spread(repeats, output_size))  # type: ignore[no-any-return]  # an entry


def _spread(repeats: Tensor, output_size: int | None) -> Tensor:
    """Returns each position as often as ``repeats`` says."""
    if len(repeats._a.shape) != 1:
        raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
    if repeats._key.dtype.name not in ("int64", "int32"):
        raise RuntimeError("repeats has to be Long or Int tensor")
    counts = METHODS["tolist"](repeats)
    if any(n < 0 for n in counts):
        raise RuntimeError("repeats can not be negative")
    places = [i for i, n in enumerate(counts) for _ in range(n)]
    key = repeats._key
    return FUNCTIONS["tensor"](places, dtype=int64, device=key.device, backend=key.backend)  # type: ignore[no-any-return]  # an entry


# --- triangles and diagonals -----------------------------------------------------------------------------------------


@primitive(grad={"input": lambda g, offset: _tril(g, offset)}, node="TrilBackward0", inplace=True)
def _tril(input: Tensor, offset: int) -> Tensor:
    """Returns the lower triangles."""
    ...


@primitive(grad={"input": lambda g, offset: _triu(g, offset)}, node="TriuBackward0", inplace=True)
def _triu(input: Tensor, offset: int) -> Tensor:
    """Returns the upper triangles."""
    ...


def triangle_samples(make: Maker) -> Iterator[Sample]:
    """Yields a matrix and a batch with an offset."""
    yield Sample((make(3, 4),))
    yield Sample((make(2, 3, 3), -1))


def tril_(input: Tensor, diagonal: int = 0) -> Tensor:
    """Writes zeros above a diagonal and returns the tensor."""
    _need_matrices("tril", input)
    return _tril.inplace(input, diagonal)  # type: ignore[attr-defined, no-any-return]  # derived by the decorator


def triu_(input: Tensor, diagonal: int = 0) -> Tensor:
    """Writes zeros below a diagonal and returns the tensor."""
    _need_matrices("triu", input)
    return _triu.inplace(input, diagonal)  # type: ignore[attr-defined, no-any-return]  # as above


def _need_matrices(op: str, input: Tensor) -> None:
    if len(input._a.shape) < 2:
        raise RuntimeError(f"{op}: input tensor must have at least 2 dimensions")


@composite(method=True, out=True, inplace=tril_, samples=triangle_samples)
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """Returns the matrices with zeros above a diagonal.

    >>> torch.tril(torch.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
    """
    _need_matrices("tril", input)
    return _tril(input, diagonal)


@composite(method=True, out=True, inplace=triu_, samples=triangle_samples)
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """Returns the matrices with zeros below a diagonal.

    >>> torch.triu(torch.ones(2, 2))
    tensor([[1., 1.],
            [0., 1.]])
    """
    _need_matrices("triu", input)
    return _triu(input, diagonal)


def _triangle_indices(name: str, row: int, col: int, offset: int, dtype: DType, device: Any) -> Tensor:
    for what, n in (("row", row), ("col", col)):
        if n < 0:
            raise RuntimeError(f"{what} must be non-negative, got{n}")
    if dtype.name not in ("int32", "int64"):
        raise NotImplementedError(f"\"{name}_indices\" not implemented for '{dtype.legacy}'")
    ones = FUNCTIONS["ones"](row, col, device=device)
    kept = FUNCTIONS[name](ones, offset) if row and col else ones
    positions = FUNCTIONS["nonzero"](kept)
    return METHODS["to"](METHODS["contiguous"](METHODS["t"](positions)), dtype)  # type: ignore[no-any-return]  # an entry


@composite()
def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: DType = int64, device: Any = None, layout: Any = None
) -> Tensor:
    """Returns the positions of a lower triangle: rows in the first line, columns in the second."""
    return _triangle_indices("tril", row, col, offset, dtype, device)


@composite()
def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: DType = int64, device: Any = None, layout: Any = None
) -> Tensor:
    """Returns the positions of an upper triangle: rows in the first line, columns in the second."""
    return _triangle_indices("triu", row, col, offset, dtype, device)


@primitive(grad={"input": lambda g, offset, dim1, dim2: diagonal(g, offset, dim1, dim2)}, node="DiagEmbedBackward0")
def _diag_embed(input: Tensor, offset: int, dim1: int, dim2: int) -> Tensor:
    """Returns zeros with the last dimension on a diagonal."""
    ...


def diag_embed_samples(make: Maker) -> Iterator[Sample]:
    """Yields a diagonal beside the main one, and chosen dims."""
    yield Sample((make(2, 3), 1))
    yield Sample((make(2, 3), 0, 0, 2))


@composite(method=True, samples=diag_embed_samples)
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Returns zeros with the last dimension of ``input`` on a diagonal of two new dims.

    >>> torch.diag_embed(torch.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    ndim = len(input._a.shape) + 1
    first, second = wrap_dim(dim1, ndim), wrap_dim(dim2, ndim)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return _diag_embed(input, offset, first, second)


@composite(method=True, out=True)
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """Returns a matrix with a vector on its diagonal, or a matrix's diagonal.

    >>> torch.diag(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    ndim = len(input._a.shape)
    if ndim == 1:
        return diag_embed(input, diagonal)
    if ndim != 2:
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {ndim}D")
    return named(METHODS["clone"](METHODS["diagonal"](input, diagonal)), "DiagonalBackward0_copy")


@composite(method=True)
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """Returns a matrix with the flattened input on a diagonal."""
    return diag_embed(reshape(input, (numel(tuple(input._a.shape)),)), offset)


# --- counting --------------------------------------------------------------------------------------------------------


@composite(method=True)
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """Returns how often each non-negative integer occurs, or the sum of its weights.

    >>> torch.bincount(torch.tensor([0, 2, 2]))
    tensor([1, 0, 2])
    """
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    count = int(input._a.size)
    if input._key.dtype.category != 1:
        raise NotImplementedError(f"\"bincount_cpu\" not implemented for '{input._key.dtype.legacy}'")
    if len(input._a.shape) != 1 or input._key.dtype.category != 1 or (count and int(METHODS["item"](input.min())) < 0):
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if weights is not None and tuple(weights._a.shape) != tuple(input._a.shape):
        raise RuntimeError("weights should be 1-d and have the same length as input")
    size = max(minlength, int(METHODS["item"](input.max())) + 1 if count else 0)
    if weights is None:
        source = FUNCTIONS["ones_like"](input, dtype=int64)
    else:
        source = weights if weights._key.dtype.name == "float32" else METHODS["to"](weights, float64)
    total = FUNCTIONS["zeros_like"](expand(reshape(source, (-1,))[:1], (size,)) if count else source.new_zeros((size,)))
    if not count:
        return total  # type: ignore[no-any-return]  # an entry of the table
    places = METHODS["to"](input, int64)
    return FUNCTIONS["index_add"](total, 0, places, source)  # type: ignore[no-any-return]  # as above
