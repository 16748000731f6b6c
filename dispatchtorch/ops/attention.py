"""Scaled dot-product attention: a primitive that a backend may do better, its backward, and torch's function on top."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dispatchtorch._base.dtypes import bool_
from dispatchtorch.dispatch.table import composite, primitive
from dispatchtorch.ops.dropout import dropout
from dispatchtorch.ops.norm import through
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.sizes import broadcast_shapes
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["scaled_dot_product_attention"]


def _samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(2, 3, 4), make(2, 5, 4), make(2, 5, 6), False, 0.5))
    yield Sample((make(2, 2, 3, 4), make(2, 2, 3, 4), make(2, 2, 3, 4), True, 0.5))
    yield Sample((make(2, 3, 4), make(2, 5, 4), make(2, 5, 4), False, 0.5, make(3, 5)))


@primitive(
    grad={
        ("query", "key", "value", "bias"): lambda g, query, key, value, causal, scale, bias, out, needs: _gradients(
            g[0], query, key, value, out[1], causal, scale, bias, needs
        )
    },
    node="ScaledDotProductFlashAttentionForCpuBackward0",
    samples=_samples,
)
def _sdpa(
    query: Tensor, key: Tensor, value: Tensor, causal: bool, scale: float, bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Returns ``softmax(query @ key^T * scale + bias) @ value`` and the softmax; ``causal`` sees no later key."""
    ...


def _weights(query: Tensor, key: Tensor, causal: bool, scale: float, bias: Tensor | None) -> Tensor:
    scores = (query * scale) @ key.transpose(-2, -1)
    if causal:
        rows, columns = scores.shape[-2:]
        later = scores.new_ones((rows, columns), dtype=bool_).tril().logical_not()
        scores = scores.masked_fill(later, -math.inf)
    if bias is not None:
        scores = scores + bias
    return scores.softmax(-1)  # type: ignore[no-any-return]  # a method of the table


@primitive()
def _sdpa_backward(
    g: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    weights: Tensor,
    causal: bool,
    scale: float,
    bias: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns the gradients of query, key, value and of the scores."""
    weights = _weights(query, key, causal, scale, bias)
    inner = g @ value.transpose(-2, -1)
    scores = weights * (inner - (inner * weights).sum(-1, True))
    return (
        scores @ key * scale,
        scores.transpose(-2, -1) @ query * scale,
        weights.transpose(-2, -1) @ g,
        scores,
    )


def _gradients(
    g: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    weights: Tensor,
    causal: bool,
    scale: float,
    bias: Tensor | None,
    needs: tuple[bool, ...],
) -> tuple[Tensor | None, ...]:
    grads = through(_sdpa_backward)(g, query, key, value, weights, causal, scale, bias)
    return tuple(got if need else None for got, need in zip(grads, needs, strict=True))


def _grouped(query: Tensor, t: Tensor) -> Tensor:
    """Returns keys or values with each head repeated for the query heads that share it."""
    heads, own = int(query._a.shape[-3]), int(t._a.shape[-3])
    if heads % own:
        raise RuntimeError(
            "Number of heads in key and value must divide the number of heads in query "
            f"but got heads in key: {own}, heads in query: {heads}."
        )
    return t if heads == own else t.repeat_interleave(heads // own, -3)


_C_NAMES = {
    "float32": "float", "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16", "int64": "long int",
    "int32": "int", "int16": "short int", "int8": "signed char", "uint8": "unsigned char",
}  # fmt: skip


def _check(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout_p: float, causal: bool) -> None:
    if any(t._key.dtype is not query._key.dtype for t in (key, value)):
        names = [_C_NAMES.get(t._key.dtype.name, t._key.dtype.name) for t in (query, key, value)]
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{names[0]} key.dtype: {names[1]} and value.dtype: {names[2]} instead."
        )
    if any(t.ndim < 2 for t in (query, key, value)):
        raise RuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: "
            f"{query.ndim} key.dim: {key.ndim} and value.dim: {value.ndim} instead."
        )
    if mask is not None:
        if mask._key.dtype is not bool_ and mask._key.dtype is not query._key.dtype:
            raise RuntimeError(
                "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: "
                f"{_C_NAMES.get(mask._key.dtype.name, mask._key.dtype.name)} and  query.dtype: "
                f"{_C_NAMES.get(query._key.dtype.name, query._key.dtype.name)} instead."
            )
        if causal:
            raise RuntimeError(
                "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True"
            )


@composite(function=False)
def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Returns what each query gathers from the values, by the softmax of its products with the keys."""
    _check(query, key, value, attn_mask, dropout_p, is_causal)
    if enable_gqa:
        key, value = _grouped(query, key), _grouped(query, value)
    for t in (key, value):
        broadcast_shapes(tuple(query._a.shape[:-2]), tuple(t._a.shape[:-2]))
    factor = 1.0 / math.sqrt(int(query._a.shape[-1])) if scale is None else scale
    bias = attn_mask
    if bias is not None and bias._key.dtype is bool_:
        bias = query.new_zeros(bias.shape).masked_fill(bias.logical_not(), -math.inf)
    if dropout_p > 0.0:
        narrow = query._key.dtype
        if narrow.itemsize == 2:
            query, key, value = query.float(), key.float(), value.float()
            weights = _weights(query, key, is_causal, factor, None if bias is None else bias.float())
            return (dropout(weights, dropout_p, True) @ value).to(narrow)
        return dropout(_weights(query, key, is_causal, factor, bias), dropout_p, True) @ value
    return _sdpa(query, key, value, is_causal, factor, bias)[0]
