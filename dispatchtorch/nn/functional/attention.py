"""Attention of ``torch.nn.functional``: scaled dot products, and several heads of them with projections."""

from __future__ import annotations

import math
from typing import Any

from dispatchtorch._base.dtypes import bool_
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.nn.functional.affine import linear
from dispatchtorch.nn.functional.dropping import dropout
from dispatchtorch.ops.attention import scaled_dot_product_attention
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]

Parts = tuple[Tensor, Tensor, Tensor]


def as_bias(mask: Tensor | None, like: Tensor) -> Tensor | None:
    """Returns a mask as numbers to add to scores: a boolean one forbids where it is True."""
    if mask is None or mask.dtype is not bool_:
        return mask
    return like.new_zeros(mask.shape).masked_fill(mask, -math.inf)


def _project(query: Tensor, key: Tensor, value: Tensor, weight: Tensor, bias: Tensor | None) -> Parts:
    """Returns the three projections by one packed weight; one product where all three are one tensor."""
    if key is value and query is key:
        packed = linear(query, weight, bias)
        q, k, v = packed.chunk(3, -1)
        return q, k, v
    weights = weight.chunk(3)
    biases: Any = (None, None, None) if bias is None else bias.chunk(3)
    q, k, v = (linear(t, w, b) for t, w, b in zip((query, key, value), weights, biases, strict=True))
    return q, k, v


def _project_apart(
    query: Tensor, key: Tensor, value: Tensor, weights: tuple[Tensor, Tensor, Tensor], bias: Tensor | None
) -> Parts:
    biases: Any = (None, None, None) if bias is None else bias.chunk(3)
    q, k, v = (linear(t, w, b) for t, w, b in zip((query, key, value), weights, biases, strict=True))
    return q, k, v


def _check_masks(padding: Tensor | None, mask: Tensor | None, is_causal: bool, need_weights: bool) -> None:
    if is_causal and mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
            "`generate_square_subsequent_mask` to create this mask."
        )
    for name, given in (("key_padding_mask", padding), ("attn_mask", mask)):
        if given is not None and not (given.dtype is bool_ or given.dtype.is_floating_point):
            raise AssertionError(f"only bool and floating types of {name} are supported")


def _check_batched(query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None) -> bool:
    dims = query.dim()
    if dims not in (2, 3):
        raise AssertionError(f"query should be unbatched 2D or batched 3D tensor but received {dims}-D query tensor")
    kind = "batched (3-D)" if dims == 3 else "unbatched (2-D)"
    if key.dim() != dims or value.dim() != dims:
        raise AssertionError(
            f"For {kind} `query`, expected `key` and `value` to be {dims}-D but found {key.dim()}-D and "
            f"{value.dim()}-D "
            "tensors respectively"
        )
    if padding is not None and padding.dim() != dims - 1:
        raise AssertionError(
            f"For {kind} `query`, expected `key_padding_mask` to be `None` or {dims - 1}-D but found {padding.dim()}-D "
            "tensor instead"
        )
    return dims == 3


def _heads(t: Tensor, heads: int, width: int) -> Tensor:
    """Returns (length, batch, heads * width) as (batch, heads, length, width)."""
    length, batch = t.shape[:2]
    return t.reshape(length, batch, heads, width).permute(1, 2, 0, 3)


def _joined_mask(mask: Tensor | None, padding: Tensor | None, query: Tensor, batch: int, heads: int) -> Tensor | None:
    """Returns both masks as one bias that broadcasts to (batch, heads, target, source)."""
    bias = as_bias(mask, query)
    if bias is not None:
        bias = bias.view(batch, heads, *bias.shape[1:]) if bias.dim() == 3 else bias
    rows = as_bias(padding, query)
    if rows is None:
        return bias
    rows = rows.view(batch, 1, 1, rows.size(-1))
    return rows if bias is None else bias + rows


def _check_mask_shape(mask: Tensor | None, target: int, source: int, batches: int) -> None:
    if mask is None:
        return
    if mask.dim() == 2:
        want: tuple[int, ...] = (target, source)
    elif mask.dim() == 3:
        want = (batches, target, source)
    else:
        raise RuntimeError(f"attn_mask's dimension {mask.dim()} is not supported")
    if tuple(mask.shape) != want:
        raise RuntimeError(f"The shape of the {mask.dim()}D attn_mask is {mask.shape}, but should be {want}.")


def _longer(mask: Tensor | None, by: int) -> Tensor | None:
    """Returns a mask with columns for added keys, which are always seen."""
    if mask is None:
        return None
    return FUNCTIONS["cat"]([mask, mask.new_zeros((*mask.shape[:-1], by))], -1)  # type: ignore[no-any-return]  # the table


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Returns the attention of several heads over (length, batch, features), and the weights if asked for."""
    cat = FUNCTIONS["cat"]
    batched = _check_batched(query, key, value, key_padding_mask)
    _check_masks(key_padding_mask, attn_mask, is_causal, need_weights)
    if not batched:
        same_key, same_query = key is value, query is key
        query = query.unsqueeze(1)
        key = query if same_query else key.unsqueeze(1)
        value = key if same_key else value.unsqueeze(1)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    target, batch, features = query.shape
    source = key.size(0)
    if features != embed_dim_to_check:
        raise AssertionError(f"was expecting embedding dimension of {embed_dim_to_check}, but got {features}")
    width = features // num_heads
    if width * num_heads != features:
        raise AssertionError(f"embed_dim {features} not divisible by num_heads {num_heads}")
    if use_separate_proj_weight:
        if key.shape[:2] != value.shape[:2]:
            raise AssertionError(
                f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}"
            )
        weights: Any = (q_proj_weight, k_proj_weight, v_proj_weight)
        q, k, v = _project_apart(query, key, value, weights, in_proj_bias)
    else:
        if key.shape != value.shape:
            raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
        if in_proj_weight is None:
            raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
        q, k, v = _project(query, key, value, in_proj_weight, in_proj_bias)
    causal = is_causal and key_padding_mask is None and not need_weights
    if causal:
        attn_mask = None
    _check_mask_shape(attn_mask, target, source, batch * num_heads)
    if bias_k is not None and bias_v is not None:
        k, v = cat([k, bias_k.repeat(1, batch, 1)]), cat([v, bias_v.repeat(1, batch, 1)])
        attn_mask, key_padding_mask = _longer(attn_mask, 1), _longer(key_padding_mask, 1)
    q = _heads(q, num_heads, width)
    k = _heads(k, num_heads, width) if static_k is None else static_k.view(batch, num_heads, -1, width)
    v = _heads(v, num_heads, width) if static_v is None else static_v.view(batch, num_heads, -1, width)
    if add_zero_attn:
        empty = (batch, num_heads, 1, width)
        k, v = cat([k, k.new_zeros(empty)], 2), cat([v, v.new_zeros(empty)], 2)
        attn_mask, key_padding_mask = _longer(attn_mask, 1), _longer(key_padding_mask, 1)
    if key_padding_mask is not None and tuple(key_padding_mask.shape) != (batch, k.size(2)):
        raise AssertionError(
            f"expecting key_padding_mask shape of {(batch, k.size(2))}, but got {key_padding_mask.shape}"
        )
    bias = _joined_mask(attn_mask, key_padding_mask, q, batch, num_heads)
    chance = dropout_p if training else 0.0
    if need_weights:
        scores = (q * math.sqrt(1.0 / float(width))) @ k.transpose(-2, -1)
        attention = (scores if bias is None else scores + bias).softmax(-1)
        attention = dropout(attention, chance) if chance > 0.0 else attention
        out = attention @ v
    else:
        attention = None
        out = scaled_dot_product_attention(q, k, v, bias, chance, causal)
    flat = out.permute(2, 0, 1, 3).reshape(target * batch, features)
    out = linear(flat, out_proj_weight, out_proj_bias).view(target, batch, features)
    if attention is not None and average_attn_weights:
        attention = attention.mean(1)
    if not batched:
        return out.squeeze(1), None if attention is None else attention.squeeze(0)
    return out, attention
