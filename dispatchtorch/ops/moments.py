"""Variances and what is made of them: var, std, var_mean, std_mean, cov, corrcoef."""

from __future__ import annotations

import warnings
from typing import Any

from dispatchtorch._base.dtypes import get_default_dtype
from dispatchtorch.dispatch.table import FUNCTIONS, composite, primitive
from dispatchtorch.ops.reduce import _mean as mean_over
from dispatchtorch.ops.reduce import count_of, dims_of, unreduced
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["corrcoef", "cov", "std", "std_mean", "var", "var_mean"]

Number = int | float | complex | bool


def _var_grad(g: Tensor, input: Tensor, dims: Any, correction: float, keepdim: bool) -> Tensor:
    """Returns the gradient of a variance: twice the distance from the mean, over the degrees of freedom."""
    shape = tuple(input._a.shape)
    below = count_of(shape, dims) - correction
    g = unreduced(g, shape, dims, keepdim)
    every = tuple(range(len(shape))) if dims is None else dims
    off = input - mean_over(input, every, True)
    return g * off * (2.0 / below) if below > 0 else g * off * (2.0 * float("inf"))


def _std_grad(g: Tensor, input: Tensor, out: Tensor, dims: Any, correction: float, keepdim: bool) -> Tensor:
    half = FUNCTIONS["where"](out == 0, out.new_zeros(()), g / (out * 2))
    return _var_grad(half, input, dims, correction, keepdim)


def _mean_grad(g: Tensor, input: Tensor, dims: Any, keepdim: bool) -> Tensor:
    shape = tuple(input._a.shape)
    return unreduced(g, shape, dims, keepdim).expand(shape) / count_of(shape, dims)


@primitive(grad={"input": _var_grad}, node="VarBackward0")
def _var(input: Tensor, dims: tuple[int, ...] | None, correction: float, keepdim: bool) -> Tensor:
    """Returns variances over ``dims``."""
    ...


@primitive(grad={"input": _std_grad}, node="StdBackward0")
def _std(input: Tensor, dims: tuple[int, ...] | None, correction: float, keepdim: bool) -> Tensor:
    """Returns standard deviations over ``dims``."""
    ...


@primitive(
    grad={
        "input": lambda g, input, dims, correction, keepdim: (
            _var_grad(g[0], input, dims, correction, keepdim) + _mean_grad(g[1], input, dims, keepdim)
        )
    },
    node="VarMeanBackward0",
)
def _var_mean(input: Tensor, dims: tuple[int, ...] | None, correction: float, keepdim: bool) -> Tensor:
    """Returns variances and means over ``dims``."""
    ...


@primitive(
    grad={
        "input": lambda g, input, out, dims, correction, keepdim: (
            _std_grad(g[0], input, out[0], dims, correction, keepdim) + _mean_grad(g[1], input, dims, keepdim)
        )
    },
    node="StdMeanBackward0",
)
def _std_mean(input: Tensor, dims: tuple[int, ...] | None, correction: float, keepdim: bool) -> Tensor:
    """Returns standard deviations and means over ``dims``."""
    ...


def _spread(
    name: str, op: Any, input: Tensor, dim: Any, unbiased: bool | None, correction: float | None, keepdim: bool
) -> Any:
    """Returns what ``op`` gives, for torch's forms: ``(dim, unbiased, keepdim)``, ``(unbiased)`` and by correction."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if input._key.dtype.category < 2:
        which = "std and var" if name in ("var", "std") else name
        raise RuntimeError(f"{which} only support floating point and complex dtypes")
    if unbiased is not None and correction is not None:
        raise TypeError(
            f"{name}() received an invalid combination of arguments - unbiased and correction exclude each other"
        )
    dims = dims_of(dim, len(input._a.shape))
    less = (1 if unbiased is None or unbiased else 0) if correction is None else correction
    if count_of(input._a.shape, dims) - less <= 0:
        warnings.warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the reduction factor "
            "(input numel divided by output numel).",
            UserWarning,
            stacklevel=3,
        )
    return op(input, dims, less, keepdim)


def _samples(make: Maker) -> Any:
    yield Sample((make(3, 4),))
    yield Sample((make(3, 4), 1))
    yield Sample((make(2, 3, 4), (0, 2), False, True))
    yield Sample((make(3, 4),), {"dim": 0, "correction": 2})


@composite(method=True, out=True, samples=_samples)
def var(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Returns the variance: squares of distances from the mean, over the count less ``correction`` (1)."""
    return _spread("var", _var, input, dim, unbiased, correction, keepdim)  # type: ignore[no-any-return]  # one output


@composite(method=True, out=True, samples=_samples)
def std(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Returns the standard deviation, the root of the variance."""
    return _spread("std", _std, input, dim, unbiased, correction, keepdim)  # type: ignore[no-any-return]  # one output


@composite(samples=_samples)
def var_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Returns the variance and the mean."""
    return _spread("var_mean", _var_mean, input, dim, unbiased, correction, keepdim)  # type: ignore[no-any-return]  # two


@composite(samples=_samples)
def std_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Returns the standard deviation and the mean."""
    return _spread("std_mean", _std_mean, input, dim, unbiased, correction, keepdim)  # type: ignore[no-any-return]  # two


def _check_weights(rows: Tensor, fweights: Tensor | None, aweights: Tensor | None) -> None:
    """Raises torch's error for weights of observations that do not go with the columns."""
    count = int(rows._a.shape[1])
    kinds = (("fweights", fweights, "integral", 1), ("aweights", aweights, "floating point", 2))
    for name, weights, kind, category in kinds:
        if weights is None:
            continue
        if len(weights._a.shape) > 1:
            raise RuntimeError(
                f"cov(): expected {name} to have one or fewer dimensions but got {name} with {len(weights._a.shape)} "
                "dimensions"
            )
        if weights._key.dtype.category != category:
            raise RuntimeError(
                f"cov(): expected {name} to have {kind} dtype but got {name} with {weights._key.dtype.legacy} dtype"
            )
        if weights._a.size != count:
            raise RuntimeError(
                f"cov(): expected {name} to have the same numel as there are observations in the input but got "
                f"{weights._a.size} != {count}"
            )
        if count and bool((weights < 0).any()):
            raise RuntimeError(f"cov(): {name} cannot be negative")


@composite(method=True)
def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    """Returns the covariances of the rows of a matrix, whose columns are observations."""
    if len(input._a.shape) > 2:
        raise RuntimeError(
            "cov(): expected input to have two or fewer dimensions but got an input with "
            f"{len(input._a.shape)} dimensions"
        )
    if input._key.dtype.category == 0:
        raise RuntimeError("cov(): bool dtype is not supported for input")
    rows = input.reshape(1, -1) if len(input._a.shape) < 2 else input
    if rows._key.dtype.category < 2:
        rows = rows.to(get_default_dtype())
    _check_weights(rows, fweights, aweights)
    weights = fweights
    if aweights is not None:
        weights = aweights if weights is None else weights * aweights
    if weights is None:
        total: Any = rows._a.shape[1]
        off = rows - rows.mean(1, keepdim=True)
        scaled = off
    else:
        total = weights.sum()
        if rows._a.shape[1] and not bool(total != 0):
            raise RuntimeError("cov(): weights sum to zero, can't be normalized")
        off = rows - (rows * weights).sum(1, keepdim=True) / total
        scaled = off * weights
    below = total - correction
    if aweights is not None and correction:
        below = total - correction * (weights * aweights).sum() / total
    if isinstance(below, int) and below <= 0:
        warnings.warn(
            "cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of observations.",
            stacklevel=2,
        )
        below = 0
    other = off.t().conj() if off._key.dtype.category == 3 else off.t()
    return (scaled @ other / below).squeeze()  # type: ignore[no-any-return]  # methods arrive from the table


@composite(method=True)
def corrcoef(input: Tensor) -> Tensor:
    """Returns the correlations of the rows of a matrix, whose columns are observations."""
    together = FUNCTIONS["cov"](input)
    if not together._a.shape:
        return together / together  # type: ignore[no-any-return]  # an entry of the table
    scale = together.diagonal().sqrt()
    scaled = together / scale.unsqueeze(-1) / scale.unsqueeze(0)
    return scaled if scaled._key.dtype.category == 3 else scaled.clamp(-1, 1)  # type: ignore[no-any-return]  # as above
