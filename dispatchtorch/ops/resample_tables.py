"""Which places of a dimension a resampled one looks at, and with what weights: host tables, made once for a size.

Arithmetic is in the precision that torch's is (float32 for everything but float64), as rounding decides which
neighbour is nearest. Must not know tensors.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Final

from dispatchtorch._base.host import np

__all__ = ["Table", "rounded", "table", "turned"]

Host = Any  # a numpy array
Table = tuple[Host, Host | None]  # places (taps, outputs), and weights of the same shape; None: ones


def _step(have: int, want: int, align: bool, scale: float | None, real: Any) -> Any:
    """Returns the distance between neighbours of the result, in places of the input."""
    if align:
        return real(have - 1) / real(want - 1) if want > 1 else real(0)
    if scale is not None and scale > 0:
        return real(1.0 / scale)
    return real(have) / real(want)


def _nearest(have: int, want: int, scale: float | None, exact: bool, real: Any) -> Table:
    step = _step(have, want, False, scale, real)
    at = np.arange(want).astype(real)
    places = np.floor((at + real(0.5)) * step if exact else at * step).astype(np.int64)
    return np.minimum(places, have - 1)[None], None


def _sources(have: int, want: int, align: bool, scale: float | None, real: Any) -> Host:
    """Returns where each place of the result lies in the input."""
    step, at = _step(have, want, align, scale, real), np.arange(want).astype(real)
    return at * step if align else (at + real(0.5)) * step - real(0.5)


def _linear(have: int, want: int, align: bool, scale: float | None, real: Any) -> Table:
    source = np.maximum(_sources(have, want, align, scale, real), real(0))
    low = np.minimum(source.astype(np.int64), have - 1)
    high = np.minimum(low + 1, have - 1)
    share = np.clip(source - low.astype(real), real(0), real(1))
    return np.stack([low, high]), np.stack([real(1) - share, share])


def _cubic_near(x: Host, a: float) -> Host:
    return ((a + 2) * x - (a + 3)) * x * x + 1


def _cubic_far(x: Host, a: float) -> Host:
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a


def _cubic(have: int, want: int, align: bool, scale: float | None, real: Any) -> Table:
    source = _sources(have, want, align, scale, real)
    low = np.floor(source)
    t, a = source - low, real(-0.75)
    weights = [_cubic_far(t + 1, a), _cubic_near(t, a), _cubic_near(1 - t, a), _cubic_far(2 - t, a)]
    places = np.clip(low.astype(np.int64)[None] + np.arange(-1, 3)[:, None], 0, have - 1)
    return places, np.stack(weights).astype(real)


# --- filters that widen with the step, so that nothing is skipped -----------------------------------------------------


def _triangle(x: float) -> float:
    return max(1.0 - abs(x), 0.0)


def _bicubic(x: float) -> float:
    x = abs(x)
    return float(_cubic_near(x, -0.5)) if x < 1 else float(_cubic_far(x, -0.5)) if x < 2 else 0.0


def _lanczos(x: float) -> float:
    if abs(x) >= 3:
        return 0.0
    if abs(x) < 1e-7:
        return 1.0
    turn = math.pi * x
    return 3 * math.sin(turn) * math.sin(turn / 3) / (turn * turn)


_FILTERS: Final = {"linear": (_triangle, 2), "cubic": (_bicubic, 4), "lanczos": (_lanczos, 6)}


def _smooth(have: int, want: int, kind: str, align: bool, scale: float | None, real: Any) -> Table:
    step = float(_step(have, want, align, scale, real))
    weigh, width = _FILTERS[kind]
    support = width * 0.5 * step if step >= 1 else width * 0.5
    shrink = 1.0 / step if step >= 1 else 1.0
    rows: list[tuple[int, list[float]]] = []
    for i in range(want):
        centre = step * (i + 0.5)
        begin = max(int(centre - support + 0.5), 0)
        end = min(int(centre + support + 0.5), have)
        weights = [weigh((j - centre + 0.5) * shrink) for j in range(begin, end)]
        total = sum(weights)
        rows.append((begin, [w / total for w in weights] if total else weights))
    taps = max([len(weights) for _, weights in rows], default=0)
    places = [[begin + min(k, max(len(weights) - 1, 0)) for k in range(taps)] for begin, weights in rows]
    padded = [weights + [0.0] * (taps - len(weights)) for _, weights in rows]
    return np.asarray(places, np.int64).reshape(want, taps).T, np.asarray(padded, real).reshape(want, taps).T


@functools.lru_cache(maxsize=512)
def table(have: int, want: int, kind: str, align: bool, scale: float | None, smooth: bool, double: bool) -> Table:
    """Returns the table that takes ``have`` places to ``want``; ``scale`` is the given factor, if it counts."""
    real: Any = np.float64 if double else np.float32
    if smooth:
        return _smooth(have, want, kind, align, scale, real)
    if kind in ("nearest", "exact"):
        return _nearest(have, want, scale, kind == "exact", real)
    return (_linear if kind == "linear" else _cubic)(have, want, align, scale, real)


def turned(places: Host, weights: Host | None, have: int) -> Table:
    """Returns the transposed table, from the result to the input: what a derivative looks at.

    An input place that fewer results use than another looks at one of its own again with weight 0, so that what is
    not finite stays where it is.
    """
    shares = np.ones(places.shape, np.float32) if weights is None else weights
    users: list[list[tuple[int, Any]]] = [[] for _ in range(have)]
    for row, row_shares in zip(places, shares, strict=True):
        for out, (place, share) in enumerate(zip(row.tolist(), row_shares, strict=True)):
            users[place].append((out, share))
    most = max([len(u) for u in users], default=0)
    back = np.zeros((most, have), np.int64)
    back_shares = np.zeros((most, have), shares.dtype)
    for place, used in enumerate(users):
        for k in range(most):
            if used:
                back[k, place] = used[min(k, len(used) - 1)][0]
            if k < len(used):
                back_shares[k, place] = used[k][1]
    return back, back_shares


def rounded(places: Host, weights: Host) -> tuple[Host, Host, int]:
    """Returns the table with weights in whole parts of ``2**bits``, and the bits: how torch resamples bytes."""
    merged = weights.astype(np.float64)
    for k in range(1, len(places)):
        for first in range(k):  # what lies on one place, at a border, is rounded as one
            same = (places[k] == places[first]) & (merged[k] != 0)
            merged[first] = np.where(same, merged[first] + merged[k], merged[first])
            merged[k] = np.where(same, 0.0, merged[k])
    bits, top = 0, float(merged.max(initial=0.0))
    while bits < 22 and int(0.5 + top * (1 << (bits + 1))) < (1 << 15):
        bits += 1
    return places, np.trunc(merged * (1 << bits) + np.where(merged < 0, -0.5, 0.5)).astype(np.int32), bits
