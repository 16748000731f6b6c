"""Several tensors made one: concatenated, stacked, on a block diagonal; and the products of sequences."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dispatchtorch._base.dtypes import DType, int64
from dispatchtorch.dispatch.promotion import promoted
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, primitive
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.ops.singleton import expand
from dispatchtorch.ops.view import Ints, named, reshape
from dispatchtorch.tensor.sizes import wrap_dim
from dispatchtorch.tensor.tensor import Tensor

Tensors = Sequence[Tensor]


def _uncat(g: Tensor, shapes: list[Ints], dim: int, needs: tuple[bool, ...]) -> list[Tensor | None]:
    narrow = METHODS["narrow"]
    out: list[Tensor | None] = []
    start = 0
    for shape, need in zip(shapes, needs, strict=True):
        out.append(narrow(g, dim, start, shape[dim]) if need else None)
        start += shape[dim]
    return out


@primitive(
    grad={"tensors": lambda g, tensors_shape, dim, needs: _uncat(g, tensors_shape, dim, needs)}, node="CatBackward0"
)
def _cat(tensors: Sequence[Tensor], dim: int) -> Tensor:
    """Returns tensors of one dtype joined along an old dimension."""
    ...


@primitive(grad={"tensors": lambda g, dim: list(METHODS["unbind"](g, dim))}, node="StackBackward0")
def _stack(tensors: Sequence[Tensor], dim: int) -> Tensor:
    """Returns tensors of one shape and dtype joined along a new dimension."""
    ...


def _listed(op: str, tensors: Any) -> list[Tensor]:
    if isinstance(tensors, Tensor) or not isinstance(tensors, (list, tuple)):
        kind = type(tensors).__name__
        raise TypeError(f"{op}(): argument 'tensors' (position 1) must be tuple of Tensors, not {kind}")
    for i, member in enumerate(tensors):
        if not isinstance(member, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type(member).__name__}")
    return list(tensors)


def _alike(tensors: list[Tensor], dtype: DType | None = None) -> list[Tensor]:
    """Returns the tensors in their common dtype."""
    first = tensors[0]._key.dtype
    if all(t._key.dtype is first for t in tensors):
        common = first
    else:
        common = promoted([t._key for t in tensors])
    if dtype is not None:
        common = dtype
    return [t if t._key.dtype is common else METHODS["to"](t, common) for t in tensors]


def cat_samples(make: Maker) -> Iterator[Sample]:
    """Yields different sizes along both dims, and two dtypes."""
    yield Sample(([make(2, 3), make(1, 3)],))
    yield Sample(([make(2, 3), make(2, 1), make(2, 2)], -1))
    yield Sample(([make(2, 3), make(2, 3, dtype="int64")],), grad=False)


@composite(out=True, names=("concat", "concatenate"), samples=cat_samples)
def cat(tensors: Tensors, dim: int = 0, *, axis: int | None = None) -> Tensor:
    """Returns the tensors joined along ``dim``; all other sizes must agree.

    >>> torch.cat([torch.tensor([1, 2]), torch.tensor([3])])
    tensor([1, 2, 3])
    """
    if (type(tensors) is list or type(tensors) is tuple) and tensors and axis is None:
        try:  # of one key: what is wrong with the shapes a library sees itself
            key, ndim = tensors[0]._key, tensors[0]._a.ndim
            for t in tensors:
                if t._key is not key:
                    break
            else:
                if -ndim <= dim < ndim:
                    return _cat(tensors, dim if dim >= 0 else dim + ndim)
        except (AttributeError, ValueError, TypeError):  # in torch's words, below
            pass
    given = _listed("cat", tensors)
    if not given:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    for i, t in enumerate(given):
        if not t._a.shape:
            raise RuntimeError(f"zero-dimensional tensor (at position {i}) cannot be concatenated")
    joined = _alike(given)
    lines = all(len(t._a.shape) == 1 for t in joined)
    parts = joined if lines else [t for t in joined if tuple(t._a.shape) != (0,)]
    shape = tuple(parts[0]._a.shape)
    dim = wrap_dim(dim if axis is None else axis, len(shape))
    for t in parts:
        _check_cat(shape, t, dim, given)
    return _cat(parts, dim)


def _check_cat(shape: Ints, t: Tensor, dim: int, given: list[Tensor]) -> None:
    have = tuple(t._a.shape)
    if len(have) != len(shape):
        raise RuntimeError(f"Tensors must have same number of dimensions: got {len(shape)} and {len(have)}")
    for d, (want, n) in enumerate(zip(shape, have, strict=True)):
        if d != dim and want != n:
            number = next(i for i, one in enumerate(given) if tuple(one._a.shape) == have)
            raise RuntimeError(
                f"Sizes of tensors must match except in dimension {dim}. Expected size {want} but got size {n} for "
                f"tensor number {number} in the list."
            )


def stack_samples(make: Maker) -> Iterator[Sample]:
    """Yields a new first and a new last dimension."""
    yield Sample(([make(2, 3), make(2, 3)],))
    yield Sample(([make(2), make(2), make(2)], -1))


@composite(out=True, samples=stack_samples)
def stack(tensors: Tensors, dim: int = 0) -> Tensor:
    """Returns the tensors, all of one shape, joined along a new dimension.

    >>> torch.stack([torch.tensor([1, 2]), torch.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    if type(tensors) is list and tensors:
        try:  # of one key and shape
            key, sizes = tensors[0]._key, tensors[0]._a.shape
            for t in tensors:
                if t._key is not key or t._a.shape != sizes:
                    break
            else:
                if 0 <= dim <= len(sizes):
                    return _stack(tensors, dim)
        except (AttributeError, TypeError):  # in torch's words, below
            pass
    given = _listed("stack", tensors)
    if not given:
        raise RuntimeError("stack expects a non-empty TensorList")
    shape = tuple(given[0]._a.shape)
    dim = wrap_dim(dim, len(shape) + 1)
    for i, t in enumerate(given):
        if tuple(t._a.shape) != shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(shape)} at entry 0 and "
                f"{list(t._a.shape)} at entry {i}"
            )
    return _stack(_alike(given), dim)


def _rows_samples(make: Maker) -> Iterator[Sample]:
    yield Sample(([make(2, 3), make(2, 3)],))
    yield Sample(([make(2), make(2), make(2)],))


def _stacker(name: str, doc: str, prepare: Callable[[Tensor], Tensor], dim: Callable[[list[Tensor]], int]) -> None:
    def function(tensors: Tensors) -> Tensor:
        given = _listed(name, tensors)
        if not given:
            raise RuntimeError(f"{name} expects a non-empty TensorList")
        ready = [prepare(t) for t in given]
        return cat(ready, dim(ready))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    composite(out=True, names=("row_stack",) if name == "vstack" else (), samples=_rows_samples)(function)


_stacker(
    "hstack",
    "Returns the tensors joined along dimension 1, vectors along dimension 0.",
    lambda t: FUNCTIONS["atleast_1d"](t),
    lambda ts: 0 if len(ts[0]._a.shape) == 1 else 1,
)
_stacker(
    "vstack",
    "Returns the tensors joined along dimension 0, vectors as rows.",
    lambda t: FUNCTIONS["atleast_2d"](t),
    lambda ts: 0,
)
_stacker(
    "dstack",
    "Returns the tensors joined along dimension 2.",
    lambda t: FUNCTIONS["atleast_3d"](t),
    lambda ts: 2,
)
_stacker(
    "column_stack",
    "Returns the tensors joined along dimension 1, vectors as columns.",
    lambda t: t if len(t._a.shape) > 1 else reshape(t, (t._a.size, 1)),
    lambda ts: 1,
)


@composite()
def block_diag(*tensors: Tensor) -> Tensor:
    """Returns a matrix with the tensors on its diagonal, one behind the other.

    >>> torch.block_diag(torch.tensor([[1, 2]]), torch.tensor(3))
    tensor([[1, 2, 0],
            [0, 0, 3]])
    """
    for i, t in enumerate(tensors):
        if len(t._a.shape) > 2:
            raise RuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input "
                f"{i} has {len(t._a.shape)} dimensions"
            )
    blocks = [FUNCTIONS["atleast_2d"](t) for t in _alike(list(tensors))]
    width = sum([int(b._a.shape[1]) for b in blocks])
    rows = []
    start = 0
    for b in blocks:
        height, own = (int(n) for n in b._a.shape)
        rows.append(cat([b.new_zeros((height, start)), b, b.new_zeros((height, width - start - own))], 1))
        start += own
    return named(cat(rows), "BlockDiagBackward0")


MESHGRID_WARNING = "torch.meshgrid: in an upcoming release, it will be required to pass the indexing argument."


@composite()
def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Returns views of the vectors over the grid that they span; ``indexing`` "ij" or "xy".

    >>> torch.meshgrid(torch.tensor([1, 2]), torch.tensor([3, 4]), indexing="ij")
    (tensor([[1, 1],
            [2, 2]]), tensor([[3, 4],
            [3, 4]]))
    """
    given = list(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else list(tensors)
    if not given:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if indexing is None:
        warnings.warn(MESHGRID_WARNING, UserWarning, stacklevel=2)
        indexing = "ij"
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    for t in given:
        if len(t._a.shape) > 1:
            raise RuntimeError(f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {t}")
        if t._key.dtype is not given[0]._key.dtype:
            raise RuntimeError("torch.meshgrid expects all tensors to have the same dtype")
    swap = indexing == "xy" and len(given) >= 2
    if swap:
        given[0], given[1] = given[1], given[0]
    sizes = tuple([int(t._a.size) for t in given])
    grids = []
    for i, t in enumerate(given):
        lone = (*(1,) * i, sizes[i], *(1,) * (len(given) - i - 1))
        grids.append(expand(METHODS["view"](t, lone), sizes))
    if swap:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


@composite()
def cartesian_prod(*tensors: Tensor) -> Tensor:
    """Returns every combination of one element of each vector, one a row."""
    if len(tensors) == 1:
        return tensors[0]
    grids = meshgrid(*tensors, indexing="ij")
    return stack([reshape(g, (-1,)) for g in grids], 1)


@composite()
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """Returns every combination of ``r`` elements of a vector, one a row.

    >>> torch.combinations(torch.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    if len(input._a.shape) != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input._a.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return input.new_zeros((0,))
    choose: Any = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = list(choose(range(int(input._a.size)), r))
    columns = [[row[i] for row in rows] for i in range(r)]
    key = input._key
    places = [FUNCTIONS["tensor"](c, dtype=int64, device=key.device, backend=key.backend) for c in columns]
    return stack([FUNCTIONS["index_select"](input, 0, p) for p in places], 1)
