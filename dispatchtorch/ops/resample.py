"""Resampling: each dimension of a picture gets another size, by neighbours and weights that tables name.

``_taps`` is the only primitive; its derivative is itself with the transposed table. Which places and weights is
`resample_tables`'; words and checks are `nn.functional.interpolate`'s.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

from dispatchtorch._base.dtypes import float64, int32, uint8
from dispatchtorch.dispatch.table import composite, primitive
from dispatchtorch.dispatch.tracing import lasting
from dispatchtorch.ops.resample_tables import rounded, table, turned
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["resample"]

Ints = tuple[int, ...]


@primitive(
    grad={
        "input": lambda g, axis, places, weights, back_places, back_weights: _taps(
            g, axis, back_places, places, back_weights, weights
        )
    },
    node="UpsampleBackward0",
)
def _taps(
    input: Tensor,
    axis: int,
    places: Tensor,
    back_places: Tensor,
    weights: Tensor | None = None,
    back_weights: Tensor | None = None,
) -> Tensor:
    """Returns sums of weighted slices of ``axis``: row k of ``places`` and ``weights`` is the k-th term of each."""
    ...


@functools.lru_cache(maxsize=256)
def _tensors(have: int, key: Any, facts: tuple[Any, ...]) -> tuple[Tensor, Tensor, Tensor | None, Tensor]:
    """Returns places and weights, and both transposed, where the input lies."""
    places, weights = table(have, *facts)
    back_places, back_weights = turned(places, weights, have)

    def there(host: Any) -> Tensor:
        return lasting(lambda: interop.from_host(host, key.device, key.backend))

    return there(places), there(back_places), None if weights is None else there(weights), there(back_weights)


@functools.lru_cache(maxsize=64)
def _whole_tensors(have: int, key: Any, facts: tuple[Any, ...]) -> tuple[Tensor, Tensor, int]:
    """Returns places and whole weights for bytes, and the bits of these."""
    places, weights = table(have, *facts)
    places, whole, bits = rounded(places, weights)

    def there(host: Any) -> Tensor:
        return lasting(lambda: interop.from_host(host, key.device, key.backend))

    return there(places), there(whole), bits


def _bytes(input: Tensor, axis: int, places: Tensor, weights: Tensor, bits: int) -> Tensor:
    """Returns bytes resampled along one dimension in whole numbers, each dimension rounded, as torch does."""
    total = _taps(input.to(int32), axis, places, places, weights, weights)
    return ((total + (1 << bits >> 1)) >> bits).clamp(0, 255).to(uint8)


def _samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(1, 2, 4), (7,), "nearest", False, (None,), False))
    yield Sample((make(1, 2, 5), (3,), "exact", False, (None,), False))
    yield Sample((make(1, 2, 3, 4), (5, 6), "linear", True, (None, None), False))
    yield Sample((make(1, 1, 4, 3), (6, 5), "cubic", False, (1.5, 1.7), False))
    yield Sample((make(1, 1, 6, 5), (3, 4), "linear", False, (None, None), True))
    yield Sample((make(1, 1, 8, 5), (3, 7), "lanczos", False, (None, None), True))


@composite(function=False, samples=_samples)
def resample(
    input: Tensor, sizes: Sequence[int], kind: str, align: bool, scales: Sequence[float | None], smooth: bool
) -> Tensor:
    """Returns the input with its last dimensions resized; ``kind``: nearest, exact, linear, cubic, lanczos."""
    dtype, out = input._key.dtype, input
    if dtype.itemsize == 2 and dtype.is_floating_point and kind not in ("nearest", "exact"):
        return resample(input.float(), sizes, kind, align, scales, smooth).to(dtype)  # rounded once, not a dimension
    in_parts = dtype is uint8 and kind not in ("nearest", "exact")
    first = len(input._a.shape) - len(sizes)
    for i in reversed(range(len(sizes))):
        have = int(input._a.shape[first + i])
        if have == sizes[i] and not smooth and (scales[i] is None or scales[i] == 1.0 or align):
            continue
        facts = (int(sizes[i]), kind, align, scales[i], smooth, dtype is float64 or in_parts)
        if in_parts:
            out = _bytes(out, first + i, *_whole_tensors(have, out._key, facts))
            continue
        out = _taps(out, first + i, *_tensors(have, out._key, facts))
    return input.clone() if out is input else out
