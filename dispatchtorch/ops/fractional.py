"""Pooling by windows whose places are drawn: the largest of each, and where it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dispatchtorch.dispatch.table import FUNCTIONS, composite
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["fractional_max_pool"]


def _starts(sample: Tensor, have: int, want: int, kernel: int) -> Tensor:
    """Returns where windows begin (N, C, want), from one number in [0, 1) a channel."""
    end = sample.new_full((*sample._a.shape, 1), have - kernel)
    if want == 1:
        return end.long()
    alpha = (have - kernel) / (want - 1)
    steps = FUNCTIONS["arange"](want - 1, dtype=sample.dtype, device=sample.device)
    moved = ((steps + sample.unsqueeze(-1)) * alpha).trunc() - (sample.unsqueeze(-1) * alpha).trunc()
    return FUNCTIONS["cat"]([moved, end], -1).long()  # type: ignore[no-any-return]  # the table


def _samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(2, 2, 7, 6), (2, 3), (3, 2), make(2, 2, 2, low=0.0, high=0.99)))
    yield Sample((make(1, 4, 5, 4), (2, 2, 2), (2, 3, 2), make(1, 1, 3, low=0.0, high=0.99)), grad=False)


@composite(function=False, samples=_samples)
def fractional_max_pool(
    input: Tensor, kernel: Sequence[int], sizes: Sequence[int], samples: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns the largest of each window of the last dimensions, as many as in ``sizes``, and its flat place.

    ``samples`` (N, C, dimensions) decides where windows are.
    """
    n = len(kernel)
    batched = input.dim() == n + 2
    x = input if batched else input.unsqueeze(0)
    shape = [int(s) for s in x._a.shape]
    columns = (1, 0) if n == 2 else (0, 1, 2)  # in two dimensions the width's number comes first
    flat: Any = None
    for axis in range(n):
        start = _starts(samples.select(2, columns[axis]), shape[2 + axis], sizes[axis], kernel[axis])
        place = start.unsqueeze(-1) + FUNCTIONS["arange"](kernel[axis], device=x.device)
        spread = place.reshape(
            *place._a.shape[:2],
            *[sizes[axis] if a == axis else 1 for a in range(n)],
            *[kernel[axis] if a == axis else 1 for a in range(n)],
        )
        flat = spread if flat is None else flat * shape[2 + axis] + spread
    count = 1
    for k in kernel:
        count *= k
    where = flat.reshape(*flat._a.shape[: 2 + n], count).expand(*shape[:2], *sizes, count)
    rows = x.flatten(2)
    looked = rows.detach().gather(2, where.flatten(2)).reshape(where.shape)
    best = where.gather(-1, looked.argmax(-1, True)).squeeze(-1)
    out = rows.gather(2, best.flatten(2)).reshape(best.shape)
    return (out, best) if batched else (out.squeeze(0), best.squeeze(0))
