"""Extremes, their places, and questions about truth: one ufunc or one search, with nothing around it.

The place of an extreme is found four times as fast as its value is reduced, on a few numbers; nan is first in both.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch.plugin.numpylike import KERNELS as SHARED
from dispatchtorch_numpy.kernels.bare import bare

__all__ = ["KERNELS"]

_SMALL: Final = 4096  # elements up to which a search is faster than a reduction
_PLAIN: Final = frozenset(np.dtype(c) for c in "?bBhHiIlLqQfd")
_ndarray: Final = np.ndarray
_as_array: Final = np.asarray
_or: Final[Any] = np.logical_or.reduce  # arguments by position, which numpy's annotations do not know
_and: Final[Any] = np.logical_and.reduce


def _extreme(name: str, ufunc: Any, find: Any) -> Kernel:
    """Returns the kernel of ``_amax`` or ``_amin``, which without dims is that of ``_max_all`` or ``_min_all``."""
    reduce = ufunc.reduce

    @bare
    def kernel(a: Any, dims: Any = None, keepdim: bool = False) -> Any:
        if dims is None and 0 < a.size <= _SMALL and a.dtype in _PLAIN and not keepdim:
            flat = a if a.ndim == 1 else a.reshape(-1)
            return flat[find(flat), ...].copy()
        out = reduce(a, dims, None, None, keepdim)
        return out if type(out) is _ndarray else _as_array(out)

    kernel.__name__ = name
    return kernel


def _place(name: str, find: Any) -> Kernel:
    """Returns the kernel of ``_argmax`` or ``_argmin``."""
    shared = SHARED[name]

    @bare
    def kernel(a: Any, dim: int | None, keepdim: bool) -> Any:
        if keepdim or not a.ndim or a.dtype not in _PLAIN:
            return _as_array(shared(np, a, dim, keepdim))
        return _as_array(find(a, dim))

    kernel.__name__ = name
    return kernel


@lru_cache(maxsize=256)
def _starts(rows: int, n: int) -> Any:
    """Returns where each of so many rows begins."""
    return np.arange(0, rows * n, n)


def _along(name: str, find: Any) -> Kernel:
    """Returns the kernel of ``_max_dim`` or ``_min_dim``: the values are picked where the places say."""
    shared = SHARED[name]

    @bare
    def kernel(a: Any, dim: int, keepdim: bool) -> Any:
        if dim != a.ndim - 1 or keepdim or not a.size or a.dtype not in _PLAIN or not a.flags.c_contiguous:
            with np.errstate(all="ignore"):
                return tuple([_as_array(x) for x in shared(np, a, dim, keepdim)])
        places = _as_array(find(a, dim))
        n = a.shape[-1]
        rows = a.size // n
        starts = _starts(rows, n) if rows <= _SMALL else np.arange(0, a.size, n)
        picked = a.reshape(-1).take(np.add(places.reshape(-1), starts))
        return picked.reshape(places.shape), places

    kernel.__name__ = name
    return kernel


@bare
def _any(a: Any, dims: Any, keepdim: bool) -> Any:
    """Returns whether any element is true."""
    out = _or(a, dims, None, None, keepdim)
    return out if type(out) is _ndarray else _as_array(out)


@bare
def _all(a: Any, dims: Any, keepdim: bool) -> Any:
    """Returns whether all elements are true."""
    out = _and(a, dims, None, None, keepdim)
    return out if type(out) is _ndarray else _as_array(out)


_amax, _amin = _extreme("_amax", np.maximum, _ndarray.argmax), _extreme("_amin", np.minimum, _ndarray.argmin)

KERNELS: Final[dict[str, Kernel]] = {
    "_amax": _amax,
    "_amin": _amin,
    "_max_all": _amax,
    "_min_all": _amin,
    "_argmax": _place("_argmax", _ndarray.argmax),
    "_argmin": _place("_argmin", _ndarray.argmin),
    "_max_dim": _along("_max_dim", _ndarray.argmax),
    "_min_dim": _along("_min_dim", _ndarray.argmin),
    "_any": _any,
    "_all": _all,
}
