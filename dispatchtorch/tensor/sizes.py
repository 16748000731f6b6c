"""Which sizes and dimensions a call means: wrapped dims, a -1 filled in, shapes broadcast, with torch's sentences.

Nothing here knows of strides, views or data.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "broadcast_shapes",
    "flatten_shape",
    "infer_shape",
    "numel",
    "unflatten_shape",
    "wrap_dim",
    "wrap_dims",
]


def numel(shape: tuple[int, ...]) -> int:
    """The number of elements of `shape`; 1 for a 0-dim one."""
    count = 1
    for size in shape:
        count *= size
    return count


def wrap_dim(dim: int, ndim: int) -> int:
    """`dim` counted from the front, where 0-dim counts as one dimension. Raises IndexError out of range."""
    reach = ndim or 1
    if -reach <= dim < reach:
        return dim if dim >= 0 else dim + reach
    raise IndexError(f"Dimension out of range (expected to be in range of [{-reach}, {reach - 1}], but got {dim})")


def wrap_dims(dims: Sequence[int], ndim: int) -> tuple[int, ...]:
    """`dims` counted from the front, in the order given. Raises when one is out of range or occurs twice."""
    wrapped: list[int] = []
    for dim in dims:
        front = wrap_dim(dim, ndim)
        if front in wrapped:
            raise RuntimeError(f"dim {front} appears multiple times in the list of dims")
        wrapped.append(front)
    return tuple(wrapped)


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The common shape of all `shapes`, taken from left to right as an elementwise op does. Raises RuntimeError."""
    out: tuple[int, ...] = shapes[0] if shapes else ()
    for shape in shapes[1:]:
        if shape != out:
            out = _broadcast_two(out, shape)
    return out


def _broadcast_two(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    longer, shift = (a, len(a) - len(b)) if len(a) >= len(b) else (b, len(b) - len(a))
    shorter = b if longer is a else a
    out = list(longer)
    for dim in range(len(out) - 1, shift - 1, -1):
        size, other = out[dim], shorter[dim - shift]
        if size == other or other == 1:
            continue
        if size != 1:
            first, second = (size, other) if longer is a else (other, size)
            raise RuntimeError(
                f"The size of tensor a ({first}) must match the size of tensor b ({second}) "
                f"at non-singleton dimension {dim}"
            )
        out[dim] = other
    return tuple(out)


def infer_shape(shape: Sequence[int], count: int) -> tuple[int, ...]:
    """`shape` with its one -1 replaced by what `count` elements leave for it. Raises RuntimeError."""
    unknown = -1
    product = 1
    for dim, size in enumerate(shape):
        if size >= 0:
            product *= size
        elif size != -1:
            raise RuntimeError(f"invalid shape dimension {size} at index {dim} of shape {list(shape)}")
        elif unknown >= 0:
            raise RuntimeError("only one dimension can be inferred")
        else:
            unknown = dim
    if unknown < 0:
        if product == count:
            return tuple(shape)
    elif product > 0:
        if count % product == 0:
            return (*shape[:unknown], count // product, *shape[unknown + 1 :])
    elif count == 0:
        raise RuntimeError(
            f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified dimension size -1 "
            "can be any value and is ambiguous"
        )
    raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {count}")


def flatten_shape(shape: tuple[int, ...], start_dim: int = 0, end_dim: int = -1) -> tuple[int, ...]:
    """`shape` with the dimensions from `start_dim` to `end_dim` made one; a 0-dim shape becomes (1,).

    Where the answer is `shape` itself, torch returns the tensor and makes no view.
    """
    start, end = wrap_dim(start_dim, len(shape)), wrap_dim(end_dim, len(shape))
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if not shape:
        return (1,)
    return (*shape[:start], numel(shape[start : end + 1]), *shape[end + 1 :])


def unflatten_shape(shape: tuple[int, ...], dim: int, sizes: Sequence[int]) -> tuple[int, ...]:
    """`shape` with dimension `dim` replaced by `sizes`, in which one may be -1."""
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    dim = wrap_dim(dim, len(shape))
    if not shape:
        raise RuntimeError("unflatten got an unexpected error:\nDimension specified as 0 but tensor has no dimensions")
    try:
        inner = infer_shape(sizes, shape[dim])
    except RuntimeError as error:
        if "is invalid for input of size" not in str(error):
            raise RuntimeError(f"unflatten got an unexpected error:\n{error}") from None
        raise RuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {dim} ({shape[dim]}) "
            "in the input tensor"
        ) from None
    return (*shape[:dim], *inner, *shape[dim + 1 :])
