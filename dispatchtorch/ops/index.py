"""Reading and writing where index tensors say: the advanced half of a subscript, `index_put`, `nonzero`, masked reads.

Indices are int64 (or int32), one for each dimension that is indexed; masks have become such positions before a kernel
sees them. As in torch, the indexed dims come first in the result unless they are neighbours.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Final

from dispatchtorch._base.dtypes import int64
from dispatchtorch._base.host import np
from dispatchtorch.batching.errors import MASK, DynamicShapeError
from dispatchtorch.dispatch.destination import fill
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.overlap import require_apart
from dispatchtorch.dispatch.record import requires
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, primitive
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.ops.singleton import expand
from dispatchtorch.ops.view import Ints, named, reshape
from dispatchtorch.tensor.sizes import broadcast_shapes
from dispatchtorch.tensor.tensor import Tensor, cell_of, read

__all__ = [
    "BOUNDS",
    "extent",
    "index_by",
    "int_index",
    "mask_positions",
    "masked_select",
    "nonzero",
    "put_by",
    "within",
]

BOUNDS = "index {index} is out of bounds for dimension {dim} with size {size}"
_FEW: Final = 8192  # numbers of which the place of the largest is found sooner than the largest
BYTE_WARNING = "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead."


@primitive(
    grad={"input": lambda g, indices, input_shape, dims: _index_backward(g, indices, input_shape, dims)},
    node="IndexBackward0",
)
def _index(input: Tensor, indices: Sequence[Tensor], dims: Ints) -> Tensor:
    """Returns the elements at broadcast ``indices`` along ``dims``."""
    ...


@primitive(grad={"g_out": lambda g, indices, dims: _index(g, indices, dims)})
def _index_backward(g_out: Tensor, indices: Sequence[Tensor], shape: Ints, dims: Ints) -> Tensor:
    """Returns zeros of ``shape`` to which ``g_out`` was added at the indices."""
    ...


@primitive(
    grad={
        "input": lambda g, indices, values_shape, dims, accumulate: (
            g if accumulate else _index_put(g, indices, g.new_zeros(()), dims, False)
        ),
        "values": lambda g, indices, dims: _index(g, indices, dims),
    },
    node="IndexPutBackward0",
    inplace=True,
)
def _index_put(input: Tensor, indices: Sequence[Tensor], values: Tensor, dims: Ints, accumulate: bool) -> Tensor:
    """Returns ``input`` with ``values`` written, or added, at the indices."""
    ...


def _index_mask_backward(g: Tensor, mask: Tensor, shape: Ints, dim: int) -> Tensor:
    dims = tuple(range(dim, dim + len(mask._a.shape)))
    return _index_backward(g, METHODS["unbind"](_nonzero(mask), 0), shape, dims)


@primitive(
    grad={"input": lambda g, mask, input_shape, dim: _index_mask_backward(g, mask, input_shape, dim)},
    node="IndexBackward0",
)
def _index_mask(input: Tensor, mask: Tensor, dim: int) -> Tensor:
    """Returns the elements where a mask over the dims from ``dim`` on holds."""
    dims = tuple(range(dim, dim + len(mask._a.shape)))
    return _index(input, METHODS["unbind"](_nonzero(mask), 0), dims)


@primitive()
def _nonzero(input: Tensor) -> Tensor:
    """Returns the positions of what is not zero, one a column."""
    ...


# --- indices ---------------------------------------------------------------------------------------------------------


def within(
    index: Tensor, size: int, message: str, error: type[Exception] = IndexError, *, negative: bool = False, dim: int = 0
) -> None:
    """Raises ``message`` with the offending {index}, {size} and {dim} for an index beyond the ends.

    ``negative``: down to -size, counted from the end; else down to 0.

    Only for indices whose values can be looked at: not in somebody's trace, nor on an accelerator, which never raises.
    """
    found = extent(index, below=0 if negative else size)
    if found is not None and (found[1] >= size or found[0] < (-size if negative else 0)):
        low, high = found
        raise error(message.format(index=high if high >= size else low, size=size, dim=dim))


def extent(index: Tensor, *, below: int = 0) -> tuple[int, int] | None:
    """Returns the least and the largest index; None where there is none or nobody can look.

    ``below``: None also where all are from 0 to under this number, which one look at the bits tells.
    """
    key = index._key
    if key.device.type != "cpu" or not index._a.size:
        return None
    try:
        host = key.backend.to_host(read(index))
    except TypeError:  # a traced value
        return None
    if below and key.dtype is int64:
        bits = host.view(np.uint64)  # a negative number has the highest bit
        if (bits.item(bits.argmax()) if host.size < _FEW else np.maximum.reduce(bits, None)) < below:
            return None
    return int(np.minimum.reduce(host, None)), int(np.maximum.reduce(host, None))


def int_index(index: Tensor, op: str) -> None:
    """Raises torch's error unless the index is int32 or int64."""
    if index._key.dtype is not int64 and index._key.dtype.name != "int32":
        raise RuntimeError(f"{op}(): Expected dtype int32/int64 for index")


def mask_positions(t: Tensor, dim: int, mask: Tensor, *, check: bool = False) -> tuple[Tensor, ...]:
    """Returns the positions that a mask over the dims from ``dim`` on selects, one tensor a dimension."""
    shape, have = tuple(t._a.shape), tuple(mask._a.shape)
    for i, n in enumerate(have):
        if shape[dim + i] != n:
            raise IndexError(
                f"The shape of the mask {list(have)} at index {i} does not match the shape of the indexed tensor "
                f"{list(shape)} at index {dim + i}"
            )
    try:
        return () if check else METHODS["unbind"](_nonzero(mask), 0)
    except DynamicShapeError:
        raise RuntimeError(MASK) from None


def _resolved(t: Tensor, spec: dict[int, Tensor], *, late: bool = False) -> tuple[list[Tensor], Ints]:
    """Returns index tensors without masks, that broadcast against each other, and the dims they index.

    ``late``: the library raises for an index out of range, which is checked only then, for torch's words.
    """
    indices: list[Tensor] = []
    dims: list[int] = []
    for dim, index in spec.items():
        name = index._key.dtype.name
        if name in ("bool", "uint8"):
            if name == "uint8":
                warnings.warn(BYTE_WARNING, UserWarning, stacklevel=4)
            for i, positions in enumerate(mask_positions(t, dim, index)):
                indices.append(positions)
                dims.append(dim + i)
        elif name in ("int64", "int32"):
            if not (late and t._key.native):
                _check_place(t, dim, index)
            indices.append(index)
            dims.append(dim)
        else:
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    if len(indices) > 1:
        shapes = [tuple(i._a.shape) for i in indices]
        try:
            broadcast_shapes(*shapes)
        except RuntimeError:
            listed = ", ".join([str(list(s)) for s in shapes])
            raise IndexError(
                f"shape mismatch: indexing tensors could not be broadcast together with shapes {listed}"
            ) from None
    return indices, tuple(dims)


def _check_place(t: Tensor, dim: int, index: Tensor) -> None:
    within(index, int(t._a.shape[dim]), BOUNDS, negative=True, dim=dim)


def index_by(t: Tensor, spec: dict[int, Tensor]) -> Tensor:
    """Returns the elements of ``t`` at index tensors, given by dimension."""
    if len(spec) == 1:
        ((dim, mask),) = spec.items()
        if mask._key.dtype.name == "bool" and mask._a.shape and mask._key.backend is t._key.backend:
            mask_positions(t, dim, mask, check=True)
            try:
                return _index_mask(t, mask, dim)
            except DynamicShapeError:
                raise RuntimeError(MASK) from None
    indices, dims = _resolved(t, spec, late=True)
    try:
        return _index(t, indices, dims)
    except IndexError:
        for dim, index in zip(dims, indices, strict=True):
            _check_place(t, dim, index)
        raise


def indexed_shape(shape: Ints, indices: Sequence[Tensor], dims: Ints) -> Ints:
    """Returns the shape of an indexing's result."""
    wide = broadcast_shapes(*[tuple(i._a.shape) for i in indices])
    rest = tuple([n for d, n in enumerate(shape) if d not in dims])
    at = dims[0] if dims[-1] - dims[0] == len(dims) - 1 else 0
    return (*rest[:at], *wide, *rest[at:])


def put_by(t: Tensor, spec: dict[int, Tensor], values: Tensor, accumulate: bool = False) -> None:
    """Writes or adds ``values``, broadcast, at index tensors given by dimension."""
    for given in (*spec.values(), values):
        if given is t or given._cell is not None:
            _require_apart(t, spec, values)
            break
    indices, dims = _resolved(t, spec)
    _check_put(t, indices, dims, values)
    plain = not modes.grad or not requires((t, values), (0, 0))
    if t._key.native and plain and not accumulate and _writable(t):
        where: list[Any] = [slice(None)] * len(t._a.shape)
        for dim, index in zip(dims, indices, strict=True):
            where[dim] = read(index)
        read(t)[tuple(where)] = read(values)
        cell_of(t).version += 1
        return
    _index_put.inplace(t, indices, values, dims, accumulate)  # type: ignore[attr-defined]  # derived by the decorator


def _require_apart(t: Tensor, spec: dict[int, Tensor], values: Tensor) -> None:
    """Raises torch's error where indices or values share memory with ``t``; one number at a mask is looked at first."""
    kinds = [index._key.dtype.name for index in spec.values()]
    single = kinds in (["bool"], ["uint8"]) and values._a.size == 1
    for given in spec.values():
        require_apart(t, given, "same" if single else "apart")
    if not single:
        require_apart(t, values, "apart")


def _writable(t: Tensor) -> bool:
    return 0 not in t._a.strides or t._a.size < 2


def _check_put(t: Tensor, indices: Sequence[Tensor], dims: Ints, values: Tensor) -> None:
    shape, have = indexed_shape(tuple(t._a.shape), indices, dims), tuple(values._a.shape)
    fits = len(have) <= len(shape) and all(n in (1, m) for n, m in zip(have[::-1], shape[::-1], strict=False))
    if not fits:
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(have)} cannot be broadcast to indexing result of shape "
            f"{list(shape)}"
        )
    if values._key.dtype is not t._key.dtype:
        raise RuntimeError(
            "Index put requires the source and destination dtypes match, got "
            f"{t._key.dtype.legacy} for the destination and {values._key.dtype.legacy} for the source."
        )


def _put_spec(input: Tensor, indices: Sequence[Tensor]) -> dict[int, Tensor]:
    ndim = len(input._a.shape)
    spec: dict[int, Tensor] = {}
    dim = 0
    for place, index in enumerate(indices):
        if not isinstance(index, Tensor):
            raise TypeError(f"expected Tensor as element {place} in argument 0, but got {type(index).__name__}")
        spec[dim] = index
        dim += len(index._a.shape) if index._key.dtype.name in ("bool", "uint8") else 1
    if dim > ndim:
        raise IndexError(f"too many indices for tensor of dimension {ndim} (got {dim})")
    return spec


def index_put_(input: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False) -> Tensor:
    """Writes, or adds, ``values`` where the index tensors say, and returns the tensor."""
    put_by(input, _put_spec(input, indices), values, accumulate)
    return input


def index_put_samples(make: Maker) -> Iterator[Sample]:
    """Yields a write and an addition at repeated places."""
    rows = FUNCTIONS["tensor"]([0, 2])
    yield Sample((make(3, 4), (rows,), make(2, 4)))
    yield Sample((make(3, 4), (FUNCTIONS["tensor"]([0, 0]), rows), make(2), True))


@composite(method=True, inplace=index_put_, samples=index_put_samples)
def index_put(input: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False) -> Tensor:
    """Returns a copy of ``input`` with ``values`` written, or added, where the index tensors say.

    >>> torch.index_put(torch.zeros(3), (torch.tensor([0, 2]),), torch.tensor([1.0, 2.0]))
    tensor([1., 0., 2.])
    """
    found, dims = _resolved(input, _put_spec(input, indices))
    _check_put(input, found, dims, values)
    return _index_put(input, found, values, dims, accumulate)


# --- positions and masks ---------------------------------------------------------------------------------------------


@composite(method=True)
def nonzero(input: Tensor, *, as_tuple: bool = False, out: Tensor | None = None) -> Tensor | tuple[Tensor, ...]:
    """Returns the positions of what is not zero: one a row, or with ``as_tuple`` a tensor a dimension.

    >>> torch.nonzero(torch.tensor([0, 5, 7]))
    tensor([[1],
            [2]])
    """
    if as_tuple:
        whole = input if input._a.shape else reshape(input, (1,))
        return METHODS["unbind"](_nonzero(whole), 0)  # type: ignore[no-any-return]  # an entry of the table
    found = argwhere(input)
    if out is None:
        return found
    return fill("nonzero", found, out, (input,))  # type: ignore[no-any-return]  # what was given


@composite(method=True)
def argwhere(input: Tensor) -> Tensor:
    """Returns the positions of what is not zero, one a row."""
    return METHODS["t_"](_nonzero(input))  # type: ignore[no-any-return]  # an entry of the table


def where_indices(condition: Tensor) -> tuple[Tensor, ...]:
    """Returns the positions of what is true, a tensor a dimension: `torch.where` of one argument."""
    return nonzero(condition, as_tuple=True)  # type: ignore[return-value]  # a tuple is what as_tuple asks for


def _masks(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4), make(3, 4, dtype="bool", low=0, high=2)))
    yield Sample((make(3, 4), make(4, dtype="bool", low=0, high=2)))


@composite(method=True, out=True, samples=_masks)
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """Returns, in one dimension, the elements of ``input`` where ``mask``, broadcast with it, is true.

    >>> torch.masked_select(torch.tensor([1, 2, 3]), torch.tensor([True, False, True]))
    tensor([1, 3])
    """
    if mask._key.dtype.name != "bool":
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    shape = broadcast_shapes(tuple(input._a.shape), tuple(mask._a.shape)) or (1,)
    wide = input if tuple(input._a.shape) == shape else expand(input, shape)
    whole = mask if tuple(mask._a.shape) == shape else expand(mask, shape)
    return named(index_by(wide, {0: whole}), "MaskedSelectBackward0")


def _masked_sources(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4), make(3, 4, dtype="bool", low=0, high=2), make(3, 4)))


def _masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    if mask._key.dtype.name != "bool":
        name = mask._key.dtype.legacy
        raise RuntimeError(f"masked_scatter_ only supports boolean masks, but got mask with dtype {name}")
    if source._key.dtype is not input._key.dtype:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got "
            f"{input._key.dtype.legacy} and {source._key.dtype.legacy}"
        )
    shape = tuple(input._a.shape)
    wide = mask if tuple(mask._a.shape) == shape else expand(mask, shape)
    if shape:
        positions = mask_positions(input, 0, wide)
    else:
        positions = mask_positions(reshape(input, (1,)), 0, reshape(wide, (1,)))
    count = int(positions[0]._a.shape[0])
    if count > source._a.size:
        raise RuntimeError("Number of elements of source < number of ones in mask")
    values = METHODS["narrow"](reshape(source, (-1,) if source._a.size else (0,)), 0, 0, count)
    if not shape:
        return reshape(_index_put(reshape(input, (1,)), list(positions), values, (0,), False), ())
    done = _index_put(input, list(positions), values, tuple(range(len(shape))), False)
    return named(done, "MaskedScatterBackward0")


@composite(method=True, inplace=True, samples=_masked_sources)
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """Returns ``input`` with the elements of ``source``, in order, where ``mask`` is true.

    >>> torch.masked_scatter(torch.zeros(3), torch.tensor([True, False, True]), torch.tensor([1.0, 2.0]))
    tensor([1., 0., 2.])
    """
    shape = broadcast_shapes(tuple(input._a.shape), tuple(mask._a.shape))
    return _masked_scatter(input if shape == tuple(input._a.shape) else expand(input, shape), mask, source)
