"""Elementwise ops, reductions and softmax of sparse tensors: what dense ops do, on the values that are kept.

Names are those of the op table's internal ops, so functions, methods and operators all come here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from dispatchtorch._base.dtypes import DType, promote
from dispatchtorch.dispatch.sparse import SPARSE, refuse, sparse_op
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS
from dispatchtorch.ops.sparse import coalesce, empty_coo, linear, made, summed, to_dense, unravelled, values_of
from dispatchtorch.ops.view import named
from dispatchtorch.tensor.sizes import broadcast_shapes, wrap_dim
from dispatchtorch.tensor.sparse import SparseTensor
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["softmax", "total"]

Operand = Tensor | int | float | complex | bool

# ops f with f(0) = 0 that PyTorch's sparse tensors have; all but those of _AS_THEY_ARE put the coordinates in order
_ZERO_STAYS: Final = (
    "abs", "asin", "asinh", "atan", "atanh", "ceil", "deg2rad", "erf", "erfinv", "expm1", "floor", "frac", "isinf",
    "isnan", "isneginf", "isposinf", "log1p", "nan_to_num", "neg", "rad2deg", "relu", "round", "sgn", "sign", "signbit",
    "sin", "sinh", "sqrt", "tan", "tanh", "trunc", "_nan_to_num", "_round",
)  # fmt: skip
_AS_THEY_ARE: Final = frozenset({"neg"})


def _elementwise(name: str) -> Callable[..., Tensor]:
    def on_values(input: SparseTensor, *args: Any) -> Tensor:
        whole = input if name in _AS_THEY_ARE else coalesce(input)
        values = entry(values_of(whole), *args)
        public = name.strip("_").title().replace("_", "") + "Backward0"
        return made(whole._a.indices, values, whole._a.shape, whole._a.coalesced, public)

    entry: Callable[..., Tensor] = METHODS[name.strip("_")]
    return on_values


for _name in _ZERO_STAYS:
    SPARSE[_name] = _elementwise(_name)


def _same_sizes(a: Tensor, b: Tensor) -> None:
    first, second = list(a._a.shape), list(b._a.shape)
    if first == second:
        return
    if isinstance(a, SparseTensor):
        raise RuntimeError(f"add: expected sizes of 'self' and 'other' to match, but {first} != {second}")
    raise RuntimeError(
        f"add: expected 'self' and 'other' to have same size, but self has size {first} while other has size {second} "
        "(FYI: dense-sparse addition does not currently support broadcasting)"
    )


# --- sums of two -----------------------------------------------------------------------------------------------------


def _sorted(places: Tensor) -> bool:
    count = places._a.shape[0]
    return count < 2 or bool((places[1:] >= places[:-1]).all())


def _turns(places: Tensor) -> Tensor:
    """Returns, for places in order, how often each was there before."""
    here = FUNCTIONS["arange"](places._a.shape[0], device=places._key.device).to(backend=places._key.backend.name)
    return here - FUNCTIONS["searchsorted"](places, places)  # type: ignore[no-any-return]  # a tensor of the table


def _merged(a: SparseTensor, b: SparseTensor, second: Tensor, node: str) -> SparseTensor:
    """Returns the sum of two: coordinates of both in order, those in both once; values of ``b`` are ``second``."""
    one, two, first = a._a, b._a, values_of(a)
    if one.sparse_dim != two.sparse_dim:
        return _merged(_all_sparse(a), made(*_parts(b, second)), values_of(_all_sparse(b)), node)
    if one.indices._a is two.indices._a:
        return made(one.indices, first + second, one.shape, one.coalesced, node)
    dtype = promote(first._key.dtype, second._key.dtype)
    values = FUNCTIONS["cat"]([first.to(dtype), second.to(dtype)])
    sizes = one.shape[: one.sparse_dim]
    left, right = linear(one.indices, sizes), linear(two.indices, sizes)
    coalesced = one.coalesced and two.coalesced
    if not one.count or not two.count or not (_sorted(left) and _sorted(right)):
        indices = FUNCTIONS["cat"]([one.indices, two.indices], 1)
        return made(indices, values, one.shape, coalesced and not (one.count and two.count), node)
    turns = max(one.count, two.count)
    marks = FUNCTIONS["cat"]([left * turns + _turns(left), right * turns + _turns(right)])
    marks, groups = METHODS["unique"](marks, return_inverse=True)
    places = METHODS["floor_divide"](marks, turns)
    return made(unravelled(places, sizes), summed(values, groups, marks._a.shape[0]), one.shape, coalesced, node)


def _parts(s: SparseTensor, values: Tensor) -> tuple[Tensor, Tensor, tuple[int, ...], bool]:
    return s._a.indices, values, s._a.shape, s._a.coalesced


def _all_sparse(s: SparseTensor) -> SparseTensor:
    return METHODS["to_sparse"](to_dense(s))  # type: ignore[no-any-return]  # a method of the table


@sparse_op("_add")
def _add(input: Operand, other: Operand) -> Tensor:
    return _plus(input, other, 1, "AddBackward0")


@sparse_op("_sub")
def _sub(input: Operand, other: Operand) -> Tensor:
    return _plus(input, other, -1, "SubBackward0")


def _plus(input: Operand, other: Operand, sign: int, node: str) -> Tensor:
    if isinstance(input, SparseTensor):
        if not isinstance(other, SparseTensor):
            raise RuntimeError("add(sparse, dense) is not supported. Use add(dense, sparse) instead.")
        _same_sizes(input, other)
        values = values_of(other)
        return _merged(input, other, values if sign == 1 else -values, node)
    assert isinstance(other, SparseTensor)  # one of both is sparse, or nobody had come here
    if not isinstance(input, Tensor):
        raise RuntimeError("add(sparse, dense) is not supported. Use add(dense, sparse) instead.")
    _same_sizes(input, other)
    raw, values = other._a, values_of(other)
    if not raw.sparse_dim:
        return input + to_dense(other) * sign
    dtype = promote(input._key.dtype, values._key.dtype)
    values = values.to(dtype) if sign == 1 else -values.to(dtype)
    return named(_put(METHODS["clone"](input.to(dtype)), raw.indices, values), node)


def _put(target: Tensor, indices: Tensor, values: Tensor) -> Tensor:
    """Returns a dense tensor after values were added at coordinates, in place."""
    if indices._a.shape[0] == 1:
        return METHODS["index_add_"](target, 0, indices[0], values)  # type: ignore[no-any-return]  # the table
    where = tuple(METHODS["unbind"](indices, 0))
    return METHODS["index_put_"](target, where, values, True)  # type: ignore[no-any-return]  # the table


def _write_sum(input: Tensor, other: Any, sign: int) -> Tensor:
    if isinstance(input, SparseTensor):
        from_sum = _plus(input, other, sign, "AddBackward0" if sign == 1 else "SubBackward0")
        assert isinstance(from_sum, SparseTensor)  # a sum of two sparse tensors is one
        return _become(input, from_sum)
    _same_sizes(input, other)
    raw, values = other._a, values_of(other)
    values = values.to(input._key.dtype)
    if not raw.sparse_dim:
        return METHODS["add_"](input, to_dense(other) * sign)  # type: ignore[no-any-return]  # the table
    return _put(input, raw.indices, values if sign == 1 else -values)


def _become(target: SparseTensor, result: SparseTensor) -> SparseTensor:
    target._a = result._a
    target._edge = result._edge
    target._key = target._key.as_requires(result._key.requires)
    return target


@sparse_op("_add", write=True)
def _add_write(input: Tensor, other: Any) -> Tensor:
    return _write_sum(input, other, 1)


@sparse_op("_sub", write=True)
def _sub_write(input: Tensor, other: Any) -> Tensor:
    return _write_sum(input, other, -1)


@sparse_op("mul", "_mul", write=True)
def _mul_write(input: Tensor, other: Any) -> Tensor:
    if isinstance(input, SparseTensor):
        product = _mul(input, other)
        assert isinstance(product, SparseTensor)  # the product of a sparse tensor and anything is one
        return _become(input, product)
    return METHODS["copy_"](input, METHODS["mul"](input, to_dense(other)))  # type: ignore[no-any-return]  # the table


@sparse_op("_rsub")
def _rsub(input: Tensor, other: Operand) -> Tensor:
    return _sub(other, input)


# --- products and quotients ------------------------------------------------------------------------------------------


def _is_number(x: Any) -> bool:
    return not isinstance(x, Tensor) or (not isinstance(x, SparseTensor) and not x._a.shape)


@sparse_op("mul", "_mul")
def _mul(input: Operand, other: Operand) -> Tensor:
    if not isinstance(input, SparseTensor):
        input, other = other, input
    assert isinstance(input, SparseTensor)  # one of both is, or nobody had come here
    raw = input._a
    if _is_number(other):
        return made(raw.indices, values_of(input) * other, raw.shape, raw.coalesced, "MulBackward0")
    assert isinstance(other, Tensor)  # no number
    if not isinstance(other, SparseTensor):
        shape = broadcast_shapes(tuple(other._a.shape), raw.shape)
        if shape != raw.shape:
            raise RuntimeError(f"mul(sparse, dense): the sparse tensor of size {list(raw.shape)} cannot be expanded")
        there = METHODS["expand"](other, shape)
        where = tuple(METHODS["unbind"](raw.indices, 0))
        beside = there[where] if where else METHODS["unsqueeze"](there, 0)
        return made(raw.indices, values_of(input) * beside, raw.shape, raw.coalesced, "MulBackward0")
    if raw.shape != other._a.shape:
        raise RuntimeError(
            f"mul operands have incompatible sizes: {list(raw.shape)} and {list(other._a.shape)}: sparse tensors are "
            "not broadcast"
        )
    if raw.indices._a is other._a.indices._a and raw.coalesced:
        return made(raw.indices, values_of(input) * values_of(other), raw.shape, True, "MulBackward0")
    return _common(coalesce(input), coalesce(other))


def _common(a: SparseTensor, b: SparseTensor) -> SparseTensor:
    """Returns the product of two at the coordinates that both have."""
    sizes = a._a.shape[: a._a.sparse_dim]
    first, second = linear(a._a.indices, sizes), linear(b._a.indices, sizes)
    if not a._a.count or not b._a.count:
        return empty_coo(a._a.shape, values_of(a), a._a.ndim - a._a.sparse_dim)
    near = METHODS["clamp"](FUNCTIONS["searchsorted"](second, first), max=b._a.count - 1)
    both = METHODS["nonzero"](METHODS["index_select"](second, 0, near) == first)[:, 0]
    at = METHODS["index_select"](near, 0, both)
    values = METHODS["index_select"](values_of(a), 0, both) * METHODS["index_select"](values_of(b), 0, at)
    return made(METHODS["index_select"](a._a.indices, 1, both), values, a._a.shape, True, "MulBackward0")


def _divided(entry: Callable[..., Tensor], in_order: bool) -> Callable[..., Tensor]:
    def div(input: Operand, other: Operand) -> Tensor:
        if not isinstance(input, SparseTensor) or not _is_number(other):
            shape = list(other._a.shape) if isinstance(other, Tensor) else []
            raise RuntimeError(
                f"Sparse division requires a scalar or zero-dim dense tensor divisor (got shape {shape} for divisor)"
            )
        whole = coalesce(input) if in_order else input
        values = entry(values_of(whole), other)
        return made(whole._a.indices, values, whole._a.shape, whole._a.coalesced, "DivBackward0")

    return div


SPARSE["_div"] = _divided(FUNCTIONS["div"], False)
SPARSE["_floor_divide"] = SPARSE["_div_floor"] = _divided(FUNCTIONS["floor_divide"], True)


@sparse_op("_pow_number", "_pow")
def _pow(input: Tensor, other: Any) -> Tensor:
    if not isinstance(input, SparseTensor) or not _is_number(other):
        raise refuse("pow.Tensor_Tensor")
    if not isinstance(other, Tensor) and other == 0:
        raise RuntimeError("pow: cannot raise to zeroth power on sparse tensor; it would make the result tensor dense")
    whole = coalesce(input)
    return made(whole._a.indices, values_of(whole) ** other, whole._a.shape, True, "PowBackward0")


# --- reductions ------------------------------------------------------------------------------------------------------


@sparse_op("_sum")
def total(input: SparseTensor, dims: Sequence[int] | None, keepdim: bool, dtype: DType) -> Tensor:
    """Returns sums over dims: dense where no sparse dimension is left, else a coalesced sparse tensor."""
    raw = input._a
    ndim, depth = raw.ndim, raw.sparse_dim
    over = set(range(ndim) if dims is None else dims)
    values = values_of(input).to(dtype)
    inner = [d - depth + 1 for d in sorted(over) if d >= depth]
    if inner:
        values = values.sum(inner, keepdim)
    kept = [d for d in range(depth) if d not in over]
    shape = tuple([1 if d in over else n for d, n in enumerate(raw.shape) if keepdim or d not in over])
    if not kept and (not keepdim or dims is None):
        whole = values.sum(0)
        return named(whole.reshape(shape) if keepdim else whole, "SumBackward0")
    rows = METHODS["unbind"](raw.indices, 0)
    node = "SparseSumBackward0"
    if len(kept) == depth:
        return named(coalesce(made(raw.indices, values, shape, raw.coalesced)), node)
    indices = FUNCTIONS["stack"]([rows[d] for d in kept]) if kept else METHODS["new_zeros"](raw.indices, (0, raw.count))
    short = coalesce(made(indices, values, tuple([raw.shape[d] for d in kept]) + tuple(values._a.shape[1:]), False))
    if not keepdim:
        return named(short, node)
    left = iter(METHODS["unbind"](short._a.indices, 0))
    zero = METHODS["new_zeros"](short._a.indices, (short._a.count,))
    full = FUNCTIONS["stack"]([zero if d in over else next(left) for d in range(depth)])
    return made(full, values_of(short), shape, False, node)


@sparse_op("_any", "any")
def _any(input: SparseTensor, dims: Any = None, keepdim: bool = False) -> Tensor:
    if dims is not None and dims != ():
        raise refuse("any.dim")
    return METHODS["any"](input._a.values)  # type: ignore[no-any-return]  # a method of the table


@sparse_op("_norm", "_vector_norm", "_linalg_vector_norm")
def _norm(input: SparseTensor, p: Any = 2, dims: Any = None, keepdim: bool = False, *rest: Any) -> Tensor:
    if dims is not None and len(dims) != input._a.ndim:
        raise refuse("norm.ScalarOpt_dim")
    return METHODS["norm"](values_of(coalesce(input)), p)  # type: ignore[no-any-return]  # a method of the table


# --- softmax ---------------------------------------------------------------------------------------------------------


def softmax(input: Tensor, dim: int, dtype: DType | None, log: bool) -> Tensor:
    """Returns the softmax (or its logarithm) along ``dim`` of the elements that are kept; all others stay away."""
    if not isinstance(input, SparseTensor):
        raise refuse("_sparse_log_softmax" if log else "_sparse_softmax")
    whole = coalesce(input if dtype is None else METHODS["to"](input, dtype))
    raw, values = whole._a, values_of(whole)
    dim = wrap_dim(dim, raw.ndim)
    node = "SparseLogSoftmaxBackward0" if log else "SparseSoftmaxBackward0"
    if dim >= raw.sparse_dim:
        dense = FUNCTIONS["log_softmax" if log else "softmax"](values, dim - raw.sparse_dim + 1)
        return made(raw.indices, dense, raw.shape, True, node)
    if not raw.count:
        return made(raw.indices, values, raw.shape, True, node)
    others = [d for d in range(raw.sparse_dim) if d != dim]
    rows = METHODS["unbind"](raw.indices, 0)
    places = rows[dim] * 0
    for d in others:
        places = places * raw.shape[d] + rows[d]
    found, groups = METHODS["unique"](places, return_inverse=True)
    count = found._a.shape[0]
    spread = METHODS["expand"](groups.reshape((-1,) + (1,) * (len(values._a.shape) - 1)), tuple(values._a.shape))
    lowest = METHODS["new_full"](values, (count, *values._a.shape[1:]), float("-inf"))
    peaks = METHODS["scatter_reduce"](lowest, 0, spread, values.detach(), "amax")
    shifted = values - METHODS["index_select"](peaks, 0, groups)
    powers = FUNCTIONS["exp"](shifted)
    sums = METHODS["index_select"](summed(powers, groups, count), 0, groups)
    out = shifted - FUNCTIONS["log"](sums) if log else powers / sums
    return made(raw.indices, out, raw.shape, True, node)
