"""Choosing by a mask: `numpy.where` on random masks costs forty times an addition, masks of bits cost four."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dispatchtorch_numpy.kernels.bare import bare
from dispatchtorch_numpy.kernels.blocks import BLOCK

__all__ = ["KERNELS"]

_BITS: Final = {2: np.int16, 4: np.int32, 8: np.int64}
_SMALL: Final = 2048
_ARRAY: Final = np.ndarray


def _spread(mask: Any, bits: Any) -> Any:
    """Returns all bits where the mask holds, none elsewhere."""
    return np.negative(mask.view(np.int8), dtype=bits)


def _blend(mask: Any, a: Any, b: Any, dtype: Any, bits: Any) -> Any:
    """Returns ``a`` where the mask holds, ``b`` elsewhere; either may be a number."""
    where = _spread(mask, bits)
    if type(b) is not _ARRAY and b == 0 and type(a) is _ARRAY:
        return np.bitwise_and(a.view(bits), where).view(dtype)
    first = (a if type(a) is _ARRAY else np.asarray(a, dtype)).view(bits)
    second = (b if type(b) is _ARRAY else np.asarray(b, dtype)).view(bits)
    out = np.bitwise_xor(first, second)
    fits = out.size >= where.size and np.broadcast_shapes(out.shape, where.shape) == out.shape
    out = np.bitwise_and(out, where, out=out if fits else None)
    np.bitwise_xor(out, second, out=out)
    return out.view(dtype)


@bare
def where(mask: Any, a: Any, b: Any) -> Any:
    """Returns ``a`` where the mask holds, ``b`` elsewhere."""
    lead = a if type(a) is _ARRAY else b
    bits = _BITS.get(lead.dtype.itemsize)
    if bits is None or (lead.size < _SMALL and mask.size < _SMALL):
        return np.where(mask, a, b)
    return _blend(mask, a, b, lead.dtype, bits)


@bare
def masked_fill(a: Any, mask: Any, value: Any) -> Any:
    """Returns ``a`` with the value where the mask holds."""
    bits = _BITS.get(a.dtype.itemsize)
    if type(value) is not _ARRAY:
        value = np.asarray(value, a.dtype)
    if bits is None or (a.size < _SMALL and mask.size < _SMALL):
        return np.where(mask, value, a)
    return _blend(mask, value, a, a.dtype, bits)


@bare
def relu_backward(g: Any, out: Any) -> Any:
    """Returns ``g`` where ``out`` is not 0; what a dead unit is sent, be it infinite, is dropped."""
    bits = _BITS.get(g.dtype.itemsize)
    if bits is None or g.size < _SMALL:
        return np.where(out <= 0, g.dtype.type(0), g)
    if g.shape != out.shape or not (g.flags.c_contiguous and out.flags.c_contiguous):
        return np.bitwise_and(g.view(bits), np.subtract((out <= 0).view(np.int8), 1, dtype=bits)).view(g.dtype)
    result = np.empty_like(g)
    into, grads, outs = result.reshape(-1).view(bits), g.reshape(-1).view(bits), out.reshape(-1)
    dead, keep = np.empty(BLOCK, bool), np.empty(BLOCK, bits)
    for i in range(0, g.size, BLOCK):
        part = outs[i : i + BLOCK]
        n = part.size
        np.less_equal(part, 0, out=dead[:n])
        np.subtract(dead[:n].view(np.int8), 1, out=keep[:n], dtype=bits)
        np.bitwise_and(grads[i : i + n], keep[:n], out=into[i : i + n])
    return result


KERNELS: Final = {
    "_where": where,
    "_masked_fill": masked_fill,
    "_masked_fill_tensor": masked_fill,
    "_relu_backward": relu_backward,
}
