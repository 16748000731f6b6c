"""A layer and the batch norm behind it made one layer, for inference."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.nn.modules.module import Module
from dispatchtorch.tensor.tensor import Parameter, Tensor

__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]

M = TypeVar("M", bound=Module)


def _like(name: str, t: Tensor) -> Tensor:
    return FUNCTIONS[name](t)  # type: ignore[no-any-return]  # a function of the table


def _copied(layer: M, bn: Any) -> M:
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    return copy.deepcopy(layer)


def _check_statistics(bn: Any) -> None:
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")


def fuse_conv_bn_eval(conv: M, bn: Module, transpose: bool = False) -> M:
    """Returns a new convolution that does what ``conv`` and then ``bn`` do; both must be in evaluation mode."""
    fused: Any = _copied(conv, bn)
    _check_statistics(bn)
    statistics: Any = bn
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, statistics.running_mean, statistics.running_var, statistics.eps,
        statistics.weight, statistics.bias, transpose,
    )  # fmt: skip
    return fused  # type: ignore[no-any-return]  # a copy of what was given


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Returns weight and bias of a convolution that has the batch norm in it."""
    bias_dtype = conv_w.dtype if conv_b is None else conv_b.dtype
    bias = _like("zeros_like", bn_rm) if conv_b is None else conv_b
    gain = _like("ones_like", bn_rm) if bn_w is None else bn_w
    shift = _like("zeros_like", bn_rm) if bn_b is None else bn_b
    scale = (bn_rv + bn_eps).rsqrt()
    shape = [1] * conv_w.dim()
    shape[1 if transpose else 0] = -1
    weight = (conv_w * (gain * scale).reshape(shape)).to(dtype=conv_w.dtype)
    moved = ((bias - bn_rm) * scale * gain + shift).to(dtype=bias_dtype)
    return Parameter(weight, conv_w.requires_grad), Parameter(moved, bias.requires_grad)


def fuse_linear_bn_eval(linear: M, bn: Module) -> M:
    """Returns a new linear layer that does what ``linear`` and then ``bn`` do; both must be in evaluation mode."""
    fused: Any = _copied(linear, bn)
    norm: Any = bn
    if norm.num_features not in (fused.out_features, 1):
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got linear.out_features="
            f"{fused.out_features} and bn.num_features={norm.num_features}"
        )
    _check_statistics(bn)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        fused.weight, fused.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    return fused  # type: ignore[no-any-return]  # a copy of what was given


def fuse_linear_bn_weights(
    linear_w: Tensor, linear_b: Tensor | None, bn_rm: Tensor, bn_rv: Tensor, bn_eps: float, bn_w: Tensor, bn_b: Tensor
) -> tuple[Parameter, Parameter]:
    """Returns weight and bias of a linear layer that has the batch norm in it."""
    bias_dtype = linear_w.dtype if linear_b is None else linear_b.dtype
    bias = _like("zeros_like", bn_rm) if linear_b is None else linear_b
    scale = bn_w * (bn_rv + bn_eps).rsqrt()
    weight = linear_w * scale.unsqueeze(-1).to(dtype=linear_w.dtype)
    moved = ((bias - bn_rm) * scale + bn_b).to(dtype=bias_dtype)
    return Parameter(weight, linear_w.requires_grad), Parameter(moved, bias.requires_grad)
