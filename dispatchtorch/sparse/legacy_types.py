"""The old classes of sparse tensors: ``torch.sparse.FloatTensor(indices, values, size)`` and its kin."""

from __future__ import annotations

from typing import Any

from dispatchtorch._base import dtypes
from dispatchtorch._base.dtypes import DType
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.tensor.sparse import SparseTensor
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "BFloat16Tensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "HalfTensor", "IntTensor",
    "LongTensor", "ShortTensor",
]  # fmt: skip


class _SparseType(type):
    """A class that makes sparse tensors of one dtype and answers ``isinstance``."""

    dtype: DType

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, SparseTensor) and instance._key.dtype is cls.dtype

    def __call__(cls, *args: Any, device: Any = None) -> Tensor:
        """Returns a sparse tensor of indices, values and sizes, or an empty one of these sizes."""
        if len(args) >= 2 and isinstance(args[0], Tensor):
            if not isinstance(args[1], Tensor) or args[1]._key.dtype is not cls.dtype:
                raise TypeError(f"expected {cls.dtype} values for torch.sparse.{cls.__name__}")
            return FUNCTIONS["sparse_coo_tensor"](*args[:3], device=device)  # type: ignore[no-any-return]  # the table
        size = tuple(args[0]) if args and isinstance(args[0], (tuple, list)) else args or (0,)
        return FUNCTIONS["sparse_coo_tensor"](size, dtype=cls.dtype, device=device)  # type: ignore[no-any-return]  # as above


class FloatTensor(metaclass=_SparseType):
    """Sparse tensors of float32."""

    dtype = dtypes.float32


class DoubleTensor(metaclass=_SparseType):
    """Sparse tensors of float64."""

    dtype = dtypes.float64


class HalfTensor(metaclass=_SparseType):
    """Sparse tensors of float16."""

    dtype = dtypes.float16


class BFloat16Tensor(metaclass=_SparseType):
    """Sparse tensors of bfloat16."""

    dtype = dtypes.bfloat16


class LongTensor(metaclass=_SparseType):
    """Sparse tensors of int64."""

    dtype = dtypes.int64


class IntTensor(metaclass=_SparseType):
    """Sparse tensors of int32."""

    dtype = dtypes.int32


class ShortTensor(metaclass=_SparseType):
    """Sparse tensors of int16."""

    dtype = dtypes.int16


class CharTensor(metaclass=_SparseType):
    """Sparse tensors of int8."""

    dtype = dtypes.int8


class ByteTensor(metaclass=_SparseType):
    """Sparse tensors of uint8."""

    dtype = dtypes.uint8
