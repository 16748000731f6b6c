"""Sparse tensors in coordinate format: making them, taking them apart, and what ties both to the graph.

Two recorded steps lead between the worlds: `made` puts values under coordinates, `values_of` takes them out again. All
other ops on sparse tensors are compositions of dense ops on the values, so their gradients need nothing of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dispatchtorch._base.dtypes import BOOL, DType, bool_, int64, uint8
from dispatchtorch.dispatch.general import create
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.op import Op
from dispatchtorch.dispatch.record import record
from dispatchtorch.dispatch.sparse import refuse, sparse_op
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, TABLE, composite
from dispatchtorch.ops.members import Layout, strided
from dispatchtorch.ops.view import named
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.key import Key
from dispatchtorch.tensor.sparse import SparseTensor, as_sparse, dense_key
from dispatchtorch.tensor.tensor import Tensor, alias_of

__all__ = [
    "SparseTensor",
    "coalesce",
    "empty_coo",
    "invariants",
    "linear",
    "made",
    "rows_used",
    "sparse_bsc",
    "sparse_bsr",
    "sparse_coo",
    "sparse_coo_tensor",
    "sparse_csc",
    "sparse_csr",
    "summed",
    "to_dense",
    "to_sparse",
    "unravelled",
    "values_at",
    "values_of",
]  # fmt: skip

sparse_coo: Final = Layout("sparse_coo")
sparse_csr: Final = Layout("sparse_csr")
sparse_csc: Final = Layout("sparse_csc")
sparse_bsr: Final = Layout("sparse_bsr")
sparse_bsc: Final = Layout("sparse_bsc")

Ints = tuple[int, ...]


def _step(body: Any, grad: Any, node: str) -> Op:
    return Op(body, pointwise=False, grad=grad, dtype="same", kernel=None, node=node, decomposed=False, samples=None)


# --- between values and sparse tensors -------------------------------------------------------------------------------


def _picked(g: Tensor, indices: Tensor) -> Tensor:
    """Returns a gradient's elements (or dense slices) at these coordinates."""
    if isinstance(g, SparseTensor):
        return values_of(g) if g._a.indices._a is indices._a else values_at(g, indices)
    if not indices._a.shape[0]:
        spread: Tensor = METHODS["unsqueeze"](g, 0).expand((indices._a.shape[1], *g._a.shape))
        return spread
    return g[tuple(METHODS["unbind"](indices, 0))]


def _coo(indices: Tensor, values: Tensor) -> Tensor:
    """Returns values under their coordinates."""
    raise NotImplementedError


def _values(input: Tensor) -> Tensor:
    """Returns the values of a sparse tensor."""
    raise NotImplementedError


_COO: Final = _step(
    _coo, {"values": lambda g, indices: _picked(g, indices)}, "SparseCooTensorWithDimsAndTensorsBackward0"
)
_VALUES: Final = _step(
    _values,
    {"input": lambda g, input: made(input._a.indices, g, input._a.shape, input._a.coalesced)},
    "ValuesBackward0",
)


def made(indices: Tensor, values: Tensor, shape: Sequence[int], coalesced: bool, node: str = "") -> SparseTensor:
    """Returns a sparse tensor of values, through which gradients flow back to them."""
    out = as_sparse(indices, values, tuple(shape), coalesced)
    if modes.grad and values._key.requires:
        record(_COO, (out._a.indices, values), (out,), several=False)
        if node:
            named(out, node)
    return out


def values_of(s: SparseTensor) -> Tensor:
    """Returns the values of a sparse tensor, whose gradients flow back to it."""
    out = alias_of(s._a.values)
    if modes.grad and s._key.requires:
        record(_VALUES, (s,), (out,), several=False)
    return out


# --- coordinates as numbers ------------------------------------------------------------------------------------------


def linear(indices: Tensor, sizes: Sequence[int]) -> Tensor:
    """Returns the place of each coordinate in row-major order."""
    out: Any = None
    for row, size in zip(METHODS["unbind"](indices, 0), sizes, strict=True):
        out = row if out is None else out * size + row
    return METHODS["new_zeros"](indices, (indices._a.shape[1],)) if out is None else out  # type: ignore[no-any-return]  # the table


def unravelled(places: Tensor, sizes: Sequence[int]) -> Tensor:
    """Returns the coordinates of places in row-major order."""
    rows: list[Any] = []
    for size in reversed(sizes):
        size = size or 1
        rows.append(places % size)
        places = METHODS["floor_divide"](places, size)
    if not rows:
        return METHODS["new_zeros"](places, (0, places._a.shape[0]))  # type: ignore[no-any-return]  # a method of the table
    return FUNCTIONS["stack"](rows[::-1])  # type: ignore[no-any-return]  # as above


def summed(values: Tensor, groups: Tensor, count: int) -> Tensor:
    """Returns the sums of the values of each group; True where any is, for truth values."""
    if values._key.dtype.category == BOOL:
        return summed(values.to(uint8), groups, count).to(bool_)
    start = METHODS["new_zeros"](values, (count, *values._a.shape[1:]))
    return METHODS["index_add"](start, 0, groups, values)  # type: ignore[no-any-return]  # as above


def values_at(s: SparseTensor, indices: Tensor) -> Tensor:
    """Returns the elements (or dense slices) of a sparse tensor at these coordinates, zeros where it has none."""
    whole = coalesce(s)
    raw, sizes = whole._a, whole._a.shape[: whole._a.sparse_dim]
    values = values_of(whole)
    wanted = linear(indices, sizes)
    if not raw.count:
        return METHODS["new_zeros"](values, (indices._a.shape[1], *values._a.shape[1:]))  # type: ignore[no-any-return]  # as above
    known = linear(raw.indices, sizes)
    at = METHODS["clamp"](FUNCTIONS["searchsorted"](known, wanted), max=raw.count - 1)
    hit = known[at] == wanted
    found = METHODS["index_select"](values, 0, at)
    wide = hit.reshape((-1,) + (1,) * (len(values._a.shape) - 1))
    return FUNCTIONS["where"](wide, found, METHODS["new_zeros"](found, ()))  # type: ignore[no-any-return]  # as above


def rows_used(g: Tensor, indices: Tensor, shape: Ints, padding_idx: int, scale_grad_by_freq: bool) -> SparseTensor:
    """Returns the sparse gradient of a table whose rows were looked up: one row for each use."""
    if scale_grad_by_freq:
        raise RuntimeError("embedding_backward: scale_grad_by_freq not supported with sparse gradients")
    used, rows = indices.reshape(-1), g.reshape(-1, shape[1])
    if padding_idx >= 0:
        kept = METHODS["nonzero"](used != padding_idx)[:, 0]
        used, rows = METHODS["index_select"](used, 0, kept), METHODS["index_select"](rows, 0, kept)
    return made(METHODS["unsqueeze"](METHODS["to"](used, int64), 0), rows, shape, False)


# --- making ----------------------------------------------------------------------------------------------------------


class Invariants:
    """Whether every new sparse tensor has its coordinates held against its sizes; off unless switched on."""

    on = False


invariants: Final = Invariants()


def _check(indices: Tensor, values: Tensor, shape: Ints, checked: bool | None) -> None:
    sparse_dim, count = indices._a.shape
    if not values._a.shape or values._a.shape[0] != count:
        given = values._a.shape[0] if values._a.shape else 1
        raise RuntimeError(
            f"indices and values must have same nnz, but got nnz from indices: {count}, nnz from values: {given}"
        )
    dense_dim = len(values._a.shape) - 1
    if len(shape) != sparse_dim + dense_dim:
        raise RuntimeError(
            f"'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = {len(shape)}, sparse_dim = "
            f"{sparse_dim}, dense_dim = {dense_dim}"
        )
    if tuple(values._a.shape[1:]) != tuple(shape[sparse_dim:]):
        raise RuntimeError(
            f"values has incorrect size, expected {[count, *shape[sparse_dim:]]}, got {list(values._a.shape)}"
        )
    if (invariants.on if checked is None else checked) and count and sparse_dim:
        low, high = interop.to_host(indices).min(axis=1), interop.to_host(indices).max(axis=1)
        for dim in range(sparse_dim):
            if low[dim] < 0:
                raise RuntimeError(f"found negative index {low[dim]} for dim {dim}")
            if high[dim] >= shape[dim]:
                raise RuntimeError(
                    f"size is inconsistent with indices: for dim {dim}, size is {shape[dim]} but found index "
                    f"{high[dim]}"
                )


def _inferred(indices: Tensor, values: Tensor) -> Ints:
    host = interop.to_host(indices)
    if not host.shape[1] and host.shape[0]:
        return (*(0,) * host.shape[0], *values._a.shape[1:])
    if host.size and host.min() < 0:
        dim = int((host.min(axis=1) < 0).argmax())
        raise RuntimeError(f"found negative index {host[dim].min()} for dim {dim}")
    return (*[int(n) + 1 for n in host.max(axis=1)], *values._a.shape[1:]) if host.size else tuple(values._a.shape[1:])


def empty_coo(shape: Ints, like: Tensor, dense_dim: int = 0) -> SparseTensor:
    """Returns a sparse tensor of these sizes with no element, on the backend and in the dtype of a dense tensor."""
    sparse_dim = len(shape) - dense_dim
    indices = METHODS["new_zeros"](like, (sparse_dim, 0), dtype=int64)
    return as_sparse(indices, METHODS["new_zeros"](like, (0, *shape[sparse_dim:])), shape, True)


@composite()
def sparse_coo_tensor(
    indices: Any = None,
    values: Any = None,
    size: Any = None,
    *,
    dtype: DType | None = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
    is_coalesced: bool | None = None,
) -> Tensor:
    """Returns a sparse tensor: ``values[i]`` at ``indices[:, i]``, zero elsewhere; values at one place add up.

    ``indices`` is (sparse dims, count) and ``values`` (count, *dense sizes). The sizes follow from the largest indices
    where none are given. RuntimeError where shapes disagree.

    >>> torch.sparse_coo_tensor([[0, 1], [2, 0]], [3.0, 4.0], (2, 3)).to_dense()
    tensor([[0., 0., 3.],
            [4., 0., 0.]])
    """
    if values is None:
        shape = tuple(indices if size is None else size)
        zero = FUNCTIONS["zeros"]((), dtype=dtype, device=device)
        out = empty_coo(shape, zero)
        return METHODS["requires_grad_"](out) if requires_grad else out
    given = isinstance(values, Tensor)
    held = values if given else FUNCTIONS["tensor"](values, dtype=dtype, device=device)
    if given and (dtype is not None or device is not None):
        held = METHODS["to"](held, device=device, dtype=dtype)
    if given and requires_grad:
        held = held.detach()
    where = {"device": held._key.device, "backend": held._key.backend.name}
    if isinstance(indices, Tensor):
        places = METHODS["to"](indices.detach(), dtype=int64, **where)
    else:
        where["backend"] = held._key.backend
        places = FUNCTIONS["tensor"](indices, device=held._key.device).to(dtype=int64, backend=held._key.backend.name)
    if len(places._a.shape) != 2:
        raise RuntimeError(f"indices must be sparse_dim x nnz, but got: {list(places._a.shape)}")
    if not held._a.shape:
        held = METHODS["expand"](held, (places._a.shape[1],)) if places._a.shape[1] == 1 else held
    shape = _inferred(places, held) if size is None else tuple([int(n) for n in size])
    _check(places, held, shape, check_invariants)
    coalesced = bool(is_coalesced) if is_coalesced is not None else places._a.shape[1] < 2
    out = made(places, held, shape, coalesced)
    return METHODS["requires_grad_"](out) if requires_grad else out


# --- one form and the other ------------------------------------------------------------------------------------------


def coalesce(self: Tensor) -> SparseTensor:
    """Returns the tensor with its coordinates in order, and values at one place added up; itself where that is so.

    >>> torch.sparse_coo_tensor([[1, 0, 1]], [1.0, 2.0, 3.0]).coalesce().values()
    tensor([2., 4.])
    """
    if not isinstance(self, SparseTensor):
        raise RuntimeError("coalesce expected sparse coordinate tensor layout but got Strided")
    raw = self._a
    if raw.coalesced:
        return self
    sizes = raw.shape[: raw.sparse_dim]
    if not sizes:
        values = values_of(self).sum(0, keepdim=True)
        return made(METHODS["new_zeros"](raw.indices, (0, 1)), values, raw.shape, True, "CoalesceBackward0")
    if not raw.count:
        return made(raw.indices, values_of(self), raw.shape, True, "CoalesceBackward0")
    places, groups = METHODS["unique"](linear(raw.indices, sizes), return_inverse=True)
    values = summed(values_of(self), groups, places._a.shape[0])
    return made(unravelled(places, sizes), values, raw.shape, True, "CoalesceBackward0")


def to_dense(self: Tensor, dtype: DType | None = None, *, masked_grad: bool | None = None) -> Tensor:
    """Returns a sparse tensor's elements with all its zeros; a dense tensor itself.

    >>> torch.sparse_coo_tensor([[1]], [5.0], (3,)).to_dense()
    tensor([0., 5., 0.])
    """
    if not isinstance(self, SparseTensor):
        return self if dtype is None else METHODS["to"](self, dtype)
    raw, values = self._a, values_of(self)
    if dtype is not None:
        values = values.to(dtype)
    sizes = raw.shape[: raw.sparse_dim]
    count = 1
    for n in sizes:
        count *= n
    flat = summed(values, linear(raw.indices, sizes), count)
    return named(flat.reshape(raw.shape), "ToDenseBackward0")


def to_sparse(self: Tensor, sparse_dim: int | None = None, *, layout: Any = None, **given: Any) -> Tensor:
    """Returns the tensor in coordinate format, its first ``sparse_dim`` dimensions (all by default) as coordinates.

    Other layouts are refused with a NotImplementedError.

    >>> torch.tensor([0.0, 5.0]).to_sparse().indices()
    tensor([[1]])
    """
    if layout is not None and layout is not sparse_coo:
        if layout is strided:
            raise RuntimeError("to_sparse: conversion from Strided to Strided is not supported")
        raise NotImplementedError(f"only the layout torch.sparse_coo is supported, not {layout}")
    if given:
        raise NotImplementedError(f"to_sparse(): {sorted(given)} are for block layouts, which are not supported")
    if isinstance(self, SparseTensor):
        if sparse_dim is not None and sparse_dim != self._a.sparse_dim:
            raise RuntimeError(
                "to_sparse: conversion from Sparse to Sparse with sparse_dim argument !=self.sparse_dim() is not "
                "supported"
            )
        return self
    ndim = len(self._a.shape)
    depth = ndim if sparse_dim is None else sparse_dim
    if not (0 < depth <= ndim or depth == ndim == 0):
        raise RuntimeError(f"dense_to_sparse: sparse_dim argument must be in [0,{ndim}] range, but {depth} is given")
    kept = self.detach() != 0
    if depth < ndim:
        kept = METHODS["any"](kept.flatten(depth), -1)
    if not depth:
        count = int(bool(kept))
        indices = METHODS["new_zeros"](self, (0, count), dtype=int64)
        values = METHODS["unsqueeze"](self, 0)[:count]
    else:
        rows = METHODS["nonzero"](kept)
        indices = METHODS["contiguous"](METHODS["t"](rows))
        values = self[tuple(METHODS["unbind"](indices, 0))]
    return made(indices, values, tuple(self._a.shape), True, f"ToSparseBackward{0 if sparse_dim is not None else 1}")


@sparse_op("_full")
def _full(key: Key, shape: Ints, value: Any, dtype: DType) -> SparseTensor:
    if value != 0:
        raise refuse("fill_.Scalar", key.device.type)
    return empty_coo(shape, create(TABLE["_full"], dense_key(key), ((), 0, dtype)))


@sparse_op("_cast")
def _cast(input: SparseTensor, dtype: DType) -> SparseTensor:
    values = values_of(input).to(dtype)
    return made(input._a.indices, values, input._a.shape, input._a.coalesced, "ToCopyBackward0")


@sparse_op("_clone")
def _clone(input: SparseTensor) -> SparseTensor:
    indices = METHODS["clone"](input._a.indices)
    return made(indices, METHODS["clone"](values_of(input)), input._a.shape, input._a.coalesced, "CloneBackward0")
