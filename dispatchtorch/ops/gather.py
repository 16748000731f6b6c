"""Reading along one dimension where an index tensor says: `index_select`, `gather`, `take`, embeddings.

A 0-dimensional tensor counts as one of a single element, as in torch. Writing is in `scatter`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dispatchtorch.dispatch.general import create
from dispatchtorch.dispatch.op import TABLE
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, primitive
from dispatchtorch.ops.index import BOUNDS, int_index, within
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.ops.scatter import _index_add, _scatter_add
from dispatchtorch.ops.singleton import expand
from dispatchtorch.ops.sparse import rows_used
from dispatchtorch.ops.view import Ints, named, reshape
from dispatchtorch.tensor.sizes import broadcast_shapes, wrap_dim
from dispatchtorch.tensor.tensor import Tensor


@primitive(grad={"input": lambda g, input_shape, dim, index: _index_add(g.new_zeros(input_shape), dim, index, g)})
def _index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """Returns the slices along ``dim`` that a vector names."""
    ...


@primitive(grad={"input": lambda g, input_shape, dim, index: _scatter_add(g.new_zeros(input_shape), dim, index, g)})
def _gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """Returns the elements along ``dim`` that ``index`` names, one for each of its own."""
    ...


def _indices(*values: int) -> Tensor:
    return FUNCTIONS["tensor"](list(values))  # type: ignore[no-any-return]  # an entry of the table


def index_select_samples(make: Maker) -> Iterator[Sample]:
    """Yields repeated rows and columns."""
    yield Sample((make(3, 4), 0, _indices(0, 2, 0)))
    yield Sample((make(3, 4), -1, _indices(1, 3)))


@composite(method=True, out=True, samples=index_select_samples)
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """Returns the slices of ``input`` along ``dim`` that the vector ``index`` names, in its order.

    >>> torch.index_select(torch.tensor([[1, 2], [3, 4]]), 0, torch.tensor([1, 1]))
    tensor([[3, 4],
            [3, 4]])
    """
    ndim = len(input._a.shape)
    dim = wrap_dim(dim, ndim)
    if len(index._a.shape) > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if index._key.dtype.name not in ("int64", "int32"):
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    if not ndim:
        if index._a.size != 1:
            raise IndexError("index_select(): Index to scalar must have exactly 1 value")
        return reshape(_index_select(reshape(input, (1,)), 0, reshape(index, (1,))), ())
    size = int(input._a.shape[dim])
    if dim == 0:
        within(index, size, "index out of range in self")
    else:
        within(index, size, "INDICES element is out of DATA bounds, id={index} axis_dim={size}", RuntimeError)
    return _index_select(input, dim, index if index._a.shape else reshape(index, (1,)))


def gather_samples(make: Maker) -> Iterator[Sample]:
    """Yields an index smaller than the input, and repeated elements."""
    yield Sample((make(3, 4), 1, FUNCTIONS["tensor"]([[0, 0], [3, 1]])))
    yield Sample((make(3, 4), 0, FUNCTIONS["tensor"]([[2, 0, 1, 1]])))


def check_gather(op: str, input: Tensor, dim: int, index: Tensor) -> int:
    """Returns ``dim`` counted from the front; torch's errors for an index that does not fit."""
    shape, wanted = tuple(input._a.shape), tuple(index._a.shape)
    ndim = len(shape)
    if type(dim) is not int or not 0 <= dim < ndim:
        dim = wrap_dim(dim, ndim)
    if index._a.size == 0 and index._key.dtype.category < 2:
        return dim
    int_index(index, op)
    if wanted != shape:
        if max(ndim, 1) != max(len(wanted), 1):
            raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
        for d, (n, m) in enumerate(zip(wanted, shape, strict=False)):
            if d != dim and n > m:
                raise RuntimeError(
                    f"Size does not match at dimension {d} expected index {list(wanted)} to be no larger than self "
                    f"{list(shape)} apart from dimension {dim}"
                )
    within(index, int(shape[dim]) if shape else 1, BOUNDS, RuntimeError, dim=dim)
    return dim


@composite(method=True, out=True, samples=gather_samples)
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """Returns a tensor of the index's shape with the elements along ``dim`` that it names.

    >>> torch.gather(torch.tensor([[1, 2], [3, 4]]), 1, torch.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
    """
    dim = check_gather("gather", input, dim, index)
    if not index._a.size:
        none = reshape(METHODS["narrow"](reshape(input, (-1,)), 0, 0, 0), tuple(index._a.shape))
        return named(none, "GatherBackward0")
    if input._a.shape:
        return _gather(input, dim, index if index._a.shape else reshape(index, (1,)))
    picked = reshape(_gather(reshape(input, (1,)), 0, reshape(index, (-1,))), tuple(index._a.shape))
    return named(picked, "GatherBackward0")


@composite(out=True, method=True)
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """Returns the elements along ``dim`` that ``indices``, broadcast with the input, name; flattened without ``dim``.

    >>> x = torch.tensor([[3, 1], [2, 4]])
    >>> torch.take_along_dim(x, torch.argsort(x, dim=1), dim=1)
    tensor([[1, 3],
            [2, 4]])
    """
    if indices._key.dtype.name not in ("int64", "int32"):
        raise RuntimeError(
            f"torch.take_along_dim(): dtype of indices should be Long but got {indices._key.dtype.legacy}"
        )
    if dim is None:
        return gather(reshape(input, (-1,)), 0, reshape(indices, (-1,)))
    shape, wanted = tuple(input._a.shape), tuple(indices._a.shape)
    if len(shape) != len(wanted):
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{len(shape)} dimensions for input, and {len(wanted)} dimensions for indices"
        )
    dim = wrap_dim(dim, len(shape))
    both = broadcast_shapes((*shape[:dim], 1, *shape[dim + 1 :]), (*wanted[:dim], 1, *wanted[dim + 1 :]))
    size = shape[dim]
    if size:  # places are counted from the end too
        within(
            indices, size, f"index {{index}} is out of bounds for dimension {dim} with size {{size}}", RuntimeError,
            negative=True,
        )  # fmt: skip
        indices = METHODS["remainder"](indices, size)
    mine, its = (*both[:dim], shape[dim], *both[dim + 1 :]), (*both[:dim], wanted[dim], *both[dim + 1 :])
    return gather(expand(input, mine), dim, expand(indices, its))


@primitive(grad={"input": lambda g, input_shape, index: _take_backward(g, index, input_shape)})
def _take(input: Tensor, index: Tensor) -> Tensor:
    """Returns the elements of the flattened input that ``index`` names."""
    ...


def _take_backward(g: Tensor, index: Tensor, shape: Ints) -> Tensor:
    count = 1
    for n in shape:
        count *= n
    places = reshape(METHODS["remainder"](index, count) if count else index, (-1,))  # from the end too
    flat = _index_add(g.new_zeros((count,)), 0, places, reshape(g, (-1,)))
    return reshape(flat, shape)


def take_samples(make: Maker) -> Iterator[Sample]:
    """Yields repeated and negative places."""
    yield Sample((make(3, 4), FUNCTIONS["tensor"]([[0, 11], [-1, 0]])))


@composite(method=True, out=True, samples=take_samples)
def take(input: Tensor, index: Tensor) -> Tensor:
    """Returns the elements of the flattened input that ``index`` names, in the index's shape.

    >>> torch.take(torch.tensor([[1, 2], [3, 4]]), torch.tensor([0, -1]))
    tensor([1, 4])
    """
    if index._key.dtype.name != "int64":
        raise RuntimeError(f"take(): Expected a long tensor for index, but got {index._key.dtype.legacy}")
    count = int(input._a.size)
    within(index, count, "out of range: tried to access index {index} on a tensor of {size} elements.", negative=True)
    return _take(input, index)


@primitive(samples=lambda make: iter([Sample((_indices(2, 0, 2), 3)), Sample((_indices(1, 0).reshape(2, 1), 4))]))
def _one_hot(index: Tensor, classes: int) -> Tensor:
    """Returns int64 zeros with one more dimension, and a one at the place along it that each index names."""
    key = index._key
    grid: Any = create(TABLE["_arange"], key.fresh(False), (0, 1, classes, key.dtype))
    return METHODS["to"](METHODS["unsqueeze"](index, -1) == grid, key.dtype)  # type: ignore[no-any-return]  # an entry


# --- embeddings ------------------------------------------------------------------------------------------------------


@primitive(
    grad={
        "weight": lambda g, weight_shape, indices, padding_idx, scale_grad_by_freq, sparse: (
            rows_used(g, indices, weight_shape, padding_idx, scale_grad_by_freq)
            if sparse
            else _embedding_backward(g, indices, weight_shape[0], padding_idx, scale_grad_by_freq)
        )
    },
    node="EmbeddingBackward0",
)
def _embedding(weight: Tensor, indices: Tensor, padding_idx: int, scale_grad_by_freq: bool, sparse: bool) -> Tensor:
    """Returns the rows that indices name."""
    ...


@primitive(
    grad={
        "g_out": lambda g, indices, padding_idx, scale_grad_by_freq: _embedding_rows(
            g, indices, padding_idx, scale_grad_by_freq
        )
    }
)
def _embedding_backward(
    g_out: Tensor, indices: Tensor, count: int, padding_idx: int, scale_grad_by_freq: bool
) -> Tensor:
    """Returns rows to which the gradients of their uses were added; none for the padding row."""
    ...


def _embedding_rows(g: Tensor, indices: Tensor, padding_idx: int, scale_grad_by_freq: bool) -> Tensor:
    if scale_grad_by_freq:
        raise RuntimeError("double backward is not supported for scale_grad_by_freq")
    rows = _embedding(g, indices, -1, False, False)
    if padding_idx < 0:
        return rows
    away: Any = METHODS["unsqueeze"](indices == padding_idx, -1)
    return METHODS["masked_fill"](rows, away, 0.0)  # type: ignore[no-any-return]  # an entry of the table


def embedding_samples(make: Maker) -> Iterator[Sample]:
    """Yields repeated rows and a padding row."""
    yield Sample((make(4, 3), FUNCTIONS["tensor"]([[0, 2], [2, 1]])))
    yield Sample((make(4, 3), _indices(0, 1, 0), 0))


@composite(samples=embedding_samples)
def embedding(
    weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Tensor:
    """Returns the rows of ``weight`` that ``indices`` name; no gradient flows to the row ``padding_idx``.

    >>> torch.embedding(torch.tensor([[1.0], [2.0]]), torch.tensor([1, 1, 0]))
    tensor([[2.],
            [2.],
            [1.]])
    """
    if len(weight._a.shape) != 2:
        raise RuntimeError("'weight' must be 2-D")
    if indices._key.dtype.name not in ("int64", "int32"):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"torch.{indices._key.dtype.legacy}Tensor instead (while checking arguments for embedding)"
        )
    within(indices, int(weight._a.shape[0]), "index out of range in self")
    return _embedding(weight, indices, padding_idx, scale_grad_by_freq, sparse)
