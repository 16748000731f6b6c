"""Dropout as modules: active in training, nothing in evaluation."""

from __future__ import annotations

from dispatchtorch.nn.functional import dropping as F
from dispatchtorch.nn.modules.module import Module
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]


class _DropoutNd(Module):
    p: float
    inplace: bool

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        """Returns the probability."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
    """Zeroes elements with probability ``p``."""

    def forward(self, input: Tensor) -> Tensor:
        """Returns the input with elements dropped, in training."""
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_DropoutNd):
    """Zeroes whole channels of (N, C, L) with probability ``p``."""

    def forward(self, input: Tensor) -> Tensor:
        """Returns the input with channels dropped, in training."""
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_DropoutNd):
    """Zeroes whole channels of (N, C, H, W) with probability ``p``."""

    def forward(self, input: Tensor) -> Tensor:
        """Returns the input with channels dropped, in training."""
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_DropoutNd):
    """Zeroes whole channels of (N, C, D, H, W) with probability ``p``."""

    def forward(self, input: Tensor) -> Tensor:
        """Returns the input with channels dropped, in training."""
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_DropoutNd):
    """Dropout for selu networks: mean and variance stay."""

    def forward(self, input: Tensor) -> Tensor:
        """Returns the input with elements saturated, in training."""
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_DropoutNd):
    """Channel dropout for selu networks."""

    def forward(self, input: Tensor) -> Tensor:
        """Returns the input with channels saturated, in training."""
        return F.feature_alpha_dropout(input, self.p, self.training)
