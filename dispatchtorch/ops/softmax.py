"""Normalised exponentials; the derivative is a primitive of its own, with a derivative over ops again."""

from __future__ import annotations

from typing import Any

from dispatchtorch._base.dtypes import DType
from dispatchtorch.dispatch.table import composite, primitive
from dispatchtorch.ops.reduce import _sum as sum_over
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.sizes import wrap_dim
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["log_softmax", "softmax"]


def _total(x: Tensor, dim: int) -> Tensor:
    return sum_over(x, (dim,), True, x._key.dtype) if x._a.shape else x


@primitive(grad={"input": lambda g, out, dim: _softmax_backward(g, out, dim)}, node="SoftmaxBackward0")
def _softmax(input: Tensor, dim: int) -> Tensor:
    """Returns exponentials over their sum along ``dim``."""
    ...


@primitive(
    grad={"input": lambda g, out, dim: _log_softmax_backward(g, out, dim)},
    node="LogSoftmaxBackward0",
)
def _log_softmax(input: Tensor, dim: int) -> Tensor:
    """Returns logarithms of exponentials over their sum along ``dim``."""
    ...


@primitive(
    grad={
        "gradient": lambda g, result, dim: _softmax_backward(g, result, dim),
        "result": lambda g, gradient, result, dim: (
            g * (gradient - _total(gradient * result, dim)) - gradient * _total(g * result, dim)
        ),
    },
    node="SoftmaxBackwardDataBackward0",
)
def _softmax_backward(gradient: Tensor, result: Tensor, dim: int) -> Tensor:
    """Returns ``result * (gradient - sum(gradient * result))``."""
    ...


@primitive(
    grad={
        "gradient": lambda g, result, dim: g - _total(g * result.exp(), dim),
        "result": lambda g, gradient, result, dim: -(g * result.exp() * _total(gradient, dim)),
    },
    node="LogSoftmaxBackwardDataBackward0",
)
def _log_softmax_backward(gradient: Tensor, result: Tensor, dim: int) -> Tensor:
    """Returns ``gradient - exp(result) * sum(gradient)``."""
    ...


def _samples(make: Maker) -> Any:
    yield Sample((make(3, 4), 1))
    yield Sample((make(2, 3, 4), 0))
    yield Sample((make(2, 3, 4), -2))
    yield Sample((make(), 0))


def _normalise(name: str, op: Any, input: Tensor, dim: int | None, dtype: DType | None) -> Tensor:
    if dim is None:
        raise TypeError(f'{name}() missing 1 required positional arguments: "dim"')
    if dtype is not None and input._key.dtype is not dtype:
        input = input.to(dtype)
    ndim = len(input._a.shape)
    dim = wrap_dim(dim, ndim)
    if input._key.dtype.category < 2:
        kernel = f"{name}_lastdim_kernel_impl" if dim == max(ndim - 1, 0) else f"{name}_kernel_impl"
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{input._key.dtype.legacy}'")
    return op(input, dim)  # type: ignore[no-any-return]  # an entry of the table


@composite(method=True, out=True, samples=_samples)
def softmax(input: Tensor, dim: int | None = None, dtype: DType | None = None) -> Tensor:
    """Returns exponentials over their sum along ``dim``, so that they add up to one.

    >>> torch.softmax(torch.tensor([0.0, 0.0]), 0)
    tensor([0.5000, 0.5000])
    """
    ndim = len(input._a.shape)
    if dtype is None and type(dim) is int and -ndim <= dim < ndim and input._key.dtype.category >= 2:
        return _softmax(input, dim if dim >= 0 else dim + ndim)
    return _normalise("softmax", _softmax, input, dim, dtype)


@composite(method=True, out=True, samples=_samples)
def log_softmax(input: Tensor, dim: int | None = None, dtype: DType | None = None) -> Tensor:
    """Returns the logarithms of `softmax`, accurate where that is near 0 or 1."""
    ndim = len(input._a.shape)
    if dtype is None and type(dim) is int and -ndim <= dim < ndim and input._key.dtype.category >= 2:
        return _log_softmax(input, dim if dim >= 0 else dim + ndim)
    return _normalise("log_softmax", _log_softmax, input, dim, dtype)
