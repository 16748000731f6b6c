"""Affine maps and embeddings of ``torch.nn.functional``."""

from __future__ import annotations

from typing import Any

from dispatchtorch.autograd.grad_mode import no_grad
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.ops.matmul import _linear
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["bilinear", "embedding", "linear", "one_hot"]


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Returns ``input @ weight.T + bias``."""
    return _linear(input, weight, bias)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Returns ``input1 @ weight[k] @ input2 + bias[k]`` for each output k."""
    lead = input1.shape[:-1]
    if lead != input2.shape[:-1]:
        for d, (a, b) in enumerate(zip(lead, input2.shape[:-1], strict=False)):
            if a != b:
                raise RuntimeError(f"bilinear(): input batch dimensions do not match at dim {d}: got {a} and {b}")
    outs, first, second = weight.shape
    for name, have, want in (("input1", input1, first), ("input2", input2, second)):
        if have.size(-1) != want:
            raise RuntimeError(
                f"bilinear(): {name} size does not match weight size: got {have.size(-1)} but expected {want}"
            )
    a, b = input1.reshape(-1, 1, 1, first), input2.reshape(-1, 1, second, 1)
    out = ((a @ weight) @ b).reshape(*lead, outs)
    return out if bias is None else out + bias


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Returns the rows of ``weight`` that the indices name; rows longer than ``max_norm`` are shortened in place."""
    rows = weight.size(0)
    padding = -1
    if padding_idx is not None:
        if padding_idx >= rows:
            raise AssertionError("Padding_idx must be within num_embeddings")
        if padding_idx < -rows:
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding = padding_idx % rows
    if max_norm is not None:
        _shorten(weight, input, max_norm, norm_type)
    return FUNCTIONS["embedding"](weight, input, padding, scale_grad_by_freq, sparse)  # type: ignore[no-any-return]  # the table


def _shorten(weight: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> None:
    """Scales the named rows that are longer than ``max_norm``, as torch does, slightly below it."""
    with no_grad():
        chosen = indices.reshape(-1).unique()
        rows = weight[chosen]
        lengths = rows.norm(norm_type, 1, keepdim=True)
        weight[chosen] = rows * (max_norm / (lengths + 1e-7)).masked_fill(lengths <= max_norm, 1.0)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Returns int64 rows with a one at each index's place."""
    if str(tensor.dtype) != "torch.int64":
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if tensor.numel() == 0:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return tensor.new_zeros((*tensor.shape, num_classes))
    if int(tensor.min()) < 0:
        raise RuntimeError("Class values must be non-negative.")
    top = int(tensor.max())
    if num_classes == -1:
        num_classes = top + 1
    elif num_classes < 1:
        raise RuntimeError("num_classes should be positive")
    elif top >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    grid: Any = FUNCTIONS["arange"](num_classes, device=tensor.device)
    return (tensor.unsqueeze(-1) == grid).to(tensor.dtype)  # type: ignore[no-any-return]  # a method of the table
