"""What a view is: sizes, strides and a start over a flat storage, and the questions one can ask of these three.

Everything counts in elements, never in bytes. The module knows nothing of arrays, dtypes, storages or ops: a lens is
three facts, and two lenses with equal facts are the same key in any table.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "Lens",
    "channels_last_3d_strides",
    "channels_last_strides",
    "contiguous_lens",
    "contiguous_strides",
    "has_internal_overlap",
    "is_channels_last",
    "is_channels_last_3d",
    "is_contiguous",
    "is_non_overlapping_and_dense",
    "span",
]


class Lens(NamedTuple):
    """Sizes, strides and offset of one view. A tuple: nothing else in Python is made and hashed as fast."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int


def contiguous_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The row-major strides of `shape`, in which an empty dimension counts as one of size 1."""
    ndim = len(shape)
    if ndim == 0:
        return ()
    if ndim == 1:
        return (1,)
    if ndim == 2:
        return (shape[1] or 1, 1)
    strides = [1] * ndim
    step = 1
    for dim in range(ndim - 1, 0, -1):
        step *= shape[dim] or 1
        strides[dim - 1] = step
    return tuple(strides)


def contiguous_lens(shape: tuple[int, ...]) -> Lens:
    """The lens of a fresh tensor of `shape`."""
    return Lens(shape, contiguous_strides(shape), 0)


def channels_last_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a fresh 4-dim (N, C, H, W) tensor with channels fastest; an empty dimension makes zeros."""
    _, channels, height, width = shape
    row = channels * width
    return (row * height, 1, row, channels)


def channels_last_3d_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a fresh 5-dim (N, C, D, H, W) tensor with channels fastest; an empty dimension makes zeros."""
    _, channels, depth, height, width = shape
    row = channels * width
    plane = row * height
    return (plane * depth, 1, plane, row, channels)


def _follows(lens: Lens, order: tuple[int, ...]) -> bool:
    """Whether walking the dimensions in `order`, fastest first, meets no gap; a size of 1 fits anywhere."""
    shape, strides, _ = lens
    expected = 1
    for dim in order:
        size = shape[dim]
        if size != 1:
            if strides[dim] != expected:
                return False
            expected *= size
    return True


def is_contiguous(lens: Lens) -> bool:
    """Whether the elements lie row-major without gaps; an empty view always does."""
    shape, strides, _ = lens
    expected = 1
    gap = False
    for dim in range(len(shape) - 1, -1, -1):
        size = shape[dim]
        if size != 1:
            if strides[dim] != expected:
                gap = True
            expected *= size
    return not gap or expected == 0


def is_channels_last(lens: Lens) -> bool:
    """Whether a 4-dim view lies in channels_last order without gaps; any other number of dimensions does not."""
    return len(lens.shape) == 4 and _follows(lens, (1, 3, 2, 0))


def is_channels_last_3d(lens: Lens) -> bool:
    """Whether a 5-dim view lies in channels_last_3d order without gaps; any other number of dimensions does not."""
    return len(lens.shape) == 5 and _follows(lens, (1, 4, 3, 2, 0))


def is_non_overlapping_and_dense(lens: Lens) -> bool:
    """Whether some order of the dimensions makes the view contiguous."""
    if is_contiguous(lens):
        return True
    shape, strides, _ = lens
    moving = [dim for dim in range(len(shape)) if shape[dim] != 1]
    return _follows(lens, tuple(sorted(moving, key=strides.__getitem__)))


def has_internal_overlap(lens: Lens) -> bool:
    """Whether two elements certainly share a memory location: a stride of 0 under more than one element.

    Overlaps that only arithmetic over several strides would find (`unfold`, odd `as_strided` calls) answer False, as in
    PyTorch, which lets such tensors be written to.
    """
    shape, strides, _ = lens
    for dim in range(len(shape)):
        if strides[dim] == 0 and shape[dim] > 1:
            return not is_contiguous(lens)
    return False


def span(lens: Lens) -> int:
    """The number of storage elements that the view needs, counted from the storage's start; 0 for an empty view."""
    shape, strides, offset = lens
    last = offset
    for size, stride in zip(shape, strides, strict=True):
        if size == 0:
            return 0
        last += (size - 1) * stride
    return last + 1
