"""Running results along one dimension: cumsum, cumprod, cummax, cummin, logcumsumexp, and differences."""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch._base.dtypes import COMPLEX, DType, bool_, int64
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.table import FUNCTIONS, composite, primitive
from dispatchtorch.ops import return_types
from dispatchtorch.ops.reduce import cast
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.sizes import wrap_dim
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["cummax", "cummin", "cumprod", "cumsum", "diff", "logcumsumexp"]

CummaxResult = return_types.make("cummax", "values", "indices")
CumminResult = return_types.make("cummin", "values", "indices")


def _along(make: Maker) -> Any:
    yield Sample((make(3, 4), 1))
    yield Sample((make(2, 3, 4), 0))
    yield Sample((make(), 0))


def _reversed_sum(x: Tensor, dim: int) -> Tensor:
    """Returns sums from each element to the end."""
    flip = FUNCTIONS["flip"]
    return flip(_cumsum(flip(x, dim), dim, x._key.dtype), dim) if x._a.shape else x


@primitive(
    grad={"input": lambda g, dim, input_dtype: cast(_reversed_sum(g, dim), input_dtype)},
    node="CumsumBackward0",
    inplace=True,
)
def _cumsum(input: Tensor, dim: int, dtype: DType) -> Tensor:
    """Returns running sums."""
    ...


def _has_zero(input: Tensor) -> bool:
    """Returns whether an element is zero; False where values cannot be looked at."""
    try:
        return bool((input == 0).any())
    except TypeError:  # a traced value
        return False


def _cumprod_grad_by_parts(g: Any, input: Any, dim: int) -> Tensor:
    """Returns the gradient of running products without a division, so that it can be differentiated at zeros too.

    One element of ``dim`` at a time: the product before it, times the running products after it.
    """
    if not input._a.shape:
        return g  # type: ignore[no-any-return]  # as given
    cat = FUNCTIONS["cat"]
    size = input._a.shape[dim]
    factors = input.conj() if input._key.dtype.category == COMPLEX else input
    before = FUNCTIONS["ones_like"](factors.narrow(dim, 0, 1))
    columns = []
    for k in range(size):
        after = [before]
        if k + 1 < size:
            after.append(before * factors.narrow(dim, k + 1, size - k - 1).cumprod(dim))
        columns.append((g.narrow(dim, k, size - k) * cat(after, dim)).sum(dim, keepdim=True))
        before = before * factors.narrow(dim, k, 1)
    return cat(columns, dim)  # type: ignore[no-any-return]  # an entry of the table


def _cumprod_grad(g: Tensor, input: Tensor, out: Tensor, dim: int) -> Tensor:
    """Returns the gradient of running products, right where elements are zero.

    Before the first zero a division gives it, at the first zero the products without it do, and after it all is zero.
    """
    g, out = cast(g, input._key.dtype), cast(out, input._key.dtype)
    if not input._a.shape:
        return g
    if modes.grad and _has_zero(input):
        return _cumprod_grad_by_parts(g, input, dim)
    where, nothing, one = FUNCTIONS["where"], input.new_zeros(()), input.new_ones(())
    zero = input == 0
    seen = _cumsum(zero, dim, int64)
    first = zero & (seen == 1)
    without = _cumprod(where(first, one, input), dim, input._key.dtype)
    if input._key.dtype.category == 3:
        g = g.conj()
    before = _reversed_sum(g * out, dim) / where(zero, one, input)
    result = where(seen == 0, before, where(first, _reversed_sum(where(seen >= 1, g * without, nothing), dim), nothing))
    return result.conj() if input._key.dtype.category == 3 else result  # type: ignore[no-any-return]  # a table entry


@primitive(grad={"input": _cumprod_grad}, node="CumprodBackward0", inplace=True)
def _cumprod(input: Tensor, dim: int, dtype: DType) -> Tensor:
    """Returns running products."""
    ...


def _dtype_of(input: Tensor, dtype: DType | None) -> DType:
    return dtype or (int64 if input._key.dtype.category < 2 else input._key.dtype)


def _cumsum_(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    front = wrap_dim(dim, len(input._a.shape))
    return _cumsum.inplace(input, front, dtype or input._key.dtype)  # type: ignore[attr-defined, no-any-return]  # as declared


@composite(method=True, out=True, inplace=_cumsum_, samples=_along)
def cumsum(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """Returns running sums along ``dim``.

    >>> torch.cumsum(torch.tensor([1.0, 2.0, 3.0]), 0)
    tensor([1., 3., 6.])
    """
    return _cumsum(input, wrap_dim(dim, len(input._a.shape)), _dtype_of(input, dtype))


def _cumprod_(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    front = wrap_dim(dim, len(input._a.shape))
    return _cumprod.inplace(input, front, dtype or input._key.dtype)  # type: ignore[attr-defined, no-any-return]  # as declared


@composite(method=True, out=True, inplace=_cumprod_, samples=_along)
def cumprod(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """Returns running products along ``dim``."""
    return _cumprod(input, wrap_dim(dim, len(input._a.shape)), _dtype_of(input, dtype))


def _picked_grad(g: Any, out: Any, input_shape: tuple[int, ...], dim: int) -> Tensor:
    if not input_shape:
        return g[0]  # type: ignore[no-any-return]  # one of several gradients
    zeros = g[0].new_zeros(input_shape)
    return FUNCTIONS["scatter_add"](zeros, dim, out[1], g[0])  # type: ignore[no-any-return]  # an entry of the table


@primitive(grad={"input": _picked_grad}, node="CummaxBackward0")
def _cummax(input: Tensor, dim: int) -> Tensor:
    """Returns running maxima and their places."""
    ...


@primitive(grad={"input": _picked_grad}, node="CumminBackward0")
def _cummin(input: Tensor, dim: int) -> Tensor:
    """Returns running minima and their places."""
    ...


def _running(name: str, op: Any, result: Any, input: Tensor, dim: int) -> Any:
    if input._key.dtype.category == 3:
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for '{input._key.dtype.legacy}'")
    return result(op(input, wrap_dim(dim, len(input._a.shape))))


@composite(method=True, out=True, samples=_along)
def cummax(input: Tensor, dim: int) -> Any:
    """Returns running maxima along ``dim`` and where each was last seen."""
    return _running("cummax", _cummax, CummaxResult, input, dim)


@composite(method=True, out=True, samples=_along)
def cummin(input: Tensor, dim: int) -> Any:
    """Returns running minima along ``dim`` and where each was last seen."""
    return _running("cummin", _cummin, CumminResult, input, dim)


def _logcumsumexp_grad(g: Tensor, input: Tensor, out: Tensor, dim: int) -> Tensor:
    """Returns the gradient by logarithms, positive and negative parts apart, so that nothing overflows."""
    if not input._a.shape:
        return g
    if input._key.dtype.category == COMPLEX:
        return _complex_logcumsumexp_grad(g, input, out, dim)
    where, flip, low = FUNCTIONS["where"], FUNCTIONS["flip"], g.new_full((), -math.inf)
    out = where(out == -math.inf, out.new_zeros(()), out)  # nothing was added up there: no gradient, and no inf - inf
    size = g.abs().log()

    def part(mask: Tensor) -> Tensor:
        log = where(mask, size, low)
        return (flip(_logcumsumexp(flip(log - out, dim), dim), dim) + input).exp()  # type: ignore[no-any-return]  # entries

    return part(g > 0) - part(g < 0)


def _complex_logcumsumexp_grad(g: Tensor, input: Tensor, out: Tensor, dim: int) -> Tensor:
    flip, conj_of = FUNCTIONS["flip"], FUNCTIONS["conj"]
    later = flip(_logcumsumexp(flip(conj_of(g).log() - out, dim), dim), dim)
    return conj_of((later + input).exp())  # type: ignore[no-any-return]  # entries of the table


@primitive(grad={"input": _logcumsumexp_grad}, node="LogcumsumexpBackward0")
def _logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """Returns logarithms of running sums of exponentials."""
    ...


@composite(method=True, out=True, samples=_along)
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """Returns logarithms of running sums of exponentials along ``dim``."""
    if input._key.dtype.category < 2:
        raise NotImplementedError(f"\"logcumsumexp_out_cpu\" not implemented for '{input._key.dtype.legacy}'")
    return _logcumsumexp(input, wrap_dim(dim, len(input._a.shape)))


def _diff_samples(make: Maker) -> Any:
    yield Sample((make(3, 4),))
    yield Sample((make(3, 4), 2, 0))
    yield Sample((make(3, 4),), {"prepend": make(3, 1)})


def _check_joined(input: Tensor, other: Tensor, dim: int) -> None:
    mine, its = tuple(input._a.shape), tuple(other._a.shape)
    if len(mine) != len(its):
        raise RuntimeError("diff expects prepend or append to be the same dimension as input")
    for d, (n, m) in enumerate(zip(mine, its, strict=True)):
        if d != dim and n != m:
            raise RuntimeError(
                "diff expects the shape of tensor to prepend or append to match that of input except along the "
                f"differencing dimension; input.size({d}) = {n}, but got tensor.size({d}) = {m}"
            )


@composite(method=True, out=True, samples=_diff_samples)
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """Returns the ``n``-th differences of neighbours along ``dim``."""
    if not input._a.shape:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    dim = wrap_dim(dim, len(input._a.shape))
    for other in (prepend, append):
        if other is not None:
            _check_joined(input, other, wrap_dim(dim, len(input._a.shape)))
    if n == 0:
        return FUNCTIONS["clone"](input)  # type: ignore[no-any-return]  # an entry of the table
    parts = [t for t in (prepend, input, append) if t is not None]
    out: Tensor = input if len(parts) == 1 else FUNCTIONS["cat"](parts, dim)
    for _ in range(min(n, out._a.shape[dim])):
        size = out._a.shape[dim]
        later, sooner = out.narrow(dim, 1, size - 1), out.narrow(dim, 0, size - 1)
        out = later.logical_xor(sooner) if out._key.dtype is bool_ else later - sooner
    return out
