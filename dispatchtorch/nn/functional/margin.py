"""Losses of distances and margins, and the distances they use."""

from __future__ import annotations

from collections.abc import Callable

from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.nn.functional.reduction import checked, chosen, reduced
from dispatchtorch.ops import distances as ops
from dispatchtorch.ops.distances import cosine_similarity, pairwise_distance, triplet_of
from dispatchtorch.ops.index import within
from dispatchtorch.ops.pairs import pdist
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "cosine_embedding_loss", "cosine_similarity", "hinge_embedding_loss", "margin_ranking_loss",
    "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss", "normalize", "pairwise_distance",
    "pdist", "triplet_margin_loss", "triplet_margin_with_distance_loss",
]  # fmt: skip


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None) -> Tensor:
    """Returns the input divided by its norm along ``dim``, norms below ``eps`` replaced by it."""
    length = input.norm(p, dim, keepdim=True).clamp(min=eps)
    if out is None:
        return input / length.expand(input.shape)
    return FUNCTIONS["div"](input, length, out=out)  # type: ignore[no-any-return]  # an entry of the table


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns the mean of distances where the target is 1, of ``max(0, margin - distance)`` where it is -1."""
    kind = chosen(reduction, size_average, reduce)
    return ops.hinge_embedding_loss(input, target, margin, kind)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns the mean of ``max(0, -target * (input1 - input2) + margin)``."""
    kind = chosen(reduction, size_average, reduce)
    return ops.margin_ranking_loss(input1, input2, target, margin, kind)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns the mean of ``1 - cosine`` for pairs that belong together, ``max(0, cosine - margin)`` for others."""
    kind = chosen(reduction, size_average, reduce)
    return ops.cosine_embedding_loss(input1, input2, target, margin, kind)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns the mean of ``max(0, distance to the positive - distance to the negative + margin)``."""
    kind = chosen(reduction, size_average, reduce)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    return ops.triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, kind)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """Returns `triplet_margin_loss` with any distance."""
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    checked(reduction)
    dims = [t.dim() for t in (anchor, positive, negative)]
    if len(set(dims)) > 1:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {dims[0]}D, positive {dims[1]}D, and negative {dims[2]}D inputs"
        )
    return triplet_of(anchor, positive, negative, distance_function or pairwise_distance, margin, swap, reduction)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns how far other classes come within ``margin`` of the right one, averaged over classes."""
    kind = chosen(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    _check_margin("multi_margin_loss", input, target, weight)
    scores = input if input.dim() == 2 else input.reshape(1, -1)
    classes = target.reshape(-1, 1)
    short = (margin - scores.gather(1, classes) + scores).clamp_min(0)
    short = short if p == 1 else short * short
    if weight is not None:
        short = short * weight[classes]
    loss = short.scatter(1, classes, 0.0).sum(1) / scores.size(1)
    return reduced(loss if target.dim() > 0 else loss.squeeze(0), kind)


def _check_margin(name: str, input: Tensor, target: Tensor, weight: Tensor | None) -> None:
    """Raises torch's errors for scores and classes that do not fit."""
    shape = list(input.shape)
    if input.dim() > 2 or (shape and shape[-1] == 0):
        raise RuntimeError(f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {shape}")
    batch, classes = (1, input.numel()) if input.dim() < 2 else (shape[0], shape[1])
    if target.dim() > 1 or target.numel() != batch:
        raise RuntimeError(
            f"{name}: target tensor should be 1-D with size equal to the number of input samples (batch size). "
            f"Expected target size [{batch}], but got {list(target.shape)}. Input has shape {shape}."
        )
    if weight is not None and (weight.dim() > 1 or weight.numel() != classes):
        raise RuntimeError(f"inconsistent weight size, expected {classes} but got {list(weight.shape)}")
    kind = input._key.dtype
    if kind.name not in ("float32", "float64"):
        raise NotImplementedError(f"\"{name}_cpu_kernel\" not implemented for '{kind.legacy}'")
    if str(target.dtype) != "torch.int64":
        raise RuntimeError(f"expected scalar type Long but found {target._key.dtype.legacy}")
    within(target, classes, "target out of range", RuntimeError)


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns how far wrong labels come within 1 of the right ones, averaged; labels end at the first -1."""
    kind = chosen(reduction, size_average, reduce)
    shape, wanted = list(input.shape), list(target.shape)
    if input.dim() > 2 or (shape and shape[-1] == 0):
        raise RuntimeError(f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {shape}")
    if target.numel() != input.numel() or (input.dim() == 2 and wanted != shape) or target.dim() > 2:
        raise RuntimeError(f"inconsistent target size: {wanted} for input of size: {shape}")
    if input._key.dtype.name not in ("float32", "float64"):
        raise NotImplementedError(
            f"\"multilabel_margin_loss_forward_out_frame\" not implemented for '{input._key.dtype.legacy}'"
        )
    scores = input if input.dim() == 2 else input.reshape(1, -1)
    labels = target.reshape(scores.shape)
    valid = (labels == -1).cumsum(1) == 0
    safe = labels.masked_fill(~valid, 0)
    right = scores.new_zeros(scores.shape).scatter_add(1, safe, valid.to(scores.dtype)) > 0
    short = (1 - scores.gather(1, safe).unsqueeze(2) + scores.unsqueeze(1)).clamp_min(0)
    used = valid.unsqueeze(2) & ~right.unsqueeze(1)
    loss = (short * used.to(scores.dtype)).sum((1, 2)) / scores.size(1)
    return reduced(loss if input.dim() == 2 else loss.squeeze(0), kind)


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns the binary cross entropy of logits, averaged over classes."""
    kind = chosen(reduction, size_average, reduce)

    if input._key.dtype.category < 2:
        raise NotImplementedError(f"\"log_sigmoid_cpu\" not implemented for '{input._key.dtype.legacy}'")

    def log_sigmoid(x: Tensor) -> Tensor:
        wide = x if x._key.dtype.itemsize > 2 else x.float()
        return (wide.clamp(max=0) - (-wide.abs()).exp().log1p()).to(x.dtype)

    loss = -(target * log_sigmoid(input) + (1 - target) * log_sigmoid(-input))
    if weight is not None:
        loss = loss * weight
    return reduced(loss.sum(-1) / input.size(-1), kind)
