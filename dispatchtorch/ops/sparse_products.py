"""Products with sparse matrices: sparse by dense is one primitive, all others are made of it and of dense ops."""

from __future__ import annotations

from typing import Any

from dispatchtorch.dispatch.sparse import refuse, sparse_op
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, primitive
from dispatchtorch.ops.matmul import conj, matmul
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.ops.sparse import coalesce, made, to_dense, values_of
from dispatchtorch.ops.view import named
from dispatchtorch.tensor.sparse import SparseTensor
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["sparse_dense", "sparse_sparse", "spmm"]

Number = int | float | complex | bool


def _samples(make: Maker) -> Any:
    rows, columns = FUNCTIONS["tensor"]([0, 0, 2, 1]), FUNCTIONS["tensor"]([1, 3, 0, 1])
    yield Sample((make(4), make(4, 2), rows, columns, 3))


@primitive(
    grad={
        "values": lambda g, dense, rows, columns: (
            METHODS["index_select"](g, 0, rows) * conj(METHODS["index_select"](dense, 0, columns))
        ).sum(1),
        "dense": lambda g, values, dense_shape, rows, columns: _spmm(conj(values), g, columns, rows, dense_shape[0]),
    },
    node="MmBackward0",
    samples=_samples,
)
def _spmm(values: Tensor, dense: Tensor, rows: Tensor, columns: Tensor, count: int) -> Tensor:
    """Returns the product of a matrix of ``count`` rows, ``values`` at ``rows, columns``, and a dense matrix."""
    parts = METHODS["unsqueeze"](values, 1) * METHODS["index_select"](dense, 0, columns)
    return METHODS["index_add"](METHODS["new_zeros"](dense, (count, dense._a.shape[1])), 0, rows, parts)  # type: ignore[no-any-return]  # the table


def sparse_dense(s: SparseTensor, dense: Tensor) -> Tensor:
    """Returns the dense product of a sparse matrix and a dense one. RuntimeError for sizes or dtypes that differ."""
    raw = s._a
    if raw.sparse_dim != 2 or raw.ndim != 2:
        raise RuntimeError(f"addmm: 2D tensors expected, got {raw.ndim}D tensor for sparse")
    if s._key.dtype is not dense._key.dtype:
        raise RuntimeError(f"expected scalar type {s._key.dtype.legacy} but found {dense._key.dtype.legacy}")
    if raw.shape[1] != dense._a.shape[0]:
        raise RuntimeError(f"addmm: Argument #3 (dense): Expected dim 0 size {raw.shape[1]}, got {dense._a.shape[0]}")
    rows, columns = METHODS["unbind"](raw.indices, 0)
    return _spmm(values_of(s), dense, rows, columns, raw.shape[0])


def sparse_sparse(a: SparseTensor, b: SparseTensor) -> SparseTensor:
    """Returns the sparse product of two sparse matrices, coalesced."""
    a, b = coalesce(a), coalesce(b)
    one, two = a._a, b._a
    if one.ndim != 2 or two.ndim != 2 or one.shape[1] != two.shape[0]:
        sizes = [f"{'x'.join(map(str, raw.shape))}" for raw in (one, two)]
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({sizes[0]} and {sizes[1]})")
    if a._key.dtype is not b._key.dtype:
        raise RuntimeError(f"mat1 dtype {a._key.dtype.legacy} does not match mat2 dtype {b._key.dtype.legacy}")
    columns = one.indices[1]
    edges = METHODS["clamp"](METHODS["bincount"](two.indices[0], minlength=two.shape[0]), min=0)
    starts = METHODS["cumsum"](edges, 0) - edges
    each = METHODS["index_select"](edges, 0, columns)
    pairs_of = FUNCTIONS["arange"](one.count, device=columns._key.device).to(backend=columns._key.backend.name)
    left = FUNCTIONS["repeat_interleave"](pairs_of, each)
    ends = METHODS["cumsum"](each, 0)
    steps = FUNCTIONS["arange"](left._a.shape[0], device=columns._key.device).to(backend=columns._key.backend.name)
    within = steps - METHODS["index_select"](ends - each, 0, left)
    right = METHODS["index_select"](starts, 0, METHODS["index_select"](columns, 0, left)) + within
    values = METHODS["index_select"](values_of(a), 0, left) * METHODS["index_select"](values_of(b), 0, right)
    rows = METHODS["index_select"](one.indices[0], 0, left)
    indices = FUNCTIONS["stack"]([rows, METHODS["index_select"](two.indices[1], 0, right)])
    out = coalesce(made(indices, values, (one.shape[0], two.shape[1]), False))
    return named(out, "SparseSparseMatmulBackward0")  # type: ignore[return-value]  # itself


@sparse_op("matmul")
def _matmul(input: Tensor, other: Tensor) -> Tensor:
    first, second = len(input._a.shape), len(other._a.shape)
    if first == 1 and second == 1:
        raise refuse("dot")
    if isinstance(input, SparseTensor):
        if isinstance(other, SparseTensor):
            return sparse_sparse(input, other)
        if second == 1:
            return named(METHODS["squeeze"](sparse_dense(input, METHODS["unsqueeze"](other, 1)), 1), "MvBackward0")
        if first == 3 and second == 3:
            return _bmm(input, other)
        if second > 2:
            raise refuse("expand")
        return sparse_dense(input, other)
    assert isinstance(other, SparseTensor)  # one of both is, or nobody had come here
    if first > 2 or second > 2:
        raise refuse("bmm")
    if first == 1:
        return METHODS["squeeze"](_matmul(METHODS["unsqueeze"](input, 0), other), 0)  # type: ignore[no-any-return]  # the table
    return named(METHODS["t"](sparse_dense(METHODS["t"](other), METHODS["t"](input))), "MmBackward0")


@sparse_op("_linear")
def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    out = _matmul(input, METHODS["t"](weight))
    return out if bias is None else out + bias


@sparse_op("_bmm")
def _bmm(input: Tensor, mat2: Tensor) -> Tensor:
    if not isinstance(input, SparseTensor):
        raise refuse("bmm")
    if isinstance(mat2, SparseTensor):
        raise RuntimeError("bmm_sparse: Tensor 'mat2' must be dense")
    raw, (batch, inner, width) = input._a, tuple(mat2._a.shape)
    if raw.sparse_dim != 3 or raw.shape[0] != batch or raw.shape[2] != inner:
        raise RuntimeError("bmm_sparse: sizes of the batches do not match")
    which, rows, columns = METHODS["unbind"](raw.indices, 0)
    flat = made(
        FUNCTIONS["stack"]([which * raw.shape[1] + rows, which * inner + columns]), values_of(input),
        (batch * raw.shape[1], batch * inner), False,
    )  # fmt: skip
    out = sparse_dense(flat, mat2.reshape(batch * inner, width))
    return named(out.reshape(batch, raw.shape[1], width), "BmmBackward0")


@sparse_op("_addmm")
def _addmm(input: Tensor, mat1: Tensor, mat2: Tensor, beta: Number, alpha: Number) -> Tensor:
    product = matmul(mat1, mat2)
    if isinstance(input, SparseTensor) and not isinstance(product, SparseTensor):
        raise refuse("addmm")
    if alpha != 1:
        product = product * alpha
    if beta == 0 and not isinstance(input, SparseTensor):
        return product if not isinstance(product, SparseTensor) else to_dense(product)
    out = (input if beta == 1 else input * beta) + product
    return named(out, "AddmmBackward0")


@composite(names=("dsmm",))
def spmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Returns the product of a sparse matrix and a dense one.

    >>> torch.spmm(torch.eye(2).to_sparse(), torch.ones(2, 2))
    tensor([[1., 1.],
            [1., 1.]])
    """
    return FUNCTIONS["mm"](input, mat2)  # type: ignore[no-any-return]  # an entry of the table


@composite(method=True)
def smm(input: Tensor, mat: Tensor) -> Tensor:
    """Returns the product of a sparse matrix and a dense one as a sparse matrix that keeps every element."""
    out = sparse_dense(input, mat)  # type: ignore[arg-type]  # its array says whether it is sparse
    everywhere = METHODS["nonzero"](METHODS["new_ones"](out.detach(), tuple(out._a.shape)))
    indices = METHODS["contiguous"](METHODS["t"](everywhere))
    return made(indices, out.reshape(-1), tuple(out._a.shape), False)


@composite()
def hspmm(mat1: Tensor, mat2: Tensor) -> Tensor:
    """Returns the product of a sparse matrix and a dense one, its rows as coordinates."""
    out = sparse_dense(mat1, mat2)  # type: ignore[arg-type]  # as above
    rows = METHODS["unique"](mat1._a.indices[0])
    kept = METHODS["index_select"](out, 0, rows)
    return made(METHODS["unsqueeze"](rows, 0), kept, tuple(out._a.shape), False)
