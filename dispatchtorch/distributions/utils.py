"""torch.distributions.utils: broadcasting of parameters, logits and probabilities, lazy attributes, packed triangles.

Must not know: which distributions there are. The name is torch's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Generic, TypeVar

from dispatchtorch._base.dtypes import get_default_dtype
from dispatchtorch._base.limits import finfo
from dispatchtorch.autograd.grad_mode import enable_grad
from dispatchtorch.distributions.table import Shape, ops
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "broadcast_all", "clamp_probs", "lazy_property", "logits_to_probs", "probs_to_logits", "tril_matrix_to_vec",
    "vec_to_tril_matrix",
]  # fmt: skip

euler_constant = 0.57721566490153286060


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor) or hasattr(value, "__torch_function__")


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Returns the values as tensors of one shape; numbers get the dtype of the first tensor, else the default.

    >>> import dispatchtorch as torch
    >>> torch.distributions.utils.broadcast_all(1.0, torch.zeros(2))
    (tensor([1., 1.]), tensor([0., 0.]))
    """
    if not all(_is_tensor(v) or isinstance(v, (int, float, complex)) for v in values):
        raise ValueError(
            "Input arguments must all be instances of Number, torch.Tensor or objects implementing __torch_function__."
        )
    first = next((v for v in values if _is_tensor(v)), None)
    if first is None:
        return tuple(ops.tensor(v, dtype=get_default_dtype()) for v in values)
    made = [v if _is_tensor(v) else ops.tensor(v, dtype=first.dtype, device=first.device) for v in values]
    return tuple(ops.broadcast_tensors(*made))


def _standard_normal(shape: Shape, like: Tensor) -> Tensor:
    """Returns standard normal numbers of a shape, of the dtype, device and library of ``like``."""
    return like.new_empty(shape).normal_()


def _sum_rightmost(value: Tensor, dim: int) -> Tensor:
    """Returns the sum over the last ``dim`` dimensions."""
    if dim == 0:
        return value
    return value.reshape((*value.shape[: len(value.shape) - dim], -1)).sum(-1)


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Returns probabilities from log odds (binary) or from unnormalised log probabilities along the last dimension."""
    return ops.sigmoid(logits) if is_binary else ops.softmax(logits, dim=-1)


def clamp_probs(probs: Tensor) -> Tensor:
    """Returns probabilities kept off 0 and 1 by the dtype's epsilon."""
    eps = finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """Returns log odds (binary) or log probabilities."""
    inside = clamp_probs(probs)
    return ops.log(inside) - ops.log1p(-inside) if is_binary else ops.log(inside)


R = TypeVar("R", covariant=True)


class lazy_property(Generic[R]):
    """An attribute computed when first read and kept in the instance from then on."""

    def __init__(self, wrapped: Callable[[Any], R]) -> None:
        self.wrapped = wrapped
        update_wrapper(self, wrapped)  # type: ignore[arg-type]  # takes any object

    def __get__(self, instance: Any, obj_type: Any = None) -> R:
        if instance is None:
            return _lazy_property_and_property(self.wrapped)  # type: ignore[return-value]  # seen from the class
        with enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value


class _lazy_property_and_property(lazy_property[Any], property):
    """What a lazy attribute looks like from its class: both kinds of property."""

    def __init__(self, wrapped: Callable[[Any], Any]) -> None:
        property.__init__(self, wrapped)


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """Returns the lower triangle's elements in row order; ``diag`` as in `torch.tril`."""
    n = mat.shape[-1]
    if diag < -n or diag >= n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    rows, columns = ops.tril_indices(n, n, diag, device=mat.device)
    return mat[..., rows, columns]


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """Returns square matrices with the vector's elements in row order in the lower triangle, zeros elsewhere."""
    length = vec.shape[-1]
    n = (-(1 + 2 * diag) + ((1 + 2 * diag) ** 2 + 8 * length + 4 * abs(diag) * (diag + 1)) ** 0.5) / 2
    if not round(n) - n <= finfo(vec.dtype).eps:
        raise ValueError(
            f"The size of last dimension is {length} which cannot be expressed as "
            "the lower triangular part of a square D x D matrix."
        )
    size = round(n)
    rows, columns = ops.tril_indices(size, size, diag, device=vec.device)
    matrix = vec.new_zeros((*vec.shape[:-1], size, size))
    matrix[..., rows, columns] = vec
    return matrix
