"""What linear algebra makes of factors and products: norms of matrices, condition numbers, powers, exponentials.

With it come the small members of ``torch.linalg``: diagonal, vander, vecdot, vector_norm, matmul.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from dispatchtorch._base.dtypes import DType
from dispatchtorch.dispatch.table import FUNCTIONS, primitive, with_out
from dispatchtorch.ops.magnitude import convertible, vector_norm
from dispatchtorch.ops.matmul import conj, matmul
from dispatchtorch.ops.matrices import (
    LINALG,
    check_floating,
    check_square,
    herm,
    linalg,
    require_tensor,
    square,
)
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.ops.spectra import values_of
from dispatchtorch.ops.systems import _inv, linalg_inv
from dispatchtorch.tensor.sizes import wrap_dim
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "linalg_cond", "linalg_diagonal", "linalg_matrix_exp", "linalg_matrix_norm", "linalg_matrix_power", "linalg_norm",
    "linalg_vander", "linalg_vecdot",
]  # fmt: skip

# --- powers -----------------------------------------------------------------------------------------------------------


def _power_samples(make: Maker) -> Any:
    for n in (0, 1, 2, 3, -2):
        yield Sample((square(make), n))


def linalg_matrix_power(A: Tensor, n: int) -> Tensor:
    """Returns ``A`` multiplied ``n`` times, by repeated squaring; a negative ``n`` inverts first."""
    check_square("linalg.matrix_power", A, typed=False)
    if n < 0:
        return linalg_matrix_power(linalg_inv(A), -n)
    if n == 0:
        eye = FUNCTIONS["eye"](A._a.shape[-1], dtype=A._key.dtype, device=A._key.device)
        return FUNCTIONS["where"](FUNCTIONS["ones_like"](eye).bool(), eye, A)  # type: ignore[no-any-return]  # has a history, without effect
    if n == 1:
        return A.clone()
    out: Tensor | None = None
    while n:
        if n & 1:
            out = A if out is None else matmul(out, A)
        n >>= 1
        if n:
            A = matmul(A, A)
    assert out is not None  # n was positive
    return out


linalg_matrix_power = linalg(names=("matrix_power",), method=True, samples=_power_samples)(linalg_matrix_power)


def _exp_grad(g: Tensor, input: Tensor) -> Tensor:
    """Returns the gradient, which stands in a corner of the exponential of a matrix of twice the size."""
    n = input._a.shape[-1]
    turned = herm(input)
    upper = FUNCTIONS["cat"]([turned, g], -1)
    lower = FUNCTIONS["cat"]([FUNCTIONS["zeros_like"](turned), turned], -1)
    whole = _matrix_exp(FUNCTIONS["cat"]([upper, lower], -2))
    return whole.narrow(-2, 0, n).narrow(-1, n, n)


@primitive(grad={"input": _exp_grad}, node="LinalgMatrixExpBackward0")
def _matrix_exp(input: Tensor) -> Tensor:
    """Returns exponentials of matrices."""
    ...


@linalg(
    out=False,
    names=("matrix_exp",),
    method=True,
    samples=lambda make: iter([Sample((0.2 * square(make),)), Sample((0.2 * square(make, 2),))]),
)
def linalg_matrix_exp(A: Tensor) -> Tensor:
    """Returns the exponential of a matrix: the sum of its powers, each divided by the factorial.

    >>> torch.linalg.matrix_exp(torch.zeros(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    check_square_any(A)
    if A._key.dtype.itemsize == 2 and A._key.dtype.category == 2:
        return _matrix_exp(A.float()).to(A._key.dtype)
    return _matrix_exp(A)


def check_square_any(A: Tensor) -> None:
    """Raises torch's error unless ``A`` holds square matrices of any floating or complex dtype, halves included."""
    if len(A._a.shape) >= 2:
        check_floating("linalg.matrix_exp", A, low=True)
    check_square("linalg.matrix_exp", A, typed=False)


# --- norms ------------------------------------------------------------------------------------------------------------


def _two_dims(name: str, x: Tensor, dim: Any) -> tuple[int, int]:
    given = (dim,) if isinstance(dim, int) else tuple(dim)
    if len(given) != 2:
        raise RuntimeError(f"{name}: dim must be a 2-tuple. Got {', '.join(map(str, given))}")
    dims = tuple(wrap_dim(d, len(x._a.shape)) for d in given)
    if dims[0] == dims[1]:
        raise RuntimeError(f"{name}: dims must be different. Got ({given[0]}, {given[1]})")
    return dims  # type: ignore[return-value]  # two of them


def _norm_samples(make: Maker) -> Any:
    for ord in ("fro", "nuc", math.inf, -math.inf, 1, -1, 2, -2):
        yield Sample((make(3, 4), ord))
    yield Sample((make(2, 3, 4), 1, (0, 1), True))


@linalg(samples=_norm_samples)
def linalg_matrix_norm(
    A: Tensor, ord: float | str = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """Returns a norm of a matrix: "fro", "nuc", inf and 1 (largest row, column), 2 (largest singular value), or -."""
    name = "linalg.matrix_norm"
    if len(A._a.shape) < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    if isinstance(ord, str):
        if ord not in ("fro", "nuc"):
            raise RuntimeError(f"{name}: Order {ord} not supported.")
    elif abs(ord) not in (1, 2, math.inf):
        raise RuntimeError(f"{name}: Order {ord} not supported.")
    check_floating(name, A, low=True)
    singular = ord == "nuc" or ord in (2, -2)
    if singular:
        check_floating(name, A if dtype is None else A.new_empty(0, dtype=dtype))
    rows, columns = _two_dims(name, A, dim)
    if dtype is not None:
        convertible(name, A._key.dtype, dtype)
        A = A.to(dtype)
    if ord == "fro":
        return vector_norm(A, 2, (rows, columns), keepdim)
    if singular:
        rest = [d for d in range(len(A._a.shape)) if d not in (rows, columns)]
        s = values_of("linalg.svd", A.permute([*rest, rows, columns]))
        if ord == 2 and not s._a.shape[-1]:
            ord = "nuc"  # of nothing: zero
        out = s.sum(-1) if ord == "nuc" else s.amax(-1) if ord == 2 else s.amin(-1)
        for d in sorted((rows, columns)) if keepdim else ():
            out = out.unsqueeze(d)
        return out
    over, along = (rows, columns) if abs(float(ord)) == 1 else (columns, rows)
    sums = vector_norm(A, 1, over, True)
    if not sums._a.shape[along] and float(ord) > 0:
        return sums.sum(along, keepdim) if keepdim else sums.sum((rows, columns))
    best = sums.amax(along, keepdim=True) if float(ord) > 0 else sums.amin(along, keepdim=True)
    return best if keepdim else best.squeeze((rows, columns))


def _any_norm_samples(make: Maker) -> Any:
    yield Sample((make(3, 4),))
    yield Sample((make(4), 3))
    yield Sample((make(3, 4), "nuc"))
    yield Sample((make(2, 3, 4), None, 1, True))
    yield Sample((make(2, 3, 4), 1, (0, 2)))


@linalg(samples=_any_norm_samples)
def linalg_norm(
    A: Tensor, ord: float | str | None = None, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """Returns a vector's or a matrix's norm, depending on ``dim`` and the rank."""
    ndim = len(A._a.shape)
    dims: Sequence[int] | None = None if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    if dims is not None and len(dims) not in (1, 2):
        raise RuntimeError(
            f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got [{', '.join(map(str, dims))}]"
        )
    if ord is None:
        return vector_norm(A, 2, dims, keepdim, dtype=dtype)
    if dims is None and ndim not in (1, 2):
        raise RuntimeError(f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {ndim}D.")
    if isinstance(ord, str):
        return linalg_matrix_norm(A, ord, (-2, -1) if dims is None else dims, keepdim, dtype=dtype)
    if (dims is not None and len(dims) == 2) or (dims is None and ndim == 2):
        return linalg_matrix_norm(A, ord, (-2, -1) if dims is None else dims, keepdim, dtype=dtype)
    return vector_norm(A, ord, dims, keepdim, dtype=dtype)


@linalg(samples=lambda make: iter([Sample((make(3, 4), 3, 1)), Sample((make(3, 4),)), Sample((make(4), 1, 0, True))]))
def linalg_vector_norm(
    x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """Returns the norm of all elements, or over ``dim``: ``ord`` is any number, inf or -inf."""
    return vector_norm(x, ord, dim, keepdim, dtype=dtype)


def _nuclear_norm(input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    return linalg_matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim)


FUNCTIONS["_nuclear_norm"] = _nuclear_norm


# --- condition numbers ------------------------------------------------------------------------------------------------

_CONDITIONS: Final = ("fro", "nuc", math.inf, -math.inf, 1, -1, 2, -2)


@linalg(
    samples=lambda make: iter(
        [Sample((square(make),)), Sample((square(make, 2), 1)), Sample((square(make), "fro")), Sample((make(3, 4), -2))]
    )
)
def linalg_cond(A: Tensor, p: float | str | None = None) -> Tensor:
    """Returns the condition number: the norm times the norm of the inverse; inf for a singular matrix."""
    if len(A._a.shape) < 2:
        raise RuntimeError("linalg.cond: The input tensor must have at least 2 dimensions.")
    if p is not None and p not in _CONDITIONS:
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    kind = A._key.dtype.to_real()
    if p is None or p in (2, -2):
        if not A.numel():
            return A.new_zeros(tuple(A._a.shape[:-2]), dtype=kind)
        s = values_of("linalg.svd", A)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    check_square(f"linalg.cond(ord={p})", A)
    if not A.numel():
        return A.new_zeros(tuple(A._a.shape[:-2]), dtype=kind)
    inverse, info = _inv(A)
    if p == "nuc":
        inverse = linalg_inv(A)
    out = linalg_matrix_norm(A, p) * linalg_matrix_norm(inverse, p)
    return FUNCTIONS["where"](info != 0, math.inf, out)  # type: ignore[no-any-return]  # an entry of the table


# --- small members ----------------------------------------------------------------------------------------------------


@linalg(
    out=False, samples=lambda make: iter([Sample((make(3, 4),)), Sample((make(2, 3, 4),), {"offset": 1, "dim1": 0})])
)
def linalg_diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Returns a view of the diagonals of matrices."""
    return A.diagonal(offset, dim1, dim2)


@linalg(samples=lambda make: iter([Sample((make(2, 3), make(2, 3))), Sample((make(3, 1), make(3, 4)), {"dim": 0})]))
def linalg_vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Returns sums of products along ``dim``, the first factor conjugated."""
    require_tensor("linalg_vecdot", x=x, y=y)
    if x._key.dtype is not y._key.dtype:
        raise RuntimeError(
            f"linalg.vecdot: Expected x and y to have the same dtype, but found x of type {x._key.dtype.legacy} and "
            f"y of type {y._key.dtype.legacy} instead"
        )
    out = (conj(x) * y).sum(dim)
    return out if out._key.dtype is x._key.dtype else out.to(x._key.dtype)


@linalg(out=False, samples=lambda make: iter([Sample((make(3),)), Sample((make(2, 3),), {"N": 5})]))
def linalg_vander(x: Tensor, N: int | None = None) -> Tensor:
    """Returns matrices of the powers 0 to ``N - 1`` of the elements of ``x``, one a row."""
    kind = x._key.dtype
    if kind.category == 0:
        raise RuntimeError(
            f"linalg.vander supports floating point, complex, and integer tensors, but got {kind.legacy}"
        )
    x = x if x._a.shape else x.reshape(1)
    count = x._a.shape[-1] if N is None else N
    if count <= 1:
        raise RuntimeError("N must be greater than 1.")
    first = FUNCTIONS["ones_like"](x).unsqueeze(-1)
    powers = x.unsqueeze(-1).expand(*x._a.shape, count - 1).cumprod(-1)
    return FUNCTIONS["cat"]([first, powers], -1)  # type: ignore[no-any-return]  # as above


LINALG["matmul"] = with_out(matmul)
