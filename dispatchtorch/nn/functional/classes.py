"""A linear layer and its cross entropy in one call."""

from __future__ import annotations

import math
import warnings
from typing import Any

from dispatchtorch._base.dtypes import int64
from dispatchtorch.nn.functional.loss import cross_entropy
from dispatchtorch.ops.chunked_loss import linear_cross_entropy_rows
from dispatchtorch.ops.matmul import _linear
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["linear_cross_entropy"]


def _check(input: Tensor, linear_weight: Tensor, linear_bias: Tensor | None) -> None:
    if input.dim() < 1 or input.dim() > 2:
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.dim()}")
    if linear_weight.dim() < 2:
        raise RuntimeError(f"expected linear_weight with dimensionality at least 2, got {linear_weight.dim()}")
    if input.shape[-1] != linear_weight.shape[-1]:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), "
            f"got {input.shape[-1]} and {linear_weight.shape[-1]}, respectively"
        )
    wanted = tuple(linear_weight.shape[:-1])
    if linear_bias is not None and tuple(linear_bias.shape) != wanted:
        raise RuntimeError(f"expected linear_bias shape {wanted}, got {tuple(linear_bias.shape)}")
    if len(wanted) > 1 and input.dim() == 1:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} requires batched input, "
            f"(N, {input.shape[-1]}), got unbatched input with shape {tuple(input.shape)}"
        )


def _chunk(options: Any, rows: int, features: int, classes: int) -> int:
    """Returns how many rows are worked on at a time."""
    method, given = options.chunking_method, options.batch_chunk_size
    if method == "auto":
        method = None if given is not None else "aspect_ratio:2"
    if method is None:
        return min(given or rows, rows)
    factor = int(method.partition(":")[2] or 1)
    target = -(-rows // max(-(-classes // max(features, 1)), 1))
    found = max(min((1 << max(target - 1, 0).bit_length()) // factor, rows), 1)
    if given is not None and given != found:
        raise ValueError(f"batch_chunk_size={given} and chunking_method={method!r} (which gives {found}) disagree")
    return found


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """Returns the cross entropy of ``input @ linear_weight.T + linear_bias`` with the target.

    ``input`` is (N, features) or (features), ``linear_weight`` (C, ..., features). With
    `torch.nn.LinearCrossEntropyOptions` rows are worked on in chunks and all logits are never there at once.
    """
    _check(input, linear_weight, linear_bias)
    classes, *outs = (int(n) for n in linear_weight.shape[:-1])
    features = int(input.shape[-1])
    logits_shape = (*input.shape[:-1], classes, *outs)
    if tuple(target.shape) == logits_shape and ignore_index is not None:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    ignored = -100 if ignore_index is None else ignore_index
    if options is not None:
        plain = reduction in ("mean", "sum", "none") and label_smoothing == 0.0 and target.dtype is int64 and not outs
        if plain:
            rows = input if input.dim() == 2 else input.unsqueeze(0)
            labels = target if input.dim() == 2 else target.unsqueeze(0)
            chunk = _chunk(options, int(rows.shape[0]), features, classes)
            found = linear_cross_entropy_rows(
                rows, linear_weight, labels, chunk, ignored, linear_bias, weight, reduction
            )
            return found.squeeze(0) if input.dim() == 1 else found
        bias_shape = tuple(linear_bias.shape) if linear_bias is not None else None
        warnings.warn(
            "linear_cross_entropy: ``options`` ignored; chunked path needs reduction in {'mean','sum','none'}, "
            f"label_smoothing == 0, target.dtype == int64, out_features == (). Got reduction={reduction!r}, "
            f"label_smoothing={label_smoothing}, target.dtype={target.dtype}, out_features={tuple(outs)}, "
            f"tracing=False, linear_bias.shape={bias_shape}.",
            stacklevel=2,
        )
    count = math.prod(outs, start=classes)
    flat_bias = None if linear_bias is None else linear_bias.reshape(count)
    logits = _linear(input, linear_weight.reshape(count, features), flat_bias).reshape(logits_shape)
    return cross_entropy(
        logits, target, weight, ignore_index=ignored, reduction=reduction, label_smoothing=label_smoothing
    )
