"""Products of matrices: BLAS through `dot`, which costs less than half of `matmul` on small ones; batches are folded.

numpy multiplies half-precision matrices one element at a time, so those go through float32, in which torch accumulates
them as well.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch_numpy.kernels.bare import bare

__all__ = ["KERNELS"]

_DIRECT: Final = frozenset(np.dtype(c) for c in "?bBhHiIlLqQfdFD")


def _widened(kernel: Kernel, *arrays: Any) -> Any:
    out = kernel(*[None if a is None else a.astype(np.float32) for a in arrays])
    return out.astype(arrays[0].dtype)


def _fold(a: Any, b: Any) -> Any:
    """Returns ``a @ b`` for a ``b`` of at most two dimensions, as one product."""
    shape = a.shape
    out = a.reshape(math.prod(shape[:-1]), shape[-1]).dot(b)
    return out.reshape(shape[:-1] + b.shape[1:])


@bare
def matmul(a: Any, b: Any) -> Any:
    """Returns the product of two arrays of any ranks."""
    if a.dtype not in _DIRECT:
        return _widened(matmul, a, b)
    first, second = a.ndim, b.ndim
    if first == 2 and second:
        if second <= 2:
            return a.dot(b)
    elif second <= 2 and first > 2 and second:
        return _fold(a, b)
    elif first == 1 and second <= 2:
        return np.asarray(a.dot(b))
    with np.errstate(all="ignore"):
        return np.matmul(a, b)


@bare
def _matmul_nt(a: Any, b: Any) -> Any:
    """Returns ``a @ b.mT``."""
    if a.ndim == 2 == b.ndim and a.dtype in _DIRECT:
        return a.dot(b.T)
    return matmul(a, b.swapaxes(-1, -2))


@bare
def _matmul_tn(a: Any, b: Any) -> Any:
    """Returns ``a.mT @ b``."""
    if a.ndim == 2 == b.ndim and a.dtype in _DIRECT:
        return a.T.dot(b)
    return matmul(a.swapaxes(-1, -2), b)


@bare
def _fold_tn(a: Any, b: Any) -> Any:
    """Returns ``a.T @ b`` with all dimensions but the last made one."""
    if a.dtype not in _DIRECT:
        return _widened(_fold_tn, a, b)
    if a.ndim != 2:
        rows = math.prod(a.shape[:-1])
        a, b = a.reshape(rows, a.shape[-1]), b.reshape(rows, b.shape[-1])
    return a.T.dot(b)


@bare
def _linear(x: Any, weight: Any, bias: Any) -> Any:
    """Returns ``x @ weight.T + bias``, the sum in the product's own memory."""
    ndim = x.ndim
    if ndim == 2 and x.dtype in _DIRECT:
        out = x.dot(weight.T)
        return out if bias is None else np.add(out, bias, out)
    if x.dtype not in _DIRECT:
        return _widened(_linear, x, weight, bias)
    if ndim <= 2:
        out = x.dot(weight.T)
        if type(out) is not np.ndarray:
            out = np.asarray(out)
    else:
        shape = x.shape
        out = x.reshape(math.prod(shape[:-1]), shape[-1]).dot(weight.T)
    if bias is not None:
        if bias.ndim <= out.ndim:
            np.add(out, bias, out)
        else:
            out = out + bias
    return out if ndim <= 2 else out.reshape(shape[:-1] + out.shape[1:])


KERNELS: Final[dict[str, Kernel]] = {
    "matmul": matmul,
    "_bmm": matmul,
    "_matmul_nt": _matmul_nt,
    "_matmul_tn": _matmul_tn,
    "_fold_tn": _fold_tn,
    "_linear": _linear,
}
