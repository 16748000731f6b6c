"""Convolution as XLA's own, channels last inside, which XLA runs faster; other ways where that is slow.

XLA's grouped convolution is tens of times slower than shifted products where every channel is a group of its own; a
kernel of one place is a matrix product. On the CPU its convolution gathers the inputs of every output first, which does
not pay where there are few of either: nine times slower for a picture with one channel.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax import lax

from dispatchtorch.plugin.numpylike import KERNELS as SHARED
from dispatchtorch.plugin.numpylike.conv import adjoint_weight, spread, wide
from dispatchtorch.plugin.numpylike.pad import fit
from dispatchtorch_jax.kernels.apart import apart, turned

__all__ = ["KERNELS"]

Ints = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]
_shared_weight = SHARED["_convolution_weight"]


def _last(a: Any) -> Any:
    """Returns (N, C, ...) as (N, ..., C)."""
    return jnp.moveaxis(a, 1, -1)


def _turned_weight(w: Any) -> Any:
    """Returns (O, I, ...) as (..., I, O)."""
    return jnp.moveaxis(w, (0, 1), (-1, -2))


def _plain(x: Any, w: Any, stride: Ints, pads: Pads, grown: Ints, dilation: Ints, groups: int) -> Any:
    """Returns the convolution of an input that has ``grown - 1`` zeros between neighbours."""
    kernel = w.shape[2:]
    if groups > 1 and w.shape[1] == 1:
        return _deep(spread(jnp, x, grown), w, stride, pads, dilation, groups)
    if groups == 1 and jax.default_backend() == "cpu":
        outs, depth, spots = w.shape[0], w.shape[1], prod(kernel)
        if depth * spots <= 32 and outs <= 16:  # measured, as are the other numbers here
            multiplied = partial(_multiplied, stride=stride, pads=pads, grown=grown, dilation=dilation)
            return jnp.moveaxis(apart(multiplied, _last(x), _turned_weight(w)), -1, 1)
        if outs <= 8 and depth >= 2 * outs and spots >= 9 and {*stride, *grown, *dilation} == {1}:
            return jnp.moveaxis(apart(partial(_added_up, pads=pads), _last(x), _turned_weight(w)), -1, 1)
    simple = not any(low or high for low, high in pads) and {*stride, *grown} == {1}
    if set(kernel) == {1} and simple and groups == 1:
        return jnp.moveaxis(jnp.tensordot(w.reshape(w.shape[:2]), x, axes=((1,), (1,))), 0, 1)
    axes = "DHW"[-len(kernel) :]
    out = lax.conv_general_dilated(
        _last(x),
        _turned_weight(w),
        stride,
        pads,
        lhs_dilation=grown,
        rhs_dilation=dilation,
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
        feature_group_count=groups,
    )
    return jnp.moveaxis(out, -1, 1)


def _deep(x: Any, w: Any, stride: Ints, pads: Pads, dilation: Ints, groups: int) -> Any:
    """Returns the convolution in which each input channel makes its own outputs."""
    kernel = w.shape[2:]
    x = fit(jnp, x, ((0, 0), (0, 0), *pads))
    outs = [(n - d * (k - 1) - 1) // s + 1 for n, d, k, s in zip(x.shape[2:], dilation, kernel, stride, strict=True)]
    several = w.shape[0] // groups
    total: Any = None
    for place in _places(kernel):
        where = [
            slice(i * d, i * d + (n - 1) * s + 1, s) for i, d, n, s in zip(place, dilation, outs, stride, strict=True)
        ]
        part = x[(slice(None), slice(None), *where)]
        if several > 1:
            part = jnp.repeat(part, several, axis=1)
        term = part * w[(slice(None), 0, *place)].reshape(-1, *(1 for _ in kernel))
        total = term if total is None else total + term
    return total


def _multiplied(x: Any, w: Any, *, stride: Ints, pads: Pads, grown: Ints, dilation: Ints) -> Any:
    """Returns the convolution, channels last, as a sum of products with numbers, where there are few: one loop."""
    kernel = w.shape[:-2]
    edges = [(low, high, g - 1) for (low, high), g in zip(pads, grown, strict=True)]
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *edges, (0, 0, 0)])
    outs = [(n - d * (k - 1) - 1) // s + 1 for n, d, k, s in zip(x.shape[1:-1], dilation, kernel, stride, strict=True)]
    total: Any = None
    for place in _places(kernel):
        where = [
            slice(i * d, i * d + (n - 1) * s + 1, s) for i, d, n, s in zip(place, dilation, outs, stride, strict=True)
        ]
        for c in range(w.shape[-2]):
            term = x[(slice(None), *where, slice(c, c + 1))] * w[(*place, c)]
            total = term if total is None else total + term
    return total


def _added_up(x: Any, w: Any, *, pads: Pads) -> Any:
    """Returns the convolution with few outputs, channels last.

    Each place, times all of the kernel, is added where it belongs; XLA's own gathers the inputs of all places first.
    """
    kernel, n = w.shape[:-2], len(pads)
    products = jnp.tensordot(x, jnp.flip(w, tuple(range(n))), axes=((-1,), (-2,)))
    for axis, (k, (low, high)) in enumerate(zip(kernel, pads, strict=True), 1):
        # products: (N, spatial, kernel places that are left, C); one dimension of the kernel goes
        total: Any = None
        for i in range(k):
            part = lax.index_in_dim(products, i, n + 1, keepdims=False)
            edges = [(0, 0, 0)] * part.ndim
            edges[axis] = (i - (k - 1 - low), (k - 1 - i) - (k - 1 - high), 0)
            part = lax.pad(part, jnp.zeros((), part.dtype), edges)
            total = part if total is None else total + part
        products = total
    return products


def _places(kernel: Ints) -> list[Ints]:
    found: list[Ints] = [()]
    for k in kernel:
        found = [(*place, i) for place in found for i in range(k)]
    return found


def _convolution(
    input: Any,
    weight: Any,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    transposed: bool,
    output_padding: Ints,
    groups: int,
    bias: Any,
) -> Any:
    x, w = wide(jnp, input), wide(jnp, weight)
    ones = (1,) * len(stride)
    if transposed:
        sides = [d * (k - 1) - p for d, k, p in zip(dilation, w.shape[2:], padding, strict=True)]
        pads = tuple([(side, side + extra) for side, extra in zip(sides, output_padding, strict=True)])
        out = _plain(x, adjoint_weight(jnp, w, groups), ones, pads, stride, dilation, groups)
    else:
        out = _plain(x, w, stride, tuple([(p, p) for p in padding]), ones, dilation, groups)
    if bias is not None:
        out = out + wide(jnp, bias).reshape(-1, *(1 for _ in stride))
    return out.astype(input.dtype)


def _convolution_weight(
    input: Any, cotangent: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> Any:
    """Returns the weight's gradient: a convolution in which images and channels change places."""
    if groups > 1 or jnp.issubdtype(input.dtype, jnp.integer) or set(kernel) == {1}:
        return _shared_weight(jnp, input, cotangent, kernel, stride, padding, dilation, groups)
    x, g = wide(jnp, input), wide(jnp, cotangent)
    pads = []
    for n, p, k, d, s, size in zip(x.shape[2:], padding, kernel, dilation, stride, g.shape[2:], strict=True):
        pads.append((p, d * (k - 1) + (size - 1) * s + 1 - n - p))  # just what the kernel's places meet
    axes = "DHW"[-len(kernel) :]
    out = lax.conv_general_dilated(
        turned(_last(x)),  # (C, ..., N)
        jnp.moveaxis(turned(_last(g)), 0, -1),  # from (O, ..., N)
        dilation,
        tuple(pads),
        rhs_dilation=stride,
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
    )
    return jnp.moveaxis(out, (-1, 0), (0, 1)).astype(input.dtype)


KERNELS: Final[dict[str, Callable[..., Any]]] = {
    "_convolution": _convolution,
    "_convolution_weight": _convolution_weight,
}
