"""Linear algebra of batches of matrices and vectors that broadcast: products, distances, factors of inverses.

Must not know: distributions.
"""

from __future__ import annotations

from dispatchtorch.distributions.table import linalg, ops
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["half_log_det", "mahalanobis", "precision_to_scale_tril", "product", "square_sum"]


def product(matrix: Tensor, vector: Tensor) -> Tensor:
    """Returns matrices times vectors."""
    return ops.matmul(matrix, vector.unsqueeze(-1)).squeeze(-1)


def mahalanobis(factor: Tensor, off: Tensor) -> Tensor:
    """Returns the squared length of ``off`` measured by the covariance with this Cholesky factor."""
    if factor.dim() == 2:  # one factor for all vectors: one system with many right sides
        columns = off.reshape((-1, off.shape[-1])).mT
        solved = linalg.solve_triangular(factor, columns, upper=False)
        return solved.pow(2).sum(-2).reshape(off.shape[:-1])
    return linalg.solve_triangular(factor, off.unsqueeze(-1), upper=False).pow(2).sum(-2).squeeze(-1)


def half_log_det(factor: Tensor) -> Tensor:
    """Returns half the logarithm of the determinant of the matrix with this Cholesky factor."""
    return factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def square_sum(matrix: Tensor) -> Tensor:
    """Returns the trace of a matrix times its transpose."""
    return matrix.pow(2).sum((-1, -2))


def precision_to_scale_tril(precision: Tensor) -> Tensor:
    """Returns the lower Cholesky factor of a precision's inverse, without the inverse."""
    flipped = linalg.cholesky(ops.flip(precision, (-2, -1)))
    upper = ops.flip(flipped, (-2, -1)).mT
    identity = ops.eye(precision.shape[-1], dtype=precision.dtype, device=precision.device)
    return linalg.solve_triangular(upper, identity, upper=False)
