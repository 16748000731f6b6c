"""The raw arrays of a level: a tensor of the backend below, and whether its first dimension is the level's."""

from __future__ import annotations

from math import prod
from typing import Any

from dispatchtorch._base.dtypes import DType
from dispatchtorch.batching.errors import NO_DATA, DataDependentError
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["Batched"]


class Batched:
    """A tensor with the level's dimension in front, or one that is the same for every example.

    It has as much of an array's ways as views through lenses ask for; ``shape`` is what one example sees.
    """

    __slots__ = ("batched", "inner", "shape")

    def __init__(self, inner: Tensor, batched: bool) -> None:
        shape = tuple(inner._a.shape)
        self.inner = inner
        self.batched = batched
        self.shape: tuple[int, ...] = shape[1:] if batched else shape

    @property
    def ndim(self) -> int:
        """Returns the number of dimensions that one example sees."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Returns the number of elements of one example."""
        return prod(self.shape)

    @property
    def dtype(self) -> DType:
        """Returns the element type."""
        return self.inner._key.dtype

    @property
    def itemsize(self) -> int:
        """Returns the size of an element in bytes."""
        return self.inner._key.dtype.itemsize

    def astype(self, dtype: DType) -> Batched:
        """Returns the values in another dtype."""
        return Batched(self.inner.to(dtype), self.batched)

    def __getitem__(self, index: Any) -> Batched:
        where = index if isinstance(index, tuple) else (index,)
        return Batched(self.inner[(slice(None), *where) if self.batched else where], self.batched)

    def _unknown(self, *args: Any) -> Any:
        """Raises DataDependentError: a check of values is left out, as where a library only traces."""
        raise DataDependentError(NO_DATA)

    all = any = min = max = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __array__ = _unknown

    def __add__(self, other: Any) -> Batched:
        if isinstance(other, Batched):
            assert self.batched is other.batched  # positions and parts of one array
            return Batched(self.inner + other.inner, self.batched)
        return Batched(self.inner + other, self.batched)

    def __rmul__(self, number: Any) -> Batched:
        return Batched(self.inner * number, self.batched)
