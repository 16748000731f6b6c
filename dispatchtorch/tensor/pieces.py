"""Which part of a tensor a view shows: indices, slices, windows and pieces, from lens to lens, as in `geometry`."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index as as_index
from types import EllipsisType
from typing import TypeAlias

from .lens import Lens
from .sizes import wrap_dim

__all__ = [
    "BasicIndex",
    "basic_index",
    "chunk",
    "diagonal",
    "narrow",
    "select",
    "slice_dim",
    "split",
    "tensor_split",
    "unbind",
    "unfold",
]

BasicIndex: TypeAlias = int | slice | EllipsisType | None


def select(lens: Lens, dim: int, index: int) -> Lens:
    """The view of one `index` along `dim`, without that dimension."""
    shape, strides, offset = lens
    if not shape:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    dim = wrap_dim(dim, len(shape))
    size = shape[dim]
    if not -size <= index < size:
        raise IndexError(f"select(): index {index} out of range for tensor of size {list(shape)} at dimension {dim}")
    offset += (index if index >= 0 else index + size) * strides[dim]
    return Lens(shape[:dim] + shape[dim + 1 :], strides[:dim] + strides[dim + 1 :], offset)


def _resized(lens: Lens, dim: int, size: int, start: int) -> Lens:
    """The view with `size` indices from `start` on along `dim`, both known to be right."""
    shape, strides, offset = lens
    return Lens((*shape[:dim], size, *shape[dim + 1 :]), strides, offset + start * strides[dim])


def slice_dim(lens: Lens, dim: int = 0, start: int | None = None, stop: int | None = None, step: int = 1) -> Lens:
    """The view of `start:stop:step` along `dim`; bounds beyond the ends are moved to the ends."""
    shape, strides, offset = lens
    if not shape:
        raise IndexError("slice() cannot be applied to a 0-dim tensor.")
    dim = wrap_dim(dim, len(shape))
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    first, last, _ = slice(start, stop, step).indices(shape[dim])
    size = (last - first + step - 1) // step if last > first else 0
    return Lens(
        (*shape[:dim], size, *shape[dim + 1 :]),
        (*strides[:dim], strides[dim] * step, *strides[dim + 1 :]),
        offset + first * strides[dim],
    )


def narrow(lens: Lens, dim: int, start: int, length: int) -> Lens:
    """The view of `length` indices from `start` on along `dim`."""
    shape = lens.shape
    if not shape:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    dim = wrap_dim(dim, len(shape))
    size = shape[dim]
    if not -size <= start <= size:
        raise IndexError(f"start out of range (expected to be in range of [{-size}, {size}], but got {start})")
    if start < 0:
        start += size
    if start > size - length:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({size}).")
    return _resized(lens, dim, length, start)


def _need_a_dim(lens: Lens, sentence: str) -> None:
    if not lens.shape:
        raise RuntimeError(sentence)


def split(lens: Lens, sizes: int | Sequence[int], dim: int = 0) -> list[Lens]:
    """The views of consecutive pieces along `dim`: of one size, the last perhaps smaller, or of the sizes listed."""
    _need_a_dim(lens, "split expects at least a 1-dimensional tensor")
    if isinstance(sizes, int):
        if sizes < 0:
            raise RuntimeError(f"split expects split_size be non-negative, but got split_size={sizes}")
        dim = wrap_dim(dim, len(lens.shape))
        total = lens.shape[dim]
        if sizes == 0:
            if total != 0:
                raise RuntimeError(
                    f"split_size can only be 0 if dimension size is 0, but got dimension size of {total}"
                )
            return [lens]
        starts = range(0, total, sizes) if total else (0,)
        return [_resized(lens, dim, min(sizes, total - start), start) for start in starts]
    given, dim = dim, wrap_dim(dim, len(lens.shape))
    total = lens.shape[dim]
    pieces: list[Lens] = []
    start = 0
    for size in sizes:
        if size < 0:
            raise RuntimeError(
                "split_with_sizes expects split_sizes have only non-negative entries, "
                f"but got split_sizes={list(sizes)}"
            )
        pieces.append(_resized(lens, dim, size, start))
        start += size
    if start != total:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {total} "
            f"(input tensor's size at dimension {given}), but got split_sizes={list(sizes)}"
        )
    return pieces


def chunk(lens: Lens, chunks: int, dim: int = 0) -> list[Lens]:
    """The views of at most `chunks` consecutive pieces of one size along `dim`."""
    _need_a_dim(lens, "chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    dim = wrap_dim(dim, len(lens.shape))
    total = lens.shape[dim]
    if total == 0:
        return [lens] * chunks
    return split(lens, -(-total // chunks), dim)


def tensor_split(lens: Lens, indices_or_sections: int | Sequence[int], dim: int = 0) -> list[Lens]:
    """The views of a number of nearly equal pieces along `dim`, or of the pieces that end at the indices listed."""
    _need_a_dim(lens, "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    dim = wrap_dim(dim, len(lens.shape))
    total = lens.shape[dim]
    if not isinstance(indices_or_sections, int):
        ends = [*indices_or_sections, total]
        starts = [0, *indices_or_sections]
        return [slice_dim(lens, dim, start, end) for start, end in zip(starts, ends, strict=True)]
    sections = indices_or_sections
    if sections <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
    small, larger = divmod(total, sections)
    return [_resized(lens, dim, small + (part < larger), part * small + min(part, larger)) for part in range(sections)]


def unbind(lens: Lens, dim: int = 0) -> list[Lens]:
    """The views of every index along `dim`, each without that dimension."""
    shape, strides, offset = lens
    if not shape:
        wrap_dim(dim, 0)
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    dim = wrap_dim(dim, len(shape))
    sizes, steps, step = shape[:dim] + shape[dim + 1 :], strides[:dim] + strides[dim + 1 :], strides[dim]
    return [Lens(sizes, steps, offset + place * step) for place in range(shape[dim])]


def diagonal(lens: Lens, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Lens:
    """The view of the elements whose index along `dim2` exceeds that along `dim1` by `offset`, as a last dimension."""
    shape, strides, start = lens
    first, second = wrap_dim(dim1, len(shape)), wrap_dim(dim2, len(shape))
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    if offset >= 0:
        size = max(min(shape[first], shape[second] - offset), 0)
        start += offset * strides[second] if size else 0
    else:
        size = max(min(shape[first] + offset, shape[second]), 0)
        start -= offset * strides[first] if size else 0
    others = [dim for dim in range(len(shape)) if dim != first and dim != second]
    return Lens(
        (*[shape[dim] for dim in others], size),
        (*[strides[dim] for dim in others], strides[first] + strides[second]),
        start,
    )


def unfold(lens: Lens, dimension: int, size: int, step: int) -> Lens:
    """The view of every window of `size` indices along `dimension`, `step` apart, as a new last dimension."""
    shape, strides, offset = lens
    dim = wrap_dim(dimension, len(shape))
    total, stride = (shape[dim], strides[dim]) if shape else (1, 1)
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if size > total:
        raise RuntimeError(f"maximum size for tensor at dimension {dim} is {total} but size is {size}")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    if not shape:
        return Lens((size,), (1,), offset)
    windows = (total - size) // step + 1
    return Lens(
        (*shape[:dim], windows, *shape[dim + 1 :], size),
        (*strides[:dim], stride * step, *strides[dim + 1 :], stride),
        offset,
    )


def _out_of_bounds(index: int, dim: int, size: int) -> Exception:
    if not -(2**63) <= index < 2**63:
        return ValueError("Overflow when unpacking long long")
    return IndexError(f"index {index} is out of bounds for dimension {dim} with size {size}")


def _too_many(items: tuple[BasicIndex, ...], ndim: int) -> Exception:
    """The refusal of more indices than dimensions; torch has other words where a 0-dim tensor gets just one."""
    if ndim == 0 and len(items) == 1:
        if isinstance(items[0], slice):
            return IndexError("slice() cannot be applied to a 0-dim tensor.")
        if items[0] == 0:
            return IndexError(
                "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to "
                "convert a 0-dim tensor to a number"
            )
        if isinstance(items[0], int):
            return _out_of_bounds(items[0], 0, 0)
    return IndexError(f"too many indices for tensor of dimension {ndim}")


def _integer(item: object) -> int:
    """`item` as an integer. Raises torch's IndexError for what cannot be an index at all."""
    try:
        return as_index(item)  # type: ignore[arg-type]  # the TypeError of a wrong argument is what is asked for
    except TypeError:
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices "
            f"(got {type(item).__name__})"
        ) from None


def basic_index(lens: Lens, items: tuple[BasicIndex, ...]) -> Lens:
    """The view that `tensor[items]` is, for integers, slices, None and Ellipsis.

    Booleans, sequences and tensors are not basic: the caller has to take them elsewhere, also where True stands for 1.
    """
    shape, strides, offset = lens
    ndim = len(shape)
    if ndim and len(items) == 1 and type(items[0]) is int:
        place, size = items[0], shape[0]
        if place < 0:
            place += size
        if not 0 <= place < size:
            raise _out_of_bounds(items[0], 0, size)
        return Lens(shape[1:], strides[1:], offset + place * strides[0])
    specified = 0
    for item in items:
        if item is not None and item is not Ellipsis:
            specified += 1
    if specified > ndim:
        raise _too_many(items, ndim)
    sizes: list[int] = []
    steps: list[int] = []
    dim = 0
    for position, item in enumerate(items):
        if item is None:
            sizes.append(1)
            steps.append(shape[dim] * strides[dim] if dim < ndim else 1)
        elif item is Ellipsis:
            end = dim + ndim - specified
            sizes += shape[dim:end]
            steps += strides[dim:end]
            dim = end
        elif isinstance(item, slice):
            if dim >= ndim:
                raise IndexError("slice() cannot be applied to a 0-dim tensor.")
            first, last, step = item.indices(shape[dim])
            if step <= 0:
                raise ValueError("step must be greater than zero")
            sizes.append((last - first + step - 1) // step if last > first else 0)
            steps.append(strides[dim] * step)
            offset += first * strides[dim]
            dim += 1
        else:
            place = item if type(item) is int else _integer(item)
            size = shape[dim] if dim < ndim else 0
            if not -size <= place < size:
                raise _out_of_bounds(place, position, size)
            offset += (place if place >= 0 else place + size) * strides[dim]
            dim += 1
    return Lens((*sizes, *shape[dim:]), (*steps, *strides[dim:]), offset)
