"""``torch.nn.attention.flex_attention``: attention whose scores and mask are functions of places, all scores computed.

Must not know: how blocks could be skipped; every score is computed and what is not seen counts nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypedDict

from dispatchtorch.nn.attention.block_mask import (
    BlockMask,
    and_masks,
    create_block_mask,
    create_mask,
    noop_mask,
    or_masks,
    places,
)
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "AuxOutput", "AuxRequest", "BlockMask", "FlexKernelOptions", "and_masks", "create_block_mask", "create_mask",
    "flex_attention", "noop_mask", "or_masks",
]  # fmt: skip

_DEFAULT_SPARSE_BLOCK_SIZE = 128


class AuxRequest(NamedTuple):
    """What is wanted beside the output."""

    lse: bool = False
    max_scores: bool = False


class AuxOutput(NamedTuple):
    """What was wanted beside the output, None for the rest."""

    lse: Tensor | None = None
    max_scores: Tensor | None = None


class FlexKernelOptions(TypedDict, total=False):
    """Options of torch's GPU kernels; there are none of these here, and options change nothing."""

    BACKEND: str


def flex_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    score_mod: Callable[[Any, Any, Any, Any, Any], Any] | None = None,
    block_mask: BlockMask | None = None,
    scale: float | None = None,
    enable_gqa: bool = False,
    return_lse: bool = False,
    kernel_options: FlexKernelOptions | None = None,
    *,
    return_aux: AuxRequest | None = None,
) -> Any:
    """Returns attention of shape ``(B, Hq, L, Ev)``; with ``return_aux`` (or ``return_lse``) a pair with more.

    ``score_mod(score, b, h, q_idx, kv_idx)`` and the mask's function are called once, with all places: they may index
    and compute, as under `vmap`, but not branch. A query that sees nothing gives zeros.
    """
    if query.dim() != 4 or key.dim() != 4 or value.dim() != 4:
        raise NotImplementedError("NYI: query, key, and value must be 4D tensors")
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(
            "Expect query and key/value to have the same embedding dimension but got "
            f"E={query.shape[-1]} and E={key.shape[-1]}."
        )
    if not enable_gqa and query.shape[1] != key.shape[1]:
        raise ValueError(
            f"Expect query and key/value to have the same number of heads but got Hq={query.shape[1]} and "
            f"Hkv={key.shape[1]}. Try setting enable_gqa=True for GQA."
        )
    if enable_gqa:
        if query.shape[1] % key.shape[1]:
            raise ValueError(
                "Expect number of query heads to be a multiple of kv heads for GQA "
                f"but got Hq={query.shape[1]} and Hkv={key.shape[1]}."
            )
        each = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(each, 1), value.repeat_interleave(each, 1)
    scores = (query @ key.transpose(-2, -1)) * (1.0 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if scores.dtype.itemsize < 4:
        scores = scores.float()
    where = places((scores.shape[0], scores.shape[1], scores.shape[2], scores.shape[3]), scores.device)
    if score_mod is not None:
        scores = score_mod(scores, *where).expand(scores.shape)
    if block_mask is not None:
        scores = scores.masked_fill(~_seen(block_mask, where, scores), -math.inf)
    lse = scores.logsumexp(-1)
    weights = (scores - lse.masked_fill(lse == -math.inf, 0.0).unsqueeze(-1)).exp()
    out = (weights.to(value.dtype) @ value).to(query.dtype)
    if return_aux is not None:
        return out, AuxOutput(lse if return_aux.lse else None, scores.amax(-1) if return_aux.max_scores else None)
    return (out, lse) if return_lse else out


def _seen(mask: BlockMask, where: list[Tensor], scores: Tensor) -> Tensor:
    """Returns which places are seen: those in blocks that are, where the function says so."""
    rows, columns = where[2] // mask.BLOCK_SIZE[0], where[3] // mask.BLOCK_SIZE[1]
    batch, heads = mask.kv_indices.shape[:2]
    blocks = mask.to_dense()[where[0] % batch, where[1] % heads, rows, columns] != 0
    seen: Tensor = blocks & mask.mask_mod(*where)
    return seen.expand(scores.shape)
