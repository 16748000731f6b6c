"""Normalisation with running statistics: batch norm, and what it shares with instance norm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dispatchtorch._base.dtypes import int64
from dispatchtorch.autograd.grad_mode import no_grad
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.nn import init
from dispatchtorch.nn.factory import empty_parameter, filled
from dispatchtorch.nn.functional import normalization as F
from dispatchtorch.nn.modules.lazy import LazyModuleMixin
from dispatchtorch.nn.modules.module import Module
from dispatchtorch.nn.parameter import UninitializedBuffer, UninitializedParameter
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "LazyBatchNorm1d", "LazyBatchNorm2d", "LazyBatchNorm3d",
    "SyncBatchNorm",
]  # fmt: skip


class _NormBase(Module):
    _version = 2
    num_features: int
    weight: Tensor | None
    bias: Tensor | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            made = empty_parameter(num_features, device=device, dtype=dtype) if wanted else None
            self.register_parameter(name, made)
        track = track_running_stats
        self.register_buffer(
            "running_mean", filled("zeros", num_features, device=device, dtype=dtype) if track else None
        )
        self.register_buffer("running_var", filled("ones", num_features, device=device, dtype=dtype) if track else None)
        self.register_buffer("num_batches_tracked", filled("zeros", (), dtype=int64, device=device) if track else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Sets the running statistics to those of a standard distribution."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Sets weights to one, biases to zero, and the statistics back."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_input_dim(self, input: Tensor) -> None:
        raise NotImplementedError

    def extra_repr(self) -> str:
        """Returns the sizes and flags."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *rest: Any
    ) -> None:
        version = local_metadata.get("version")
        if (version is None or version < 2) and self.track_running_stats:
            key = prefix + "num_batches_tracked"  # checkpoints older than this counter
            state_dict.setdefault(key, filled("zeros", (), dtype=int64))
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class _BatchNorm(_NormBase):
    def forward(self, input: Tensor) -> Tensor:
        """Returns the normalised input; in training the running statistics follow the batch's."""
        self._check_input_dim(input)
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                momentum = 1.0 / float(self.num_batches_tracked)
        batch = self.training or (self.running_mean is None and self.running_var is None)
        keep = not self.training or self.track_running_stats
        means, variances = (self.running_mean, self.running_var) if keep else (None, None)
        return self._normalized(input, means, variances, batch, momentum)

    def _normalized(
        self, input: Tensor, means: Tensor | None, variances: Tensor | None, batch: bool, momentum: float
    ) -> Tensor:
        return F.batch_norm(input, means, variances, self.weight, self.bias, batch, momentum, self.eps)


class BatchNorm1d(_BatchNorm):
    """Batch norm of (N, C) or (N, C, L)."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in (2, 3):
            raise ValueError(f"expected 2D or 3D input (got {input.dim()}D input)")


class BatchNorm2d(_BatchNorm):
    """Batch norm of (N, C, H, W)."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() != 4:
            raise ValueError(f"expected 4D input (got {input.dim()}D input)")


class BatchNorm3d(_BatchNorm):
    """Batch norm of (N, C, D, H, W)."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() != 5:
            raise ValueError(f"expected 5D input (got {input.dim()}D input)")


Summing = Callable[[Tensor], Tensor]
_answer: Callable[[Any], Summing | None] | None = None


def when_asked_for_sums(answer: Callable[[Any], Summing | None]) -> None:
    """Says who adds up tensors of a group's processes, None for a group of one; rooms above this one call it."""
    global _answer
    _answer = answer


class SyncBatchNorm(_BatchNorm):
    """Batch norm over the batches of all processes of a group, those of the world for None."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _normalized(
        self, input: Tensor, means: Tensor | None, variances: Tensor | None, batch: bool, momentum: float
    ) -> Tensor:
        summed = _answer(self.process_group) if _answer is not None and batch and self.training else None
        if summed is None:
            return super()._normalized(input, means, variances, batch, momentum)
        dims = [dim for dim in range(input.dim()) if dim != 1]
        spread = [1, -1, *(1,) * (input.dim() - 2)]
        wide = input if input.dtype.itemsize >= 4 else input.float()
        own = wide.sum(dims)
        totals = summed(FUNCTIONS["cat"]([own, own.new_full((1,), input.numel() // input.size(1))]))
        count = totals[-1].detach()
        mean = totals[:-1] / count
        centred = wide - mean.reshape(spread)
        variance = summed(centred.square().sum(dims)) / count
        with no_grad():
            for running, value in ((means, mean), (variances, variance * count / (count - 1))):
                if running is not None:
                    running.lerp_(value.to(running.dtype), momentum)
        out = centred * (variance + self.eps).rsqrt().reshape(spread)
        if self.weight is not None:
            out = out * self.weight.reshape(spread)
        if self.bias is not None:
            out = out + self.bias.reshape(spread)
        return out.to(input.dtype)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")
        if input.size(1) == 0:
            raise ValueError("SyncBatchNorm number of input channels should be non-zero")

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """Returns the module with every batch norm in it made one of this class, with the same parameters."""
        made: Module = module
        if isinstance(module, _BatchNorm):
            one = SyncBatchNorm(
                module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats,
                process_group, bias=module.bias is not None,
            )  # fmt: skip
            if module.affine:
                one.weight, one.bias = module.weight, module.bias
            one.running_mean, one.running_var = module.running_mean, module.running_var
            one.num_batches_tracked, one.training = module.num_batches_tracked, module.training
            made = one
        for name, child in module.named_children():
            made.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return made


class _LazyNormBase(LazyModuleMixin, _NormBase):
    """A norm that learns the number of features from its first input."""

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, False, False, device, dtype, bias=False)
        self.affine = affine
        self.track_running_stats = track_running_stats
        if affine:
            self.weight = UninitializedParameter(device=device, dtype=dtype)
            if bias:
                self.bias = UninitializedParameter(device=device, dtype=dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)
            self.num_batches_tracked = filled("zeros", (), dtype=int64, device=device)

    def reset_parameters(self) -> None:
        """Fills parameters and statistics, once they are there."""
        if not self.has_uninitialized_params() and self.num_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        """Makes and fills parameters and statistics for the channels of an input."""
        if self.has_uninitialized_params():
            self.num_features = input.shape[1]
            for member in (self.weight, self.bias, self.running_mean, self.running_var):
                if member is not None:
                    member.materialize((self.num_features,))  # type: ignore[attr-defined]  # all of them are lazy
            self.reset_parameters()


class LazyBatchNorm1d(_LazyNormBase, BatchNorm1d):
    """`BatchNorm1d` that learns ``num_features`` from its first input."""

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyNormBase, BatchNorm2d):
    """`BatchNorm2d` that learns ``num_features`` from its first input."""

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyNormBase, BatchNorm3d):
    """`BatchNorm3d` that learns ``num_features`` from its first input."""

    cls_to_become = BatchNorm3d
