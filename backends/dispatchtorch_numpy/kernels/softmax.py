"""Softmax in one buffer, a block of rows at a time, so that the passes over a row stay in the cache."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch_numpy.kernels.bare import bare
from dispatchtorch_numpy.kernels.reduce import total

__all__ = ["KERNELS"]

BLOCK: Final = 1 << 16  # elements
_WIDE: Final = frozenset(np.dtype(c) for c in "fdFD")
_FLOAT32: Final = np.dtype(np.float32)
_ROWS: Final = {(n,): np.ones((1, n), np.float32) for n in range(1, 65)}
_HUGE: Final = 1e30
_top: Final[Any] = np.maximum.reduce  # arguments by position, which numpy's annotations do not know


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


def _softmax_into(a: Any, out: Any, dim: int) -> None:
    np.subtract(a, _top(a, dim, None, None, True), out)
    np.exp(out, out)
    np.divide(out, total(out, (dim,), True), out)


def _log_softmax_into(a: Any, out: Any, dim: int) -> None:
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


KERNELS: Final[dict[str, Kernel]] = {
    "_softmax": _softmax,
    "_log_softmax": _over(_log_softmax_into, np.zeros_like),
    "_softmax_backward": _over(_softmax_back_into, np.zeros_like),
    "_log_softmax_backward": _over(_log_softmax_back_into, np.zeros_like),
}
