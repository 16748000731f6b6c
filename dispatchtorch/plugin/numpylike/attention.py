"""Kernels of attention over any numpy-like namespace."""

from __future__ import annotations

from typing import Any

from dispatchtorch.plugin.numpylike import kernel
from dispatchtorch.plugin.numpylike.reduce import is_half

__all__: list[str] = []


def _widened(xp: Any, *arrays: Any) -> list[Any]:
    """Returns the arrays in float32, where sums and a Python factor keep their digits."""
    return [None if a is None else a.astype(xp.float32) for a in arrays]


@kernel
def _sdpa(xp: Any, query: Any, key: Any, value: Any, causal: bool, scale: float, bias: Any) -> tuple[Any, Any]:
    kind = query.dtype
    if is_half(kind):
        query, key, value, bias = _widened(xp, query, key, value, bias)
    scores = (query * scale).astype(query.dtype) @ xp.swapaxes(key, -2, -1)
    if causal:
        rows, columns = scores.shape[-2:]
        seen = xp.arange(columns)[None, :] <= xp.arange(rows)[:, None]
        scores = xp.where(seen, scores, xp.asarray(-xp.inf, dtype=scores.dtype))
    if bias is not None:
        scores = scores + bias
    top = xp.max(scores, axis=-1, keepdims=True)
    weights = xp.exp(scores - xp.where(xp.isfinite(top), top, xp.zeros_like(top)))
    total = xp.sum(weights, axis=-1, keepdims=True)
    weights = weights / xp.where(total == 0, xp.ones_like(total), total)  # a query that sees nothing gets zeros
    return (weights @ value).astype(kind, copy=False), weights.astype(kind, copy=False)


@kernel
def _sdpa_backward(
    xp: Any, g: Any, query: Any, key: Any, value: Any, weights: Any, causal: bool, scale: float, bias: Any
) -> tuple[Any, Any, Any, Any]:
    kind = query.dtype
    if is_half(kind):
        g, query, key, value, weights = _widened(xp, g, query, key, value, weights)
    inner = g @ xp.swapaxes(value, -2, -1)
    scores = weights * (inner - xp.sum(inner * weights, axis=-1, keepdims=True))
    by_key = xp.swapaxes(scores, -2, -1) @ query * scale
    grads = scores @ key * scale, by_key, xp.swapaxes(weights, -2, -1) @ g, scores
    a, b, c, d = (x.astype(kind, copy=False) for x in grads)
    return a, b, c, d
