"""Products of matrices: BLAS through `dot`, which costs less than half of `matmul` on small ones; batches are folded.

numpy multiplies half-precision matrices one element at a time, so those go through float32, in which torch accumulates
them as well.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel
from dispatchtorch_numpy.kernels.bare import bare
from dispatchtorch_numpy.kernels.ones import LONGEST, ones
from dispatchtorch_numpy.kernels.reduce import total

__all__ = ["KERNELS"]

_FLOATS: Final = frozenset(np.dtype(c) for c in "fd")
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


@bare
def _sum_rows(g: Any) -> Any:
    """Returns the sum over all dimensions but the last, as a row of ones times a matrix."""
    rows = g.shape[0] if g.ndim == 2 else math.prod(g.shape[:-1])
    if g.dtype not in _DIRECT:
        return total(g.astype(np.float32), tuple(range(g.ndim - 1)), False).astype(g.dtype)
    if not 0 < rows <= LONGEST or g.dtype not in _FLOATS:
        return total(g, tuple(range(g.ndim - 1)), False)
    return ones(rows, g.dtype).dot(g if g.ndim == 2 else g.reshape(rows, g.shape[-1]))


# --- sums of products over subscripts --------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _layout(first: str, second: str, output: str) -> tuple[Any, ...]:
    """Returns how two operands become matrices of a batch, and their product the output.

    That is: whether they change places; of each the order of its dimensions (None as it is) and whether its matrices
    then stand transposed; how many dimensions are of the batch, of either's own and summed; the order of the result's.
    """
    batch = [c for c in output if c in first and c in second]
    summed = [c for c in first if c not in output]
    left, right = [c for c in output if c not in second], [c for c in output if c not in first]
    swap = bool(left and right) and list(output) == [*batch, *right, *left]
    if swap:
        first, second, left, right = second, first, right, left
    sides = []
    for labels, straight, turned in (
        (first, [*batch, *left, *summed], [*batch, *summed, *left]),
        (second, [*batch, *summed, *right], [*batch, *right, *summed]),
    ):
        as_it_is, transposed = list(labels) == straight, list(labels) == turned
        sides.append((None if as_it_is or transposed else [labels.index(c) for c in straight], transposed))
    found = [*batch, *left, *right]
    back = None if found == list(output) else [found.index(c) for c in output]
    return swap, *sides, (len(batch), len(left), len(summed), len(right)), back


def _matrices(a: Any, order: Any, transposed: bool, batch: int, rows: int) -> tuple[Any, tuple[int, ...]]:
    """Returns the operand as matrices of a batch, not yet turned, and its sizes in order."""
    if order is not None:
        a = a.transpose(order)
    shape = a.shape
    count, cut = math.prod(shape[:batch]), batch + rows
    sides = (math.prod(shape[batch:cut]), math.prod(shape[cut:]))
    a = a.reshape((count, *sides) if batch else sides)
    return (a.swapaxes(-2, -1) if transposed else a), shape


def _einsum_pair(x: Any, y: Any, first: str, second: str, output: str) -> Any:
    """Returns sums of products, as one product of matrices or one for each of a batch."""
    swap, (order, turned), (its_order, its_turned), (batch, left, summed, right), back = _layout(first, second, output)
    if swap:
        x, y = y, x
    a, shape = _matrices(x, order, turned, batch, summed if turned else left)
    b, other = _matrices(y, its_order, its_turned, batch, right if its_turned else summed)
    if a.dtype not in _DIRECT:
        out = _widened(np.matmul, a, b)
    elif batch:
        out = np.matmul(a, b)
    else:
        out = a.dot(b) if right else a.dot(b.reshape(-1))
    own = shape[batch + summed :] if turned else shape[batch : batch + left]
    its = other[batch : batch + right] if its_turned else other[batch + summed :]
    out = out.reshape(shape[:batch] + own + its)
    return out if back is None else out.transpose(back)


KERNELS: Final[dict[str, Kernel]] = {
    "matmul": matmul,
    "_bmm": matmul,
    "_matmul_nt": _matmul_nt,
    "_matmul_tn": _matmul_tn,
    "_fold_tn": _fold_tn,
    "_linear": _linear,
    "_einsum_pair": _einsum_pair,
    "_sum_rows": _sum_rows,
}
