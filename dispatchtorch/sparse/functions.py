"""Functions of ``torch.sparse``: what they take and refuse; the work is done by the op table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispatchtorch._base.dtypes import DType
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS
from dispatchtorch.ops.sparse import made, sparse_coo, values_of
from dispatchtorch.ops.sparse_arithmetic import softmax as _softmax
from dispatchtorch.ops.view import named
from dispatchtorch.tensor.sparse import SparseTensor
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["addmm", "log_softmax", "mm", "sampled_addmm", "softmax", "spdiags", "sum"]

Number = int | float | complex | bool


def mm(mat1: Tensor, mat2: Tensor) -> Tensor:
    """Returns the product of two matrices at least one of which is sparse; sparse where both are.

    >>> torch.sparse.mm(torch.tensor([[0.0, 2.0]]).to_sparse(), torch.ones(2, 3))
    tensor([[2., 2., 2.]])
    """
    out = FUNCTIONS["mm"](mat1, mat2)
    return out if isinstance(out, SparseTensor) else named(out, "SparseAddmmBackward0")


def addmm(mat: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """Returns ``beta * mat + alpha * mat1 @ mat2`` for a sparse ``mat1``.

    >>> torch.sparse.addmm(torch.ones(1, 3), torch.tensor([[0.0, 2.0]]).to_sparse(), torch.ones(2, 3))
    tensor([[3., 3., 3.]])
    """
    return named(FUNCTIONS["addmm"](mat, mat1, mat2, beta=beta, alpha=alpha), "SparseAddmmBackward0")


def sum(input: Tensor, dim: int | Sequence[int] | None = None, dtype: DType | None = None) -> Tensor:
    """Returns the sum of a sparse tensor: dense of all elements, sparse where sparse dimensions are left.

    >>> torch.sparse.sum(torch.tensor([[0.0, 2.0], [0.0, 3.0]]).to_sparse(), 0).to_dense()
    tensor([0., 5.])
    """
    if dtype is None:
        dtype = None if input._key.dtype.category < 2 else input._key.dtype
    return METHODS["sum"](input, dim, dtype=dtype)  # type: ignore[no-any-return]  # a method of the table


def softmax(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """Returns the softmax along ``dim`` of the elements that are kept; what is not kept counts as minus infinity.

    >>> torch.sparse.softmax(torch.tensor([[0.0, 2.0], [3.0, 3.0]]).to_sparse(), 1).to_dense()
    tensor([[0.0000, 1.0000],
            [0.5000, 0.5000]])
    """
    return _softmax(input, dim, dtype, False)


def log_softmax(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """Returns the logarithm of `softmax`.

    >>> torch.sparse.log_softmax(torch.tensor([[0.0, 2.0], [3.0, 3.0]]).to_sparse(), 1).values()
    tensor([ 0.0000, -0.6931, -0.6931])
    """
    return _softmax(input, dim, dtype, True)


def sampled_addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """Returns ``beta * input + alpha * (mat1 @ mat2)`` where ``input``, a sparse matrix, has elements.

    PyTorch has it for compressed rows; here it takes coordinates.

    >>> mask = torch.eye(2).to_sparse()
    >>> torch.sparse.sampled_addmm(mask, torch.ones(2, 3), torch.ones(3, 2)).values()
    tensor([4., 4.])
    """
    if not isinstance(input, SparseTensor):
        raise RuntimeError("sampled_addmm: the first argument has to be a sparse matrix")
    rows, columns = METHODS["unbind"](input._a.indices, 0)
    left = METHODS["index_select"](mat1, 0, rows)
    right = METHODS["index_select"](METHODS["t"](mat2), 0, columns)
    values = values_of(input) * beta + (left * right).sum(1) * alpha
    return made(input._a.indices, values, input._a.shape, input._a.coalesced)


def spdiags(diagonals: Tensor, offsets: Tensor, shape: tuple[int, int], layout: Any = None) -> Tensor:
    """Returns a sparse matrix whose diagonals are the rows of ``diagonals``; ``offsets`` says which, 0 the main one.

    The i-th element of a row stands in column i. RuntimeError where shapes or offsets disagree.

    >>> torch.sparse.spdiags(torch.tensor([[1.0, 2.0]]), torch.tensor([1]), (2, 2)).to_dense()
    tensor([[0., 2.],
            [0., 0.]])
    """
    if layout is not None and layout is not sparse_coo:
        raise NotImplementedError(f"only the layout torch.sparse_coo is supported, not {layout}")
    rows = diagonals if len(diagonals._a.shape) == 2 else METHODS["unsqueeze"](diagonals, 0)
    moved = METHODS["tolist"](offsets.reshape(-1))
    if len(moved) != rows._a.shape[0]:
        raise RuntimeError(
            f"Number of diagonals ({rows._a.shape[0]}) does not match the number of offsets ({len(moved)})"
        )
    if len(set(moved)) != len(moved):
        raise RuntimeError("Offset tensor contains duplicate values")
    if len(shape) != 2:
        raise RuntimeError("Output shape must be 2d")
    where: list[Any] = []
    kept: list[Any] = []
    for i, offset in enumerate(moved):
        first, last = max(0, offset), min(int(rows._a.shape[1]), shape[1], shape[0] + offset)
        where += [(column - offset, column) for column in range(first, last)]
        kept.append(rows[i, first : max(first, last)])
    indices = FUNCTIONS["tensor"](where or [[0, 0]]).to(backend=rows._key.backend.name)[: len(where)]
    columns_first = METHODS["contiguous"](METHODS["t"](indices))
    return made(columns_first, FUNCTIONS["cat"](kept), tuple(shape), False)
