"""Reductions that add up: sum, mean, prod, logsumexp, and those that count or ask.

Extremes are in `extremum`, norms in `magnitude`, variances in `moments`, running sums in `scan`. A primitive's
``dims`` is None for all dimensions, else a tuple counted from the front.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

from dispatchtorch._base.dtypes import DType, bool_, get_default_dtype, int64, uint8
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.table import FUNCTIONS, composite, primitive
from dispatchtorch.ops.samples import Maker, Sample, Sampler
from dispatchtorch.tensor.sizes import wrap_dim, wrap_dims
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["Dims", "cast", "count_of", "dims_of", "reduced_samples", "spread", "sum_leading", "unreduced"]

Number = int | float | complex | bool
Dims = int | Sequence[int] | None


# --- dims -------------------------------------------------------------------------------------------------------------


def dims_of(dim: Dims, ndim: int) -> tuple[int, ...] | None:
    """Returns the dims that a call means, None for all of them: for None, for an empty list, and all by name."""
    if dim is None:
        return None
    if isinstance(dim, int):
        front = wrap_dim(dim, ndim)
        return (front,) if ndim else ()
    given = [operator.index(d) for d in dim]
    if not given:
        return None
    dims = wrap_dims(given, ndim)
    return dims if ndim else ()


def count_of(shape: Sequence[int], dims: tuple[int, ...] | None) -> int:
    """Returns how many elements are reduced to one."""
    return math.prod(shape if dims is None else [shape[d] for d in dims])


def unreduced(t: Tensor, shape: Sequence[int], dims: tuple[int, ...] | None, keepdim: bool) -> Tensor:
    """Returns a reduction's result, or its gradient, with the reduced dims as 1, so that it broadcasts to ``shape``."""
    if keepdim or (dims is None and not t._a.shape) or dims == ():
        return t
    assert dims is not None  # all dims reduced and none kept leave no shape
    return t.reshape([1 if d in dims else n for d, n in enumerate(shape)])


def spread(g: Tensor, shape: tuple[int, ...], dims: tuple[int, ...] | None, keepdim: bool) -> Tensor:
    """Returns the gradient of a reduction laid over the reduced dims."""
    return unreduced(g, shape, dims, keepdim).expand(shape)


def sum_leading(g: Tensor, keep: int) -> Tensor:
    """Returns ``g`` summed over all but its last ``keep`` dimensions: the gradient of something that was broadcast."""
    lead = len(g._a.shape) - keep
    return _sum(g, tuple(range(lead)), False, g._key.dtype) if lead > 0 else g


def cast(g: Tensor, dtype: DType) -> Tensor:
    """Returns the tensor in a dtype, itself where it has that already."""
    return g if g._key.dtype is dtype else g.to(dtype)


def reduced_samples(*, low: float = -2.0, empty: bool = True) -> Sampler:
    """Returns a sampler of reductions over no, one, several and all dims, kept and dropped."""

    def sampler(make: Maker) -> Any:
        yield Sample((make(3, 4, low=low),))
        yield Sample((make(3, 4, low=low), 1))
        yield Sample((make(2, 3, 4, low=low), (0, -1)))
        yield Sample((make(2, 3, 4, low=low), (1,), True))
        yield Sample((make(low=low), 0))
        if empty:
            yield Sample((make(0, 3, low=low), 0))

    return sampler


def _full_or_dim(name: str) -> Any:
    """Returns how torch numbers the nodes of a reduction: 0 over everything, 1 over given dims."""

    def named(node: Any) -> str:
        whole = node.saved[1] is None if len(node.saved) > 1 else not node.shape  # freed: what is left has a shape
        return f"{name}Backward{0 if whole else 1}"

    return named


# --- sums -------------------------------------------------------------------------------------------------------------


@primitive(
    grad={
        "input": lambda g, input_shape, input_dtype, dims, keepdim: cast(
            spread(g, input_shape, dims, keepdim), input_dtype
        )
    },
    node=_full_or_dim("Sum"),
)
def _sum(input: Tensor, dims: tuple[int, ...] | None, keepdim: bool, dtype: DType) -> Tensor:
    """Returns sums over ``dims``."""
    ...


def _sum_dtype(input: Tensor, dtype: DType | None) -> DType:
    return dtype or (int64 if input._key.dtype.category < 2 else input._key.dtype)


@composite(method=True, out=True, samples=reduced_samples())
def sum(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """Returns the sum of all elements, or over ``dim``; integers add up to int64.

    >>> torch.tensor([[1.0, 2.0], [3.0, 4.0]]).sum(0)
    tensor([4., 6.])
    """
    dims = None if dim is None else dims_of(dim, len(input._a.shape))
    if dtype is None:
        dtype = input._key.dtype
        if dtype.category < 2:
            dtype = int64
    return _sum(input, dims, keepdim, dtype)


@composite(method=True, out=True, samples=reduced_samples())
def nansum(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """Returns sums in which nan counts as zero."""
    if input._key.dtype.category < 2:
        return FUNCTIONS["sum"](input, dim, keepdim, dtype=dtype)  # type: ignore[no-any-return]  # an entry of the table
    if input._key.dtype.category == 3:
        raise RuntimeError("nansum on CPU does not support complex inputs")
    return _nansum(input, dims_of(dim, len(input._a.shape)), keepdim, dtype or input._key.dtype)


@primitive(
    grad={
        "input": lambda g, input, dims, keepdim: (
            spread(cast(g, input._key.dtype), tuple(input._a.shape), dims, keepdim) * (input == input)
        )
    },
    node="NansumBackward0",
)
def _nansum(input: Tensor, dims: tuple[int, ...] | None, keepdim: bool, dtype: DType) -> Tensor:
    """Returns sums over ``dims`` without nan."""
    return _sum(FUNCTIONS["where"](input == input, input, input.new_zeros(())), dims, keepdim, dtype)


@primitive(
    grad={
        "input": lambda g, input_shape, dims, keepdim: (
            spread(g, input_shape, dims, keepdim) / count_of(input_shape, dims)
        )
    },
    node=_full_or_dim("Mean"),
)
def _mean(input: Tensor, dims: tuple[int, ...] | None, keepdim: bool) -> Tensor:
    """Returns means over ``dims``."""
    ...


@composite(method=True, out=True, samples=reduced_samples())
def mean(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """Returns the mean of all elements, or over ``dim``; the dtype is a floating or complex one.

    >>> torch.tensor([[1.0, 2.0], [3.0, 4.0]]).mean(1)
    tensor([1.5000, 3.5000])
    """
    kind = dtype or input._key.dtype
    if kind.category < 2:
        which = "Input" if dtype is None else "Optional"
        raise RuntimeError(
            f"mean(): could not infer output dtype. {which} dtype must be either a floating point or complex dtype. "
            f"Got: {kind.legacy}"
        )
    input = cast(input, kind)
    return _mean(input, None if dim is None else dims_of(dim, len(input._a.shape)), keepdim)


@composite(method=True, out=True, samples=reduced_samples())
def nanmean(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """Returns means of the elements that are not nan."""
    if input._key.dtype.category < 2:
        raise RuntimeError(
            f"nanmean(): expected input to have floating point or complex dtype but got {input._key.dtype.legacy}"
        )
    total = FUNCTIONS["nansum"](input, dim, keepdim, dtype=dtype)
    counted = FUNCTIONS["sum"](input == input, dim, keepdim)
    return total / counted  # type: ignore[no-any-return]  # an entry of the table


# --- products ---------------------------------------------------------------------------------------------------------


def _others(input: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Returns the product of all other elements for each, by multiplications alone: right in every derivative."""
    shape = tuple(input._a.shape)
    kept = tuple(d for d in range(len(shape)) if d not in dims)
    moved = input.permute(kept + dims)
    rows = moved.reshape(*[shape[d] for d in kept], -1) if input._a.size else moved
    if not input._a.size:
        return input.clone()

    def before(x: Tensor) -> Tensor:
        """Returns the product of what comes before each: shifted by one, then by 1, 2, 4, ... onto itself."""
        n = int(x._a.shape[-1])
        step, first = 1, True
        while step < n or first:
            ones = x.new_ones((*x._a.shape[:-1], step))
            shifted = FUNCTIONS["cat"]([ones, x.narrow(-1, 0, n - step)], -1)
            x, step, first = (shifted, 1, False) if first else (x * shifted, step * 2, False)
        return x

    out = before(rows) * before(rows.flip(-1)).flip(-1)
    back = tuple((kept + dims).index(d) for d in range(len(shape)))
    return out.reshape(moved.shape).permute(back)


def _prod_grad(g: Tensor, input: Tensor, dims: tuple[int, ...] | None, keepdim: bool) -> Tensor:
    """Returns the gradient of a product, right where elements are zero: one zero leaves the product of the others."""
    shape = tuple(input._a.shape)
    if modes.grad and input._key.requires:
        parts = _others(input, tuple(range(len(shape))) if dims is None else dims)
        parts = parts.conj() if parts._key.dtype.category == 3 else parts
        return cast(unreduced(g, shape, dims, keepdim), input._key.dtype) * parts
    where = FUNCTIONS["where"]
    zero = input == 0
    filled = where(zero, input.new_ones(()), input)
    zeros = unreduced(_sum(zero, dims, keepdim, int64), shape, dims, keepdim)
    others = unreduced(_prod(filled, dims, keepdim, input._key.dtype), shape, dims, keepdim)
    nothing = input.new_zeros(())
    parts = where(zeros == 0, others / filled, where((zeros == 1) & zero, others, nothing))
    if parts._key.dtype.category == 3:
        parts = parts.conj()
    return cast(unreduced(g, shape, dims, keepdim), input._key.dtype) * parts  # type: ignore[no-any-return]  # methods arrive from the table


@primitive(grad={"input": _prod_grad}, node=_full_or_dim("Prod"))
def _prod(input: Tensor, dims: tuple[int, ...] | None, keepdim: bool, dtype: DType) -> Tensor:
    """Returns products over ``dims``."""
    ...


def _prod_samples(make: Maker) -> Any:
    yield Sample((make(3, 4),))
    yield Sample((make(3, 4), 1))
    yield Sample((make(3, 4), 0, True))
    yield Sample((make(),))


@composite(method=True, out=True, samples=_prod_samples)
def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """Returns the product of all elements, or over ``dim``; integers multiply to int64."""
    return _prod(input, dims_of(dim, len(input._a.shape)), keepdim, _sum_dtype(input, dtype))


# --- logsumexp --------------------------------------------------------------------------------------------------------


def _logsumexp_grad(g: Tensor, input: Tensor, out: Tensor, dims: Any, keepdim: bool) -> Tensor:
    shape = tuple(input._a.shape)
    g, out = unreduced(g, shape, dims, keepdim), unreduced(out, shape, dims, keepdim)
    if out._key.dtype.category < 3:
        out = FUNCTIONS["where"](out.abs() == math.inf, out.new_zeros(()), out)
    part = (input - out).exp()
    return g * (part.conj() if part._key.dtype.category == 3 else part)


@primitive(grad={"input": _logsumexp_grad}, node="LogsumexpBackward0")
def _logsumexp(input: Tensor, dims: tuple[int, ...] | None, keepdim: bool) -> Tensor:
    """Returns logarithms of sums of exponentials over ``dims``."""
    ...


def _logsumexp_samples(make: Maker) -> Any:
    yield Sample((make(3, 4), 1))
    yield Sample((make(2, 3, 4), (0, 2), True))
    yield Sample((make(), 0))


@composite(method=True, out=True, samples=_logsumexp_samples)
def logsumexp(input: Tensor, dim: int | Sequence[int], keepdim: bool = False) -> Tensor:
    """Returns logarithms of sums of exponentials over ``dim``, without overflow."""
    if input._key.dtype.category < 2:
        input = input.to(get_default_dtype())
    return _logsumexp(input, dims_of(dim, len(input._a.shape)), keepdim)


# --- questions --------------------------------------------------------------------------------------------------------


def _truth_samples(make: Maker) -> Any:
    yield Sample((make(3, 4, dtype="bool"),))
    yield Sample((make(3, 4, dtype="bool"), 1))
    yield Sample((make(3, 4, dtype="int64"), 0, True))
    yield Sample((make(0, 2, dtype="bool"),))


@primitive()
def _all(input: Tensor, dims: tuple[int, ...] | None, keepdim: bool) -> Tensor:
    """Returns whether all elements are true."""
    ...


@primitive()
def _any(input: Tensor, dims: tuple[int, ...] | None, keepdim: bool) -> Tensor:
    """Returns whether any element is true."""
    ...


def _truth(out: Tensor, input: Tensor) -> Tensor:
    return out.to(uint8) if input._key.dtype is uint8 else out


@composite(method=True, out=True, samples=_truth_samples)
def all(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Returns whether all elements are true, or all over ``dim``."""
    return _truth(_all(input, dims_of(dim, len(input._a.shape)), keepdim), input)


@composite(method=True, out=True, samples=_truth_samples)
def any(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Returns whether any element is true, or any over ``dim``."""
    return _truth(_any(input, dims_of(dim, len(input._a.shape)), keepdim), input)


@primitive()
def _count_nonzero(input: Tensor, dims: tuple[int, ...] | None) -> Tensor:
    """Returns how many elements are not zero."""
    ...


@composite(method=True)
def count_nonzero(input: Tensor, dim: Dims = None) -> Tensor:
    """Returns how many elements are not zero, in all or over ``dim``."""
    return _count_nonzero(input, dims_of(dim, len(input._a.shape)))


@primitive(grad={"input": lambda g, input_shape: g * _eye(g, input_shape)}, node="TraceBackward0")
def _trace(input: Tensor) -> Tensor:
    """Returns the sum of the diagonal."""
    return FUNCTIONS["sum"](input.diagonal())  # type: ignore[no-any-return]  # an entry of the table


def _eye(g: Tensor, shape: tuple[int, int]) -> Tensor:
    return FUNCTIONS["eye"](*shape, dtype=g._key.dtype, device=g._key.device)  # type: ignore[no-any-return]  # as above


@composite(method=True)
def trace(input: Tensor) -> Tensor:
    """Returns the sum of a matrix's diagonal."""
    if len(input._a.shape) != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {len(input._a.shape)}")
    if input._key.dtype is bool_:
        raise NotImplementedError("\"trace\" not implemented for 'Bool'")
    return _trace(input)
