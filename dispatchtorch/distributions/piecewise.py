"""Transforms of parts of a tensor, and of numbers into their share of a distribution.

Knows distributions by what every one of them has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispatchtorch.distributions import constraints
from dispatchtorch.distributions.distribution import Distribution
from dispatchtorch.distributions.table import ops
from dispatchtorch.distributions.transforming import Transform
from dispatchtorch.distributions.utils import _sum_rightmost, lazy_property
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["CatTransform", "CumulativeDistributionTransform", "StackTransform"]


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise AssertionError(sentence)


class CatTransform(Transform):
    """Transforms of runs along one dimension, of given ``lengths``, each with its own."""

    transforms: list[Transform]

    def __init__(
        self, tseq: Sequence[Transform], dim: int = 0, lengths: Sequence[int] | None = None, cache_size: int = 0
    ) -> None:
        _require(all(isinstance(t, Transform) for t in tseq), "All elements of tseq must be Transform instances")
        if cache_size:
            tseq = [t.with_cache(cache_size) for t in tseq]
        super().__init__(cache_size=cache_size)
        self.transforms = list(tseq)
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        _require(
            len(self.lengths) == len(self.transforms),
            f"lengths ({len(self.lengths)}) must match transforms ({len(self.transforms)})",
        )
        self.dim = dim

    @lazy_property
    def event_dim(self) -> int:
        return max(t.event_dim for t in self.transforms)

    @lazy_property
    def length(self) -> int:
        return sum(self.lengths)

    def with_cache(self, cache_size: int = 1) -> Transform:
        if self._cache_size == cache_size:
            return self
        return CatTransform(self.transforms, self.dim, self.lengths, cache_size)

    def _runs(self, value: Tensor, name: str, whose: str = "tensor") -> list[Tensor]:
        _require(
            -value.dim() <= self.dim < value.dim(),
            f"dim {self.dim} out of range for {whose} with {value.dim()} dimensions",
        )
        size = value.size(self.dim)
        _require(size == self.length, f"{name}.size({self.dim}) = {size} must equal length {self.length}")
        starts = [sum(self.lengths[:i]) for i in range(len(self.lengths))]
        return [value.narrow(self.dim, start, length) for start, length in zip(starts, self.lengths)]

    def _call(self, x: Tensor) -> Tensor:
        return ops.cat([t(part) for t, part in zip(self.transforms, self._runs(x, "x"))], dim=self.dim)

    def _inverse(self, y: Tensor) -> Tensor:
        return ops.cat([t.inv(part) for t, part in zip(self.transforms, self._runs(y, "y"))], dim=self.dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        logs = []
        for t, a, b in zip(self.transforms, self._runs(x, "x", "x"), self._runs(y, "y", "y")):
            log = t.log_abs_det_jacobian(a, b)
            logs.append(_sum_rightmost(log, self.event_dim - t.event_dim) if t.event_dim < self.event_dim else log)
        dim = self.dim - x.dim() if self.dim >= 0 else self.dim
        dim += self.event_dim
        return ops.cat(logs, dim=dim) if dim < 0 else sum(logs[1:], logs[0])

    @property
    def bijective(self) -> Any:
        return all(t.bijective for t in self.transforms)

    @constraints.dependent_property
    def domain(self) -> Any:
        return constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)

    @constraints.dependent_property
    def codomain(self) -> Any:
        return constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths)


class StackTransform(Transform):
    """Transforms of slices along one dimension, each with its own."""

    transforms: list[Transform]

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, cache_size: int = 0) -> None:
        _require(all(isinstance(t, Transform) for t in tseq), "All elements of tseq must be Transform instances")
        if cache_size:
            tseq = [t.with_cache(cache_size) for t in tseq]
        super().__init__(cache_size=cache_size)
        self.transforms = list(tseq)
        self.dim = dim

    def with_cache(self, cache_size: int = 1) -> Transform:
        return self if self._cache_size == cache_size else StackTransform(self.transforms, self.dim, cache_size)

    def _slices(self, value: Tensor, name: str, whose: str = "tensor") -> list[Tensor]:
        _require(
            -value.dim() <= self.dim < value.dim(),
            f"dim {self.dim} out of range for {whose} with {value.dim()} dimensions",
        )
        size, count = value.size(self.dim), len(self.transforms)
        _require(size == count, f"{name}.size({self.dim}) = {size} must equal len(transforms) {count}")
        return [value.select(self.dim, i) for i in range(size)]

    def _call(self, x: Tensor) -> Tensor:
        return ops.stack([t(part) for part, t in zip(self._slices(x, "x"), self.transforms)], dim=self.dim)

    def _inverse(self, y: Tensor) -> Tensor:
        return ops.stack([t.inv(part) for part, t in zip(self._slices(y, "y"), self.transforms)], dim=self.dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        pairs = zip(self._slices(x, "x", "x"), self._slices(y, "y", "y"))
        logs = [t.log_abs_det_jacobian(a, b) for (a, b), t in zip(pairs, self.transforms)]
        return ops.stack(logs, dim=self.dim)

    @property
    def bijective(self) -> Any:
        return all(t.bijective for t in self.transforms)

    @constraints.dependent_property
    def domain(self) -> Any:
        return constraints.stack([t.domain for t in self.transforms], self.dim)

    @constraints.dependent_property
    def codomain(self) -> Any:
        return constraints.stack([t.codomain for t in self.transforms], self.dim)


class CumulativeDistributionTransform(Transform):
    """From a distribution's values to their cumulative probability."""

    bijective = True
    codomain = constraints.unit_interval
    sign = +1

    def __init__(self, distribution: Distribution, cache_size: int = 0) -> None:
        super().__init__(cache_size=cache_size)
        self.distribution = distribution

    @property
    def domain(self) -> Any:
        return self.distribution.support

    def _call(self, x: Tensor) -> Tensor:
        return self.distribution.cdf(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.distribution.log_prob(x)

    def with_cache(self, cache_size: int = 1) -> Transform:
        if self._cache_size == cache_size:
            return self
        return CumulativeDistributionTransform(self.distribution, cache_size=cache_size)
