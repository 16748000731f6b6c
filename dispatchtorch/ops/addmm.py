"""A product and something added, in one op: addmm, addmv, addbmm, baddbmm, addr."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dispatchtorch._base.dtypes import BOOL, FLOATING, INTEGRAL
from dispatchtorch.dispatch.table import composite, primitive
from dispatchtorch.ops.matmul import _fold_tn, _matmul_nt, _matmul_tn, check_bmm, check_mm, conj, matmul, sizes_text
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["addbmm", "addmm", "addmv", "addr", "baddbmm"]

Number = int | float | complex | bool


def _expanded(input: Tensor, shape: tuple[int, ...]) -> None:
    """Raises torch's error unless ``input`` expands to ``shape``."""
    have = tuple(input._a.shape)
    if len(have) > len(shape):
        raise RuntimeError(
            f"The number of sizes provided ({len(shape)}) must be greater or equal to the number of dimensions in the "
            f"tensor ({len(have)})"
        )
    for back in range(1, len(have) + 1):
        if have[-back] not in (1, shape[-back]):
            raise RuntimeError(
                f"The expanded size of the tensor ({shape[-back]}) must match the existing size ({have[-back]}) at "
                f"non-singleton dimension {len(shape) - back}.  Target sizes: {list(shape)}.  Tensor sizes: "
                f"{list(have)}"
            )


def _scaled(g: Tensor, by: Number) -> Tensor:
    return g if by == 1 else g * (by.conjugate() if isinstance(by, complex) else by)


def _plus(input: Tensor, product: Tensor, beta: Number, alpha: Number) -> Tensor:
    if product._key.dtype.category == INTEGRAL:
        beta, alpha = _whole(beta), _whole(alpha)
    product = _scaled_forward(product, alpha)
    if beta == 0:
        return product + input.new_zeros(()) if input._key.dtype is not product._key.dtype else product
    return _scaled_forward(input, beta) + product


def _plus_product(input: Tensor, first: Tensor, second: Tensor, beta: Number, alpha: Number) -> Tensor:
    """Returns ``beta * input + alpha * first @ second``; half precision is rounded once, at the end."""
    kind = first._key.dtype
    if kind.itemsize > 2 or kind.category != FLOATING or input._key.dtype is not kind or (beta == 0 and alpha == 1):
        return _plus(input, matmul(first, second), beta, alpha)
    return _plus(input.float(), matmul(first.float(), second.float()), beta, alpha).to(kind)


def _whole(by: Number) -> Number:
    """Returns a factor of integers: what is behind the point is dropped."""
    if isinstance(by, complex):
        raise RuntimeError("value cannot be converted to type int64_t without overflow")
    return by if isinstance(by, bool) else int(by)


def _scaled_forward(t: Tensor, by: Number) -> Tensor:
    return t if by == 1 else t * by


_ADDED: Final[dict[Any, Callable[..., Tensor]]] = {"input": lambda g, beta: _scaled(g, beta)}


@primitive(
    grad={
        **_ADDED,
        "mat1": lambda g, mat2, alpha: _matmul_nt(_scaled(g, alpha), conj(mat2)),
        "mat2": lambda g, mat1, alpha: _fold_tn(conj(mat1), _scaled(g, alpha)),
    },
    node="AddmmBackward0",
    inplace=True,
)
def _addmm(input: Tensor, mat1: Tensor, mat2: Tensor, beta: Number, alpha: Number) -> Tensor:
    """Returns ``beta * input + alpha * mat1 @ mat2``."""
    return _plus_product(input, mat1, mat2, beta, alpha)


def _check_addmm(input: Tensor, mat1: Tensor, mat2: Tensor) -> None:
    for name, t in (("mat1", mat1), ("mat2", mat2)):
        if len(t._a.shape) != 2:
            raise RuntimeError(f"{name} must be a matrix, got {len(t._a.shape)}-D tensor")
    first, second = tuple(mat1._a.shape), tuple(mat2._a.shape)
    for a, b in ((input, mat2), (mat1, mat2)):
        if a._key.dtype is not b._key.dtype:
            names = (a._key.dtype.legacy, b._key.dtype.legacy)
            raise RuntimeError(f"self and mat2 must have the same dtype, but got {names[0]} and {names[1]}")
    check_mm(mat1, mat2, first, second)
    _expanded(input, (first[0], second[1]))


def _addmm_(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    _check_addmm(input, mat1, mat2)
    return _addmm.inplace(input, mat1, mat2, beta, alpha)  # type: ignore[attr-defined, no-any-return]  # from the decorator


@composite(method=True, out=True, inplace=_addmm_)
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """Returns ``beta * input + alpha * mat1 @ mat2``."""
    _check_addmm(input, mat1, mat2)
    return _addmm(input, mat1, mat2, beta, alpha)


@primitive(
    grad={
        **_ADDED,
        "mat": lambda g, vec, alpha: _scaled(g, alpha).unsqueeze(-1) * conj(vec),
        "vec": lambda g, mat, alpha: matmul(_scaled(g, alpha), conj(mat)),
    },
    node="AddmvBackward0",
    inplace=True,
)
def _addmv(input: Tensor, mat: Tensor, vec: Tensor, beta: Number, alpha: Number) -> Tensor:
    """Returns ``beta * input + alpha * mat @ vec``."""
    return _plus(input, matmul(mat, vec), beta, alpha)


def _check_addmv(input: Tensor, mat: Tensor, vec: Tensor) -> None:
    ranks = (len(input._a.shape), len(mat._a.shape), len(vec._a.shape))
    if ranks[0] > 1 or ranks[1:] != (2, 1):
        raise RuntimeError(f"vector + matrix @ vector expected, got {ranks[0]}, {ranks[1]}, {ranks[2]}")
    rows, columns = mat._a.shape
    have = input._a.shape[0] if ranks[0] and input._a.shape[0] != 1 else rows
    if columns != vec._a.shape[0] or have != rows:
        size = input._a.shape[0] if ranks[0] else 1
        raise RuntimeError(f"size mismatch, got input ({size}), mat ({rows}x{columns}), vec ({vec._a.shape[0]})")


def _addmv_(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    _check_addmv(input, mat, vec)
    return _addmv.inplace(input, mat, vec, beta, alpha)  # type: ignore[attr-defined, no-any-return]  # from the decorator


@composite(method=True, out=True, inplace=_addmv_)
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """Returns ``beta * input + alpha * mat @ vec``."""
    _check_addmv(input, mat, vec)
    return _addmv(input, mat, vec, beta, alpha)


@primitive(
    grad={
        **_ADDED,
        "batch1": lambda g, batch2, alpha: _matmul_nt(_scaled(g, alpha), conj(batch2)),
        "batch2": lambda g, batch1, alpha: _matmul_tn(conj(batch1), _scaled(g, alpha)),
    },
    node="BaddbmmBackward0",
    inplace=True,
)
def _baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, beta: Number, alpha: Number) -> Tensor:
    """Returns ``beta * input + alpha * batch1 @ batch2``, matrix by matrix."""
    return _plus_product(input, batch1, batch2, beta, alpha)


def _check_baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor) -> None:
    if len(batch1._a.shape) == 3 == len(batch2._a.shape):
        _expanded(input, (batch1._a.shape[0], batch1._a.shape[1], batch2._a.shape[2]))
    check_bmm(batch1, batch2)


def _baddbmm_(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    _check_baddbmm(input, batch1, batch2)
    return _baddbmm.inplace(input, batch1, batch2, beta, alpha)  # type: ignore[attr-defined, no-any-return]  # from the decorator


@composite(method=True, out=True, inplace=_baddbmm_)
def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """Returns ``beta * input + alpha * batch1 @ batch2``, matrix by matrix."""
    _check_baddbmm(input, batch1, batch2)
    return _baddbmm(input, batch1, batch2, beta, alpha)


@primitive(
    grad={
        **_ADDED,
        "batch1": lambda g, batch2, alpha: _matmul_nt(_scaled(g, alpha), conj(batch2)),
        "batch2": lambda g, batch1, alpha: _matmul_tn(conj(batch1), _scaled(g, alpha)),
    },
    node="AddbmmBackward0",
    inplace=True,
)
def _addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, beta: Number, alpha: Number) -> Tensor:
    """Returns ``beta * input`` plus ``alpha`` times the sum of the products of two batches."""
    return _plus(input, matmul(batch1, batch2).sum(0), beta, alpha)


def _check_addbmm(input: Tensor, batch1: Tensor, batch2: Tensor) -> None:
    for name, t in (("batch1", batch1), ("batch2", batch2)):
        if len(t._a.shape) != 3:
            raise RuntimeError(f"{name} must be a 3D tensor")
    first, second = tuple(batch1._a.shape), tuple(batch2._a.shape)
    if first[0] != second[0]:
        raise RuntimeError(f"batch1 and batch2 must have same number of batches, got {first[0]} and {second[0]}")
    if first[2] != second[1]:
        raise RuntimeError(f"Incompatible matrix sizes for bmm ({sizes_text(first[1:])} and {sizes_text(second[1:])})")
    _expanded(input, (first[1], second[2]))


def _addbmm_(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    _check_addbmm(input, batch1, batch2)
    return _addbmm.inplace(input, batch1, batch2, beta, alpha)  # type: ignore[attr-defined, no-any-return]  # from the decorator


@composite(method=True, out=True, inplace=_addbmm_)
def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """Returns ``beta * input`` plus ``alpha`` times the sum of the products of two batches."""
    _check_addbmm(input, batch1, batch2)
    return _addbmm(input, batch1, batch2, beta, alpha)


@primitive(
    grad={
        **_ADDED,
        "vec1": lambda g, vec2, alpha: matmul(_scaled(g, alpha), conj(vec2)),
        "vec2": lambda g, vec1, alpha: matmul(conj(vec1), _scaled(g, alpha)),
    },
    node="AddrBackward0",
    inplace=True,
    inputs="same",
)
def _addr(input: Tensor, vec1: Tensor, vec2: Tensor, beta: Number, alpha: Number) -> Tensor:
    """Returns ``beta * input + alpha * outer(vec1, vec2)``."""
    product = vec1.unsqueeze(1) * vec2
    if input._key.dtype.category == product._key.dtype.category == BOOL:
        beta, alpha = bool(beta), bool(alpha)  # a mask stays one
    return _plus(input, product, beta, alpha)


def _check_addr(input: Tensor, vec1: Tensor, vec2: Tensor, beta: Number, alpha: Number) -> None:
    for name, t in (("vec1", vec1), ("vec2", vec2)):
        if len(t._a.shape) != 1:
            raise RuntimeError(f"addr: Expected 1-D argument {name}, but got {len(t._a.shape)}-D")
    _expanded(input, (vec1._a.shape[0], vec2._a.shape[0]))
    if all(t._key.dtype.category <= INTEGRAL for t in (input, vec1, vec2)):
        for name, by in (("beta", beta), ("alpha", alpha)):
            if isinstance(by, float):
                raise RuntimeError(f"For integral input tensors, argument {name} must not be a floating point number.")


def _addr_(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    _check_addr(input, vec1, vec2, beta, alpha)
    return _addr.inplace(input, vec1, vec2, beta, alpha)  # type: ignore[attr-defined, no-any-return]  # from the decorator


@composite(method=True, out=True, inplace=_addr_)
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """Returns ``beta * input + alpha * outer(vec1, vec2)``."""
    _check_addr(input, vec1, vec2, beta, alpha)
    return _addr(input, vec1, vec2, beta, alpha)
