"""Factors of symmetric indefinite matrices, on the host: what libraries without LAPACK's ``sytrf`` share.

One matrix after the other, since each pivots in its own way. The packed form and pivots are LAPACK's, lower triangle.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

__all__ = ["factor", "solve"]

Host = np.ndarray[Any, Any]
_ALPHA: Final = (1 + math.sqrt(17)) / 8  # above it a pivot of one keeps elements from growing more than one of two


def _size(x: Any) -> Any:
    """Returns how large elements are, for choosing among them, as LAPACK measures it."""
    return abs(x.real) + abs(x.imag)


def _choice(a: Host, k: int) -> tuple[int, int]:
    """Returns which row to bring to the front, and how many columns the next block of ``D`` has; 0 for a zero."""
    n = len(a)
    own = _size(a[k, k])
    if k == n - 1:
        return k, int(own != 0 and own == own)
    best = k + 1 + int(np.argmax(_size(a[k + 1 :, k])))
    column = _size(a[best, k])
    if max(own, column) == 0 or own != own:
        return k, 0
    if own >= _ALPHA * column:
        return k, 1
    row = max(_size(a[best, k:best]).max(), _size(a[best + 1 :, best]).max(initial=0))
    if own >= _ALPHA * column * (column / row):
        return k, 1
    return best, 1 if _size(a[best, best]) >= _ALPHA * row else 2


def _interchange(a: Host, k: int, kk: int, kp: int, hermitian: bool) -> None:
    """Swaps rows and columns ``kk`` and ``kp`` of what is left of the matrix, of which the lower triangle is there."""
    a[kp + 1 :, [kk, kp]] = a[kp + 1 :, [kp, kk]]
    between, along = a[kk + 1 : kp, kk].copy(), a[kp, kk + 1 : kp].copy()
    a[kk + 1 : kp, kk], a[kp, kk + 1 : kp] = (along.conj(), between.conj()) if hermitian else (along, between)
    if hermitian:
        a[kp, kk] = a[kp, kk].conj()
    a[kk, kk], a[kp, kp] = a[kp, kp], a[kk, kk]
    if kk > k:
        a[kk, k], a[kp, k] = a[kp, k], a[kk, k]


def _eliminate(a: Host, k: int, step: int, hermitian: bool) -> None:
    rest = slice(k + step, None)
    block = np.tril(a[k : k + step, k : k + step])
    block = block + (np.tril(block, -1).conj().T if hermitian else np.tril(block, -1).T)
    columns = a[rest, k : k + step].copy()
    factors = columns / block[0, 0] if step == 1 else np.linalg.solve(block.T, columns.T).T
    a[rest, rest] -= factors @ (columns.conj().T if hermitian else columns.T)
    a[rest, k : k + step] = factors


def _factor_one(a: Host, hermitian: bool) -> tuple[Host, Host, int]:
    n = len(a)
    a = np.tril(a)
    pivots = np.zeros(n, np.int32)
    info = k = 0
    if hermitian:
        np.fill_diagonal(a, a.diagonal().real)
    while k < n:
        kp, step = _choice(a, k)
        if not step:
            info = info or k + 1
            pivots[k] = k + 1
            k += 1
            continue
        kk = k + step - 1
        if kp != kk:
            _interchange(a, k, kk, kp, hermitian)
        if k + step < n:
            _eliminate(a, k, step, hermitian)
        pivots[k : k + step] = kp + 1 if step == 1 else -(kp + 1)
        k += step
    return np.tril(a), pivots, info


def factor(a: Host, hermitian: bool) -> tuple[Host, Host, Host]:
    """Returns packed factors, pivots from 1 (negative pairs for blocks of two), and which block is zero, or 0."""
    batch, n = a.shape[:-2], a.shape[-1]
    packed, pivots = np.zeros(a.shape, a.dtype), np.zeros((*batch, n), np.int32)
    info = np.zeros(batch, np.int32)
    with np.errstate(all="ignore"):
        for i in np.ndindex(batch):
            packed[i], pivots[i], info[i] = _factor_one(a[i], hermitian)
    return packed, pivots, info


def _solve_one(a: Host, pivots: Host, b: Host, hermitian: bool) -> Host:
    n = len(a)
    x = b.copy()
    starts: list[tuple[int, int]] = []
    k = 0
    while k < n:
        step = 1 if pivots[k] > 0 else 2
        starts.append((k, step))
        kk, kp = k + step - 1, abs(int(pivots[k])) - 1
        x[[kk, kp]] = x[[kp, kk]]
        x[k + step :] -= a[k + step :, k : k + step] @ x[k : k + step]
        block = np.tril(a[k : k + step, k : k + step])
        block = block + (np.tril(block, -1).conj().T if hermitian else np.tril(block, -1).T)
        x[k : k + step] = x[k : k + step] / block[0, 0] if step == 1 else np.linalg.solve(block, x[k : k + step])
        k += step
    for k, step in reversed(starts):
        below = a[k + step :, k : k + step]
        x[k : k + step] -= (below.conj().T if hermitian else below.T) @ x[k + step :]
        kk, kp = k + step - 1, abs(int(pivots[k])) - 1
        x[[kk, kp]] = x[[kp, kk]]
    return x


def solve(packed: Host, pivots: Host, b: Host, hermitian: bool) -> Host:
    """Returns ``x`` with ``a @ x = b``, given what `factor` says of ``a``; all of one batch shape."""
    out = np.empty(b.shape, b.dtype)
    with np.errstate(all="ignore"):
        for i in np.ndindex(b.shape[:-2]):
            out[i] = _solve_one(packed[i], pivots[i], b[i], hermitian)
    return out
