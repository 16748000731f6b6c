"""Solutions where there is no inverse: pseudo-inverses, ranks, least squares."""

from __future__ import annotations

from typing import Any, Final

from dispatchtorch._base.dtypes import int64
from dispatchtorch.dispatch.table import FUNCTIONS, composite, primitive
from dispatchtorch.ops import return_types
from dispatchtorch.ops.matmul import conj, matmul
from dispatchtorch.ops.matrices import herm, holds, linalg, require_tensor, symmetric
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.ops.spectra import _svd_of, linalg_eigh, linalg_eigvalsh, linalg_svdvals, values_of
from dispatchtorch.tensor.sizes import broadcast_shapes
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["linalg_lstsq", "linalg_matrix_rank", "linalg_pinv", "pinverse"]

Tolerance = float | Tensor | None
EPSILON: Final = {4: 1.1920928955078125e-07, 8: 2.220446049250313e-16}  # by the size of a real number
LstsqResult = return_types.make("linalg_lstsq", "solution", "residuals", "rank", "singular_values")


# --- what counts as zero ----------------------------------------------------------------------------------------------


def _tolerances(name: str, A: Tensor, atol: Tolerance, rtol: Tolerance) -> tuple[Tensor, Tensor]:
    """Returns both tolerances as tensors that broadcast with rows of singular values."""
    for which, value in (("atol", atol), ("rtol", rtol)):
        if isinstance(value, Tensor) and value._key.dtype.category == 3:
            raise RuntimeError(
                f"{name}: {which} tensor of complex type is not supported. Got {value._key.dtype.legacy}"
            )
    kind = A._key.dtype.to_real()

    def made(value: float | Tensor) -> Tensor:
        if isinstance(value, Tensor):
            return value.to(kind).unsqueeze(-1)  # type: ignore[no-any-return]  # methods arrive from the table
        return A.new_full((1,), float(value), dtype=kind)

    absolute = made(0.0 if atol is None else atol)
    if rtol is not None:
        return absolute, made(rtol)
    usual = made(EPSILON[kind.itemsize] * max(A._a.shape[-2:]))
    return absolute, usual if atol is None else FUNCTIONS["where"](absolute > 0, usual.new_zeros(()), usual)


def _limit(sizes: Tensor, absolute: Tensor, relative: Tensor) -> Tensor:
    """Returns the size up to which a singular value counts as zero."""
    return FUNCTIONS["maximum"](sizes.amax(-1, keepdim=True) * relative, absolute)  # type: ignore[no-any-return]  # an entry of the table


# --- pseudo-inverses --------------------------------------------------------------------------------------------------


def _pinv_grad(g: Tensor, input: Tensor, out: Tensor) -> Tensor:
    """Returns the gradient where the rank stays what it is."""
    back, turned = herm(out), herm(g)
    rows, columns = input._a.shape[-2:]
    first = -matmul(matmul(back, g), back)
    if rows <= columns:
        inside = matmul(turned, out)
        through = matmul(inside, back)
        return (
            first
            + (through - matmul(matmul(input, out), through))
            + matmul(matmul(back, out), turned - matmul(inside, input))
        )
    inside = matmul(out, turned)
    through = matmul(back, inside)
    return (
        first
        + matmul(matmul(turned - matmul(input, inside), out), back)
        + (through - matmul(matmul(through, out), input))
    )


@primitive(grad={"input": _pinv_grad}, node="LinalgPinvBackward0")
def _pinv(input: Tensor, absolute: Tensor, relative: Tensor, hermitian: bool) -> Tensor:
    """Returns pseudo-inverses; ``absolute`` and ``relative`` say which singular values count as zero."""
    nothing = 0.0
    if hermitian:
        values, vectors = linalg_eigh(input)
        sizes = values.abs()
        kept = sizes > _limit(sizes, absolute, relative)
        inverse = FUNCTIONS["where"](kept, 1 / FUNCTIONS["where"](kept, values, 1.0), nothing)
        return matmul(vectors * inverse.unsqueeze(-2), herm(vectors))
    u, s, vh = _svd_of("linalg.svd", input, False)
    kept = s > _limit(s, absolute, relative)
    inverse = FUNCTIONS["where"](kept, 1 / FUNCTIONS["where"](kept, s, 1.0), nothing)
    return matmul(herm(vh) * inverse.unsqueeze(-2), herm(u))


def _pinv_samples(make: Maker) -> Any:
    yield Sample((make(3, 3),))
    yield Sample((make(2, 4, 3),))
    yield Sample((make(2, 4),), {"rtol": 0.5})
    yield Sample((symmetric(make),), {"hermitian": True}, grad=False)


@linalg(samples=_pinv_samples)
def linalg_pinv(
    A: Tensor, rcond: Tolerance = None, hermitian: bool = False, *, atol: Tolerance = None, rtol: Tolerance = None
) -> Tensor:
    """Returns the pseudo-inverse: the inverse on what is not nearly zero, zero elsewhere."""
    kind = A._key.dtype
    if len(A._a.shape) < 2 or kind.category < 2 or kind.itemsize == 2:
        shape = ", ".join(map(str, A._a.shape))
        raise RuntimeError(
            f"linalg.pinv({kind.legacy}{{[{shape}]}}): expected a tensor with 2 or more dimensions of float, double, "
            "cfloat or cdouble types"
        )
    if not A.numel():
        return herm(A).clone()
    absolute, relative = _tolerances("torch.linalg.pinv", A, atol, rcond if rtol is None else rtol)
    if hermitian and A._a.shape[-1] != A._a.shape[-2]:
        linalg_eigh(A)  # says what is wrong
    return _pinv(A, absolute, relative, hermitian)


@composite(method=True, samples=lambda make: iter([Sample((make(4, 3),)), Sample((make(3, 3), 1e-3))]))
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """Returns the pseudo-inverse of a matrix."""
    return linalg_pinv(input, rcond)


# --- ranks ------------------------------------------------------------------------------------------------------------


def _rank_samples(make: Maker) -> Any:
    yield Sample((make(3, 4),), grad=False)
    yield Sample((make(2, 3, 3),), {"atol": 0.5}, grad=False)
    yield Sample((symmetric(make),), {"hermitian": True, "rtol": 0.1}, grad=False)


@linalg(samples=_rank_samples)
def linalg_matrix_rank(
    A: Tensor, tol: Tolerance = None, hermitian: bool = False, *, atol: Tolerance = None, rtol: Tolerance = None
) -> Tensor:
    """Returns how many singular values are not nearly zero."""
    if len(A._a.shape) < 2:
        raise RuntimeError("torch.linalg.matrix_rank: The input tensor input must have at least 2 dimensions.")
    if not A.numel():
        return FUNCTIONS["zeros"](tuple(A._a.shape[:-2]), dtype=int64, device=A._key.device)  # type: ignore[no-any-return]  # an entry of the table
    if tol is not None:
        atol, rtol = tol, 0.0 if rtol is None else rtol
    A = A.detach()
    sizes = linalg_eigvalsh(A).abs() if hermitian else values_of("linalg.svd", A)
    absolute, relative = _tolerances("torch.linalg.matrix_rank", A, atol, rtol)
    return (sizes > _limit(sizes, absolute, relative)).sum(-1)


# --- least squares ----------------------------------------------------------------------------------------------------


def _lstsq_samples(make: Maker) -> Any:
    yield Sample((make(4, 3), make(4, 2)))
    yield Sample((make(2, 3, 3), make(2, 3, 1)), {"driver": "gelsd"})
    yield Sample((make(2, 3), make(2, 2)), {"driver": "gels"})


def _check_lstsq(A: Tensor, B: Tensor, driver: str | None) -> None:
    shape, other = tuple(A._a.shape), tuple(B._a.shape)
    if len(shape) < 2:
        raise RuntimeError("torch.linalg.lstsq: input must have at least 2 dimensions.")
    if not other:
        raise RuntimeError("torch.linalg.lstsq: other must have at least 1 dimension.")
    if A._key.dtype is not B._key.dtype:
        raise RuntimeError(
            "torch.linalg.lstsq: Expected input and other to have the same dtype, but got input's dtype "
            f"{A._key.dtype.legacy} and other's dtype {B._key.dtype.legacy}"
        )
    gap = len(shape) - len(other)
    if not 0 <= gap <= 1:
        raise RuntimeError(
            "torch.linalg.lstsq: input.dim() must be greater or equal to other.dim() and "
            "(input.dim() - other.dim()) <= 1"
        )
    if gap == 1 and shape[:-1] != other:
        raise RuntimeError(
            "torch.linalg.lstsq: input.size(-2) should match other.size(-1)"
            if shape[-2] != other[-1]
            else "torch.linalg.lstsq: batch sizes do not match"
        )
    if not gap and shape[-2] != other[-2]:
        raise RuntimeError("torch.linalg.lstsq: input.size(-2) should match other.size(-2)")
    if driver is not None and driver not in ("gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError("torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)")
    if A._key.dtype.category < 2 or (A._key.dtype.itemsize == 2 and A._key.dtype.category == 2):
        raise RuntimeError("This function doesn't handle types other than float and double")


@linalg(samples=_lstsq_samples)
def linalg_lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> Any:
    """Returns (solution, residuals, rank, singular_values) of the least squares problem ``A @ X = B``.

    The solution is the one of least norm. ``rank`` is empty for the driver "gels", which takes full rank for granted,
    and ``singular_values`` for all but "gelsd" and "gelss".
    """
    require_tensor("linalg_lstsq", input=A, b=B)
    _check_lstsq(A, B, driver)
    vector = len(B._a.shape) < len(A._a.shape)
    right = B.unsqueeze(-1) if vector else B
    batch = broadcast_shapes(tuple(A._a.shape[:-2]), tuple(right._a.shape[:-2]))
    rows, columns = A._a.shape[-2:]
    driver = driver or "gelsy"
    limit = EPSILON[A._key.dtype.to_real().itemsize] * max(rows, columns) if rcond is None else rcond
    if not A.numel():
        solution = matmul(herm(A), right) if rows and columns else A.new_zeros((*batch, columns, right._a.shape[-1]))
    else:
        solution = matmul(linalg_pinv(A, rtol=0.0 if driver == "gels" else limit), right)
    kept = A.detach()
    sizes = (
        None
        if driver == "gels"
        else linalg_svdvals(kept)
        if kept.numel()
        else kept.abs().new_zeros((*batch, min(rows, columns)))
    )
    rank = FUNCTIONS["empty"](0, dtype=int64, device=A._key.device)
    full = True
    if sizes is not None:
        rank = (
            (sizes > sizes.amax(-1, keepdim=True) * limit).sum(-1)
            if kept.numel()
            else FUNCTIONS["zeros"](batch, dtype=int64, device=A._key.device)
        )
        full = holds(rank == columns)
    residuals = solution.abs().reshape(-1)[:0]
    if rows > columns and full and driver != "gelsy":
        off = matmul(A, solution) - right
        residuals = (off * conj(off)).real.sum(-2) if off._key.dtype.category == 3 else (off * off).sum(-2)
    if vector:
        solution = solution.squeeze(-1)
    values = sizes if sizes is not None and driver in ("gelsd", "gelss") else kept.abs().new_empty(0)
    return LstsqResult((solution, residuals, rank, values))
