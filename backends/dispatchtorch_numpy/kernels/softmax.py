"""Softmax in one buffer, a block of rows at a time, so that the passes over a row stay in the cache.

Where no element of a block is large, exponentials are taken as they are: they cannot overflow, nothing is subtracted
that would have to be rounded, and rows need not be searched for their largest element.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch.plugin.numpylike import KERNELS as SHARED
from dispatchtorch_numpy.kernels.bare import bare
from dispatchtorch_numpy.kernels.ones import ones
from dispatchtorch_numpy.kernels.reduce import total
from dispatchtorch_numpy.silence import silent_arrays

__all__ = ["KERNELS"]

BLOCK: Final = 1 << 15  # elements
SMALL: Final = 4096  # elements up to which the largest of each row is found as quickly as both ends of all
_FLOAT32: Final = np.dtype("f4")
_WIDE: Final = frozenset(np.dtype(c) for c in "fdFD")
_MODEST: Final = {np.dtype("f4"): 60.0, np.dtype("f8"): 500.0}  # sums of exponentials up to here, and down, are finite
_ROWS: Final = {(n,): np.ones((1, n), np.float32) for n in range(1, 65)}
_HUGE: Final = 1e30
_SHORT: Final = 256  # elements of a row that are one product with ones
_BRIEF: Final = 2048  # elements of a matrix that is taken the shortest way
_ALIKE: Final = 50.0  # between the sums of exponentials of rows whose logarithms are near one number
_WIDE_ROW: Final = 512  # elements from which a row is better worked on where it lies than in numpy's buffers
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


def _row_sums(a: Any) -> Any:
    """Returns sums over the last dimension of an array in C order."""
    n = a.shape[-1]
    sums = a.reshape(-1, n).dot(ones(n, a.dtype)) if n <= _SHORT else total(a, (a.ndim - 1,), False)
    return sums.reshape((*a.shape[:-1], 1))


@lru_cache(maxsize=64)
def _row_starts(rows: int, step: int) -> Any:
    return np.arange(0, rows * step, step)


def _row_tops(a: Any) -> Any:
    """Returns the largest of each row: numpy finds where it is in a third of the time that it takes to find it."""
    *lead, n = a.shape
    places = a.argmax(-1)
    if not a.flags.c_contiguous:
        return np.take_along_axis(a, places[..., None], -1)
    flat = places.reshape(-1, 1)
    tops = a.reshape(-1).take(np.add(flat, _row_starts(flat.size, n)[:, None], flat))
    return tops if len(lead) == 1 else tops.reshape((*lead, 1))


def _ends(sums: Any) -> tuple[float, float]:
    """Returns the least and the largest of sums of exponentials; two nans where there is one, or what is too large.

    From 1 on nothing has vanished that would not have vanished beside the largest element.
    """
    low, high = sums.item(sums.argmin()), sums.item(sums.argmax())
    return (low, high) if low >= 1 and high < _HUGE else (math.nan, math.nan)


def _is_row_wise(a: Any, dim: int) -> bool:
    return dim == a.ndim - 1 and a.dtype in _MODEST


def _softmax_into(a: Any, out: Any, dim: int) -> None:
    if _is_row_wise(a, dim):
        sums = _row_sums(np.exp(a, out))
        if _ends(sums)[0] >= 1 or _is_modest(a):
            np.divide(out, sums, out)
            return
        np.subtract(a, _row_tops(a), out)
    elif _is_modest(a):
        np.divide(np.exp(a, out), total(out, (dim,), True), out)
        return
    else:
        np.subtract(a, _top(a, dim, None, None, True), out)
    np.exp(out, out)
    np.divide(out, total(out, (dim,), True), out)


def _log_softmax_into(a: Any, out: Any, dim: int) -> None:
    rows = _is_row_wise(a, dim)
    if rows and a.size > SMALL:
        sums = _row_sums(np.exp(a, out))
        low, high = _ends(sums)
        if low >= 1:
            logs = np.log(sums.astype(np.float64))
            if high <= _ALIKE * low:
                middle = np.asarray(math.log(low * high) / 2, a.dtype)
                np.subtract(a, middle, out)
                np.subtract(out, np.subtract(logs, middle).astype(a.dtype), out)
                return
            _subtract_logs(a, logs, out)
            return
    if _is_modest(a):
        _subtract_logs(a, np.log(total(np.exp(a, out), (dim,), True).astype(np.float64)), out)
        return
    np.subtract(a, _row_tops(a) if rows else _top(a, dim, None, None, True), out)
    sums = total(np.exp(out), (dim,), True)
    np.subtract(out, np.log(sums), out)


def _subtract_logs(a: Any, logs: Any, out: Any) -> None:
    """Subtracts logarithms of float64 in two parts, for where one is nearly the element that it is subtracted from."""
    high = logs.astype(a.dtype)
    np.subtract(a, high, out)
    if a.dtype is _FLOAT32:
        logs -= high
        np.subtract(out, logs.astype(np.float32), out)


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
    in_place = silent_arrays(_blocks, short=True)

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
        (in_place if a.shape[-1] >= _WIDE_ROW else _blocks)(into, tuple(arrays), out, dim)
        return out if dtype in _WIDE else out.astype(dtype)

    return kernel


_long_softmax: Final = _over(_softmax_into, np.ones_like)
_long_log_softmax: Final = _over(_log_softmax_into, np.zeros_like)
_columns: Final[dict[int, Any]] = {}


def _column(n: int) -> Any:
    """Returns so many ones, one below the other."""
    column = _columns.get(n)
    if column is None:
        column = _columns[n] = np.ones((n, 1), np.float32)
    return column


def _is_brief(a: Any, dim: int) -> bool:
    """Returns whether a softmax is one of the rows of a small matrix."""
    return dim == 1 and a.ndim == 2 and 0 < a.size <= _BRIEF and a.dtype is _FLOAT32 and a.flags.c_contiguous


@bare
def _softmax(a: Any, dim: int) -> Any:
    """Returns exponentials over their sum; of a few numbers they are not shifted where the sum shows no need to."""
    row = _ROWS.get(a.shape)
    if row is not None and a.dtype is _FLOAT32:
        out = np.exp(a)
        sums = row.dot(out)[0, ...]  # by an array without dimensions is the quickest division
        if 1 <= sums.item() < _HUGE:  # nothing has overflowed, and what has vanished would have vanished
            return np.divide(out, sums, out)
    elif _is_brief(a, dim):
        out = np.exp(a)
        sums = out.dot(_column(a.shape[1]))
        if _ends(sums)[0] >= 1:
            return np.divide(out, sums, out)
    return _long_softmax(a, dim)


@bare
def _log_softmax(a: Any, dim: int) -> Any:
    """Returns logarithms of exponentials over their sum."""
    if not _is_brief(a, dim):
        return _long_log_softmax(a, dim)
    out = np.subtract(a, _row_tops(a))
    sums = np.exp(out).dot(_column(a.shape[1]))
    return np.subtract(out, np.log(sums, sums), out)


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
    "_log_softmax": _log_softmax,
    "_softmax_backward": _over(_softmax_back_into, np.zeros_like),
    "_log_softmax_backward": _over(_log_softmax_back_into, np.zeros_like),
    "_logsumexp": _logsumexp,
}
