"""Reductions."""

from __future__ import annotations

from dispatchtorch._base.dtypes import DType, int64
from dispatchtorch.dispatch.table import composite, primitive
from dispatchtorch.tensor.sizes import wrap_dims
from dispatchtorch.tensor.tensor import Tensor


@primitive(grad={"input": lambda g, input_shape, dims, keepdim: spread(g, input_shape, dims, keepdim)},
   node=lambda node: "SumBackward0" if len(node.saved[1] or ()) == 0 else "SumBackward1")
def _sum(input: Tensor, dims: tuple[int, ...], keepdim: bool, dtype: DType) -> Tensor:
    """Returns sums over ``dims``."""
    ...


def spread(g: Tensor, shape: tuple[int, ...], dims: tuple[int, ...], keepdim: bool) -> Tensor:
    """Returns the gradient of a reduction laid over the reduced dims."""
    if not keepdim:
        kept = [1 if d in dims else n for d, n in enumerate(shape)]
        g = g.reshape(kept)
    return g.expand(shape)


@composite(method=True, out=True)
def sum(input: Tensor, dim: int | tuple[int, ...] | None = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """Returns the sum."""
    ndim = len(input._a.shape)
    dims = tuple(range(ndim)) if dim is None or dim == () else wrap_dims(dim, ndim)
    kind = dtype or (int64 if input._key.dtype.category < 2 else input._key.dtype)
    return _sum(input, dims, keepdim, kind)
