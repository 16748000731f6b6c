"""Kernels of attention over any numpy-like namespace."""

from __future__ import annotations

from typing import Any

from dispatchtorch.plugin.numpylike import kernel

__all__: list[str] = []


@kernel
def _sdpa(xp: Any, query: Any, key: Any, value: Any, causal: bool, scale: float, bias: Any) -> tuple[Any, Any]:
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
    return weights @ value, weights


@kernel
def _sdpa_backward(
    xp: Any, g: Any, query: Any, key: Any, value: Any, weights: Any, causal: bool, scale: float, bias: Any
) -> tuple[Any, Any, Any, Any]:
    inner = g @ xp.swapaxes(value, -2, -1)
    scores = weights * (inner - xp.sum(inner * weights, axis=-1, keepdims=True))
    by_key = xp.swapaxes(scores, -2, -1) @ query * scale
    return scores @ key * scale, by_key, xp.swapaxes(weights, -2, -1) @ g, scores
