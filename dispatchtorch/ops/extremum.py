"""Extremes and where they are: max, min, amax, amin, aminmax, argmax, argmin.

A maximum over everything shares its gradient evenly among ties; one along a dimension gives it to the place it names.
"""

from __future__ import annotations

import math
from typing import Any, NoReturn

from dispatchtorch._base.dtypes import DType
from dispatchtorch.dispatch.table import FUNCTIONS, composite, primitive
from dispatchtorch.ops import return_types
from dispatchtorch.ops.reduce import Dims, dims_of, reduced_samples, unreduced
from dispatchtorch.ops.reduce import _sum as sum_over
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.sizes import wrap_dim
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["amax", "amin", "aminmax", "argmax", "argmin", "refuse_empty", "select_back", "shared"]

MaxResult = return_types.make("max", "values", "indices")
MinResult = return_types.make("min", "values", "indices")
AminmaxResult = return_types.make("aminmax", "min", "max")


def refuse_empty(name: str, input: Tensor, dim: int) -> None:
    """Raises torch's error where a dimension without elements would be reduced by an op that has no identity."""
    shape = input._a.shape
    if shape and shape[dim] == 0:
        raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")


def _refuse_all_empty(name: str, input: Tensor) -> None:
    if 0 in input._a.shape:
        raise RuntimeError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with "
            "the 'dim' argument."
        )


def _refuse_complex(kernel: str, dtype: DType) -> None:
    if dtype.category == 3:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{dtype.legacy}'")


# --- the gradient of picking ------------------------------------------------------------------------------------------


@primitive(
    grad={"values": lambda g, index, dim: FUNCTIONS["gather"](g, dim, index)},
    node="ValueSelectingReductionBackward0",
)
def _select_back(values: Tensor, index: Tensor, dim: int, size: int) -> Tensor:
    """Returns zeros with ``values`` at ``index``, one place along ``dim`` for each."""
    ...


def select_back(g: Tensor, index: Tensor, shape: tuple[int, ...], dim: int, keepdim: bool) -> Tensor:
    """Returns the gradient of an op that picked one element along ``dim``."""
    if not shape:
        return g
    if not keepdim:
        g, index = g.unsqueeze(dim), index.unsqueeze(dim)
    return _select_back(g, index, dim, shape[dim])


def shared(g: Tensor, input: Tensor, out: Tensor, dims: tuple[int, ...] | None, keepdim: bool) -> Tensor:
    """Returns the gradient of an extreme, shared evenly among the elements that are equal to it."""
    shape = tuple(input._a.shape)
    g, out = unreduced(g, shape, dims, keepdim), unreduced(out, shape, dims, keepdim)
    hit = ((input == out) | ((input != input) & (out != out))).to(g._key.dtype)
    every = tuple(range(len(shape))) if dims is None else dims
    return hit * (g / sum_over(hit, every, True, hit._key.dtype))


# --- values -----------------------------------------------------------------------------------------------------------


@primitive(grad={"input": shared}, node="AmaxBackward0")
def _amax(input: Tensor, dims: tuple[int, ...] | None, keepdim: bool) -> Tensor:
    """Returns maxima over ``dims``."""
    ...


@primitive(grad={"input": shared}, node="AminBackward0")
def _amin(input: Tensor, dims: tuple[int, ...] | None, keepdim: bool) -> Tensor:
    """Returns minima over ``dims``."""
    ...


@primitive(grad={"input": lambda g, input, out: shared(g, input, out, None, False)}, node="MaxBackward1")
def _max_all(input: Tensor) -> Tensor:
    """Returns the maximum."""
    return _amax(input, None, False)


@primitive(grad={"input": lambda g, input, out: shared(g, input, out, None, False)}, node="MinBackward1")
def _min_all(input: Tensor) -> Tensor:
    """Returns the minimum."""
    return _amin(input, None, False)


def _extremes(name: str, kernel: str, input: Tensor, dim: Dims) -> tuple[int, ...] | None:
    _refuse_complex(kernel, input._key.dtype)
    dims = dims_of(dim, len(input._a.shape))
    if dims is None:
        _refuse_all_empty(name, input)
    for d in dims or ():
        refuse_empty(name, input, d)
    return dims


@composite(method=True, out=True, samples=reduced_samples(empty=False))
def amax(input: Tensor, dim: Dims = (), keepdim: bool = False) -> Tensor:
    """Returns maxima over ``dim``; ties share the gradient."""
    return _amax(input, _extremes("amax", "max_values_cpu", input, dim), keepdim)


@composite(method=True, out=True, samples=reduced_samples(empty=False))
def amin(input: Tensor, dim: Dims = (), keepdim: bool = False) -> Tensor:
    """Returns minima over ``dim``; ties share the gradient."""
    return _amin(input, _extremes("amin", "min_values_cpu", input, dim), keepdim)


# --- values and places ------------------------------------------------------------------------------------------------


def _pick_grad(g: Any, out: Any, input_shape: Any, dim: int, keepdim: bool) -> Tensor:
    return select_back(g[0], out[1], input_shape, dim, keepdim)


@primitive(grad={"input": _pick_grad}, node="MaxBackward0")
def _max_dim(input: Tensor, dim: int, keepdim: bool) -> Tensor:
    """Returns maxima along ``dim`` and their places."""
    ...


@primitive(grad={"input": _pick_grad}, node="MinBackward0")
def _min_dim(input: Tensor, dim: int, keepdim: bool) -> Tensor:
    """Returns minima along ``dim`` and their places."""
    ...


_COMBINATION = (
    "{name}() received an invalid combination of arguments - got ({given}), but expected one of:\n * (Tensor input, *, "
    "Tensor out = None)\n * (Tensor input, Tensor other, *, Tensor out = None)\n * (Tensor input, int dim, bool "
    "keepdim = False, *, tuple of Tensors out = None)\n"
)


def _refuse_number(name: str, input: Any, other: Any) -> NoReturn:
    if other is None:
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    kinds = ", ".join("Tensor" if isinstance(t, Tensor) else type(t).__name__ for t in (input, other))
    raise TypeError(_COMBINATION.format(name=name, given=kinds))


def _extreme(name: str, input: Tensor, dim: Any, keepdim: bool, other: Tensor | None) -> Any:
    if not isinstance(input, Tensor):
        _refuse_number(name, input, dim if other is None else other)
    binary = FUNCTIONS["maximum" if name == "max" else "minimum"]
    if other is not None or isinstance(dim, Tensor):
        return binary(input, dim if other is None else other)
    dtype = input._key.dtype
    if dim is None:
        _refuse_complex(f"{name}_all", dtype)
        _refuse_all_empty(name, input)
        return (_max_all if name == "max" else _min_all)(input)
    if not isinstance(dim, int):
        raise TypeError(_COMBINATION.format(name=name, given=f"Tensor, {type(dim).__name__}"))
    if dtype.category == 3:
        raise RuntimeError(f"{name}(): does not support complex input")
    front = wrap_dim(dim, len(input._a.shape))
    refuse_empty(name, input, front)
    op, result = (_max_dim, MaxResult) if name == "max" else (_min_dim, MinResult)
    return result(op(input, front, keepdim))


def _extreme_samples(make: Maker) -> Any:
    yield Sample((make(3, 4),))
    yield Sample((make(3, 4), 1))
    yield Sample((make(2, 3, 4), -2, True))
    yield Sample((make(3, 4), make(4)))
    yield Sample((make(), 0))


@composite(method=True, out=True, samples=_extreme_samples)
def max(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None) -> Any:
    """Returns the maximum; with ``dim`` (values, indices) along it; with another tensor the elementwise maximum.

    >>> torch.max(torch.tensor([[1.0, 5.0], [3.0, 2.0]]), 1)
    torch.return_types.max(
    values=tensor([5., 3.]),
    indices=tensor([1, 0]))
    """
    return _extreme("max", input, dim, keepdim, other)


@composite(method=True, out=True, samples=_extreme_samples)
def min(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None) -> Any:
    """Returns the minimum; with ``dim`` (values, indices) along it; with another tensor the elementwise minimum."""
    return _extreme("min", input, dim, keepdim, other)


def _aminmax_grad(g: Any, input: Tensor, out: Any, dims: Any, keepdim: bool) -> Tensor:
    low = shared(g[0], input, out[0], dims, keepdim)
    return low + shared(g[1], input, out[1], dims, keepdim)


@primitive(grad={"input": _aminmax_grad}, node="AminmaxBackward0")
def _aminmax(input: Tensor, dims: tuple[int, ...] | None, keepdim: bool) -> Tensor:
    """Returns minima and maxima over ``dims``."""
    return _amin(input, dims, keepdim), _amax(input, dims, keepdim)  # type: ignore[return-value]  # several outputs


@composite(method=True, out=True)
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """Returns (min, max) of all elements, or along ``dim``."""
    _refuse_complex("aminmax_cpu", input._key.dtype)
    if dim is None and 0 in input._a.shape:
        raise RuntimeError(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity."
        )
    dims = dims_of(dim, len(input._a.shape))
    for d in dims or ():
        if input._a.shape[d] == 0:
            raise IndexError(f"aminmax: Expected reduction dim {d} to have non-zero size.")
    return AminmaxResult(_aminmax(input, dims, keepdim))


# --- places -----------------------------------------------------------------------------------------------------------


@primitive()
def _argmax(input: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    """Returns places of maxima."""
    ...


@primitive()
def _argmin(input: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    """Returns places of minima."""
    ...


def _place_samples(make: Maker) -> Any:
    yield Sample((make(3, 4),))
    yield Sample((make(3, 4), 1))
    yield Sample((make(2, 3, 4), -2, True))
    yield Sample((make(2, 3, 4), None, True))
    yield Sample((make(), 0))


def _place(name: str, op: Any, input: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    dtype = input._key.dtype
    if dtype.category in (0, 3):
        raise RuntimeError(f"{name}(): does not support {'bool' if dtype.category == 0 else 'complex'} input")
    if dim is None:
        if not math.prod(input._a.shape):
            raise IndexError(f"{name}(): Expected reduction dim to be specified for input.numel() == 0.")
    else:
        dim = wrap_dim(dim, len(input._a.shape))
        refuse_empty(name, input, dim)
    return op(input, dim, keepdim)  # type: ignore[no-any-return]  # an entry of the table


@composite(method=True, out=True, samples=_place_samples)
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Returns where the maximum is, counted over all elements, or along ``dim``; of equal ones the first."""
    return _place("argmax", _argmax, input, dim, keepdim)


@composite(method=True, out=True, samples=_place_samples)
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Returns where the minimum is, counted over all elements, or along ``dim``; of equal ones the first."""
    return _place("argmin", _argmin, input, dim, keepdim)
