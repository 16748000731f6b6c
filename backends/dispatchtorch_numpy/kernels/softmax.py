"""Softmax in one buffer, a block of rows at a time, so that the passes over a row stay in the cache.

Where no element of a block is large, exponentials are taken as they are: they cannot overflow, nothing is subtracted
that would have to be rounded, and rows need not be searched for their largest element.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch.plugin.numpylike import KERNELS as SHARED
from dispatchtorch_numpy.kernels.bare import bare
from dispatchtorch_numpy.kernels.reduce import total

__all__ = ["KERNELS"]

BLOCK: Final = 1 << 15  # elements
SMALL: Final = 4096  # elements up to which the largest of each row is found as quickly as both ends of all
_FLOAT32: Final = np.dtype("f4")
_WIDE: Final = frozenset(np.dtype(c) for c in "fdFD")
_MODEST: Final = {np.dtype("f4"): 60.0, np.dtype("f8"): 500.0}  # sums of exponentials up to here, and down, are finite
_ROWS: Final = {(n,): np.ones((1, n), np.float32) for n in range(1, 65)}
_HUGE: Final = 1e30
_top: Final[Any] = np.maximum.reduce  # arguments by position, which numpy's annotations do not know
_bottom: Final[Any] = np.minimum.reduce
_shared_logsumexp: Final = SHARED["_logsumexp"]


def _blocks(kernel: Any, arrays: tuple[Any, ...], out: Any, dim: int) -> Any:
    """Runs ``kernel(*parts, out_part, dim)`` over blocks of the first dimension, where that is not the reduced one."""
    a = arrays[0]
    if a.size <= 2 * BLOCK or dim == 0:
        kernel(*arrays, out, dim)
        return out
    step = max(1, BLOCK * a.shape[0] // a.size)
    for start in range(0, a.shape[0], step):
        part = slice(start, start + step)
        kernel(*[x[part] for x in arrays], out[part], dim)
    return out


def _is_modest(a: Any) -> bool:
    """Returns whether exponentials of all elements, and quotients of them, can be taken without a shift."""
    limit = _MODEST.get(a.dtype) if a.size > SMALL else None
    return limit is not None and bool(_top(a, None) <= limit and _bottom(a, None) >= -limit)


def _softmax_into(a: Any, out: Any, dim: int) -> None:
    if _is_modest(a):
        np.exp(a, out)
    else:
        np.subtract(a, _top(a, dim, None, None, True), out)
        np.exp(out, out)
    np.divide(out, total(out, (dim,), True), out)


def _log_softmax_into(a: Any, out: Any, dim: int) -> None:
    if _is_modest(a):
        # the logarithm in two parts, for where it is nearly the element that it is subtracted from
        logs = np.log(total(np.exp(a, out), (dim,), True).astype(np.float64))
        high = logs.astype(a.dtype)
        np.subtract(a, high, out)
        if a.dtype is _FLOAT32:
            logs -= high
            np.subtract(out, logs.astype(np.float32), out)
        return
    np.subtract(a, _top(a, dim, None, None, True), out)
    sums = total(np.exp(out), (dim,), True)
    np.subtract(out, np.log(sums), out)


def _softmax_back_into(g: Any, y: Any, out: Any, dim: int) -> None:
    np.multiply(g, y, out)
    sums = total(out, (dim,), True)
    np.subtract(g, sums, out)
    np.multiply(out, y, out)


def _log_softmax_back_into(g: Any, y: Any, out: Any, dim: int) -> None:
    np.exp(y, out)
    np.multiply(out, total(g, (dim,), True), out)
    np.subtract(g, out, out)


def _over(into: Any, single: Any) -> Kernel:
    """Returns a kernel that runs ``into`` over new memory, half precision through float32."""

    @bare
    def kernel(*args: Any) -> Any:
        *arrays, dim = args
        a = arrays[-1]
        if not a.ndim or not a.size:
            return np.asarray(single(a) if a.size else a.copy())
        dtype = a.dtype
        if dtype not in _WIDE:
            arrays = [x.astype(np.float32) for x in arrays]
        out = np.empty(a.shape, arrays[-1].dtype)
        _blocks(into, tuple(arrays), out, dim)
        return out if dtype in _WIDE else out.astype(dtype)

    return kernel


_long_softmax: Final = _over(_softmax_into, np.ones_like)


@bare
def _softmax(a: Any, dim: int) -> Any:
    """Returns exponentials over their sum; of a few numbers they are not shifted where the sum shows no need to."""
    row = _ROWS.get(a.shape)
    if row is not None and a.dtype is _FLOAT32:
        out = np.exp(a)
        sums = row.dot(out)[0, ...]  # by an array without dimensions is the quickest division
        if 1 <= sums.item() < _HUGE:  # nothing has overflowed, and what has vanished would have vanished
            return np.divide(out, sums, out)
    return _long_softmax(a, dim)


def _logsumexp(a: Any, dims: Any, keepdim: bool) -> Any:
    """Returns logarithms of sums of exponentials, without overflow."""
    if not a.ndim or not _is_modest(a):
        return _shared_logsumexp(np, a, dims, keepdim)
    if a.ndim == 2 and dims == (1,) and a.size > 2 * BLOCK:
        out = np.empty(len(a), a.dtype)
        step = max(1, BLOCK // a.shape[1])
        room = np.empty((step, a.shape[1]), a.dtype)
        for start in range(0, len(a), step):
            part = a[start : start + step]
            out[start : start + step] = total(np.exp(part, room[: len(part)]), dims, False)
        np.log(out, out)
        return out[:, None] if keepdim else out
    return np.log(total(np.exp(a), dims, keepdim))


KERNELS: Final[dict[str, Kernel]] = {
    "_softmax": _softmax,
    "_log_softmax": _over(_log_softmax_into, np.zeros_like),
    "_softmax_backward": _over(_softmax_back_into, np.zeros_like),
    "_log_softmax_backward": _over(_log_softmax_back_into, np.zeros_like),
    "_logsumexp": _logsumexp,
}
