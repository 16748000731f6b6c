"""``torch.ops.aten``: the table's ops by the names that PyTorch gives them below its public functions.

``torch.ops.aten.add`` and ``torch.ops.aten.add.Tensor`` are the public function of that name; what has no public one
stands here. An overload's name picks nothing: one function serves all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from dispatchtorch._base.dtypes import DType
from dispatchtorch.dispatch.custom import OPS, OpNamespace
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS
from dispatchtorch.ops.matrices import LINALG
from dispatchtorch.ops.pieces import slice_
from dispatchtorch.ops.pool import _max_pool_backward
from dispatchtorch.ops.pooling import max_pool
from dispatchtorch.ops.resample import resample
from dispatchtorch.ops.softmax import _log_softmax_backward, _softmax_backward
from dispatchtorch.tensor.sizes import wrap_dim
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["AtenOp", "AtenOps"]

Ints = int | Sequence[int]


class AtenOp:
    """A function that also answers to the names of its overloads."""

    def __init__(self, name: str, function: Callable[..., Any], overload: str = "") -> None:
        self._name, self._overload = name, overload
        self._function = function
        self.__name__ = f"{name}.{overload}" if overload else name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if "self" in kwargs:  # PyTorch's word for the first argument below its public functions
            args = (kwargs.pop("self"), *args)
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<OpOverload(op='aten.{self._name}', overload='{self._overload}')>" if self._overload else self._shown()

    def _shown(self) -> str:
        return f"<OpOverloadPacket(op='aten.{self._name}')>"

    def __str__(self) -> str:
        return f"aten.{self.__name__}"

    def __getattr__(self, overload: str) -> AtenOp:
        """Returns the op by the name of one of its overloads."""
        if self._overload or overload.startswith("_"):
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{overload}'")
        found = AtenOp(self._name, self._function, overload)
        setattr(self, overload, found)
        return found

    def overloads(self) -> list[str]:
        """Returns the names of the overloads that have been asked for; every name is one."""
        return [name for name, value in vars(self).items() if isinstance(value, AtenOp)] or ["default"]


class AtenOps(OpNamespace):
    """The namespace: an op is made when it is first named."""

    def __init__(self, extra: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__("aten")
        self._extra = extra

    def __getattr__(self, name: str) -> AtenOp:
        if name.startswith("__"):
            raise AttributeError(name)
        found = self._extra.get(name) or FUNCTIONS.get(name) or METHODS.get(name)
        if found is None and name.startswith("linalg_"):
            found = LINALG.get(name.removeprefix("linalg_"))
        if found is None:
            raise AttributeError(f"'_OpNamespace' 'aten' object has no attribute '{name}'")
        made = AtenOp(name, found)
        setattr(self, name, made)
        return made


def _pair(value: Ints) -> tuple[int, int]:
    values = (value,) if isinstance(value, int) else tuple(value)
    return (values[0], values[-1])


def _slice(input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    return slice_(input, dim, start, end, step)


def _native_dropout_backward(grad_output: Tensor, mask: Tensor, scale: float) -> Tensor:
    return grad_output * (mask.to(grad_output._key.dtype) * scale)


def _softmax_data(grad_output: Tensor, output: Tensor, dim: int, input_dtype: DType) -> Tensor:
    return _softmax_backward(grad_output, output, wrap_dim(dim, output.ndim)).to(input_dtype)


def _log_softmax_data(grad_output: Tensor, output: Tensor, dim: int, input_dtype: DType) -> Tensor:
    return _log_softmax_backward(grad_output, output, wrap_dim(dim, output.ndim)).to(input_dtype)


def _max_pool2d(
    input: Tensor, kernel_size: Ints, stride: Ints = (), padding: Ints = 0, dilation: Ints = 1, ceil_mode: bool = False
) -> tuple[Tensor, Tensor]:
    return max_pool(2, input, kernel_size, stride or None, padding, dilation, ceil_mode)


def _max_pool2d_backward(
    grad_output: Tensor,
    input: Tensor,
    kernel_size: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    ceil_mode: bool,
    indices: Tensor,
) -> Tensor:
    kernel, stride = _pair(kernel_size), _pair(stride or kernel_size)
    sizes = tuple(map(int, input.shape[-2:]))
    out = _max_pool_backward(grad_output, indices, sizes, kernel, stride, _pair(padding), _pair(dilation))
    return out + FUNCTIONS["fill"](input, 0) if input._key.requires else out  # a derivative by the input: zero


def _bilinear_aa(
    input: Tensor,
    output_size: Sequence[int] | None,
    align_corners: bool,
    scale_factors: Sequence[float] | float | None = None,
    scales_w: float | None = None,
    *,
    scales_h: float | None = None,
) -> Tensor:
    scales: tuple[float | None, ...] = (scales_h, scales_w)
    if isinstance(scale_factors, (int, float)):  # the overload that has the scales one by one
        scales = (scale_factors, scales_w)
    elif scale_factors is not None:
        scales = tuple(scale_factors)
    if output_size is None:
        output_size = [int(n * s) for n, s in zip(input.shape[-2:], scales, strict=True) if s is not None]
    return resample(input, tuple(output_size), "linear", align_corners, scales, True)


EXTRA: Final[dict[str, Callable[..., Any]]] = {
    "slice": _slice,
    "native_dropout_backward": _native_dropout_backward,
    "_softmax_backward_data": _softmax_data,
    "_log_softmax_backward_data": _log_softmax_data,
    "max_pool2d_with_indices": _max_pool2d,
    "max_pool2d_with_indices_backward": _max_pool2d_backward,
    "_upsample_bilinear2d_aa": _bilinear_aa,
}

OPS.give_namespace("aten", AtenOps(EXTRA))
