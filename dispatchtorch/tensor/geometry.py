"""Where a view's elements lie: one function for each view op, from lens to lens, with torch's rules and sentences.

Nothing here touches data: a result is facts, or torch's exception. Argument types have been checked by the signature;
what is checked here is what torch checks after that, in the same order. The loops are plain because this is the hot
path of views.
"""

from __future__ import annotations

from collections.abc import Sequence

from .lens import Lens, contiguous_strides
from .pieces import (
    BasicIndex,
    basic_index,
    chunk,
    diagonal,
    narrow,
    select,
    slice_dim,
    split,
    tensor_split,
    unbind,
    unfold,
)
from .sizes import broadcast_shapes, flatten_shape, infer_shape, numel, unflatten_shape, wrap_dim, wrap_dims

__all__ = [
    "BasicIndex",
    "as_strided",
    "basic_index",
    "broadcast_shapes",
    "chunk",
    "diagonal",
    "expand",
    "flatten_shape",
    "infer_shape",
    "movedim",
    "narrow",
    "permute",
    "reshape_geometry",
    "select",
    "slice_dim",
    "split",
    "squeeze",
    "t",
    "tensor_split",
    "transpose",
    "unbind",
    "unflatten_shape",
    "unfold",
    "unsqueeze",
    "view",
    "wrap_dim",
    "wrap_dims",
]


def _regroup(lens: Lens, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The strides that show the same elements in `shape`, or None where only a copy can.

    The old dimensions fall into runs that are contiguous among themselves; the new ones must fill run after run.
    """
    old, strides, _ = lens
    if old == shape and 0 in old:
        return strides
    if 0 in old or strides == contiguous_strides(old):
        return contiguous_strides(shape)
    if not old:
        return (1,) * len(shape)
    out = [0] * len(shape)
    dim = len(shape) - 1
    unit = strides[-1]
    run = filled = 1
    for place in range(len(old) - 1, -1, -1):
        run *= old[place]
        if place and (old[place - 1] == 1 or strides[place - 1] == run * unit):
            continue
        while dim >= 0 and (filled < run or shape[dim] == 1):
            out[dim] = filled * unit
            filled *= shape[dim]
            dim -= 1
        if filled != run:
            return None
        if place:
            unit = strides[place - 1]
            run = filled = 1
    return tuple(out) if dim < 0 else None


def view(lens: Lens, shape: Sequence[int]) -> Lens:
    """The same elements in `shape`, in which one size may be -1. Raises RuntimeError where that needs a copy."""
    sizes = infer_shape(shape, numel(lens.shape))
    strides = _regroup(lens, sizes)
    if strides is None:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
            "contiguous subspaces). Use .reshape(...) instead."
        )
    return Lens(sizes, strides, lens.offset)


def reshape_geometry(lens: Lens, shape: Sequence[int]) -> Lens | None:
    """As `view`, but None where a copy is needed; `infer_shape` then gives the copy's shape."""
    sizes = infer_shape(shape, numel(lens.shape))
    strides = _regroup(lens, sizes)
    return None if strides is None else Lens(sizes, strides, lens.offset)


def permute(lens: Lens, dims: Sequence[int]) -> Lens:
    """The view whose dimension i is the old dimension `dims[i]`."""
    shape, strides, offset = lens
    ndim = len(shape)
    if len(dims) != ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions i.e. input.dim() = {ndim} is not equal to len(dims) = {len(dims)}"
        )
    order: list[int] = []
    for dim in dims:
        front = wrap_dim(dim, ndim)
        if front in order:
            raise RuntimeError("permute(): duplicate dims are not allowed.")
        order.append(front)
    return Lens(tuple([shape[dim] for dim in order]), tuple([strides[dim] for dim in order]), offset)


def transpose(lens: Lens, dim0: int, dim1: int) -> Lens:
    """The view with two dimensions exchanged (also `swapdims`, `swapaxes`)."""
    shape, strides, offset = lens
    ndim = len(shape)
    dim0, dim1 = wrap_dim(dim0, ndim), wrap_dim(dim1, ndim)
    if dim0 == dim1:
        return lens
    if ndim == 2:
        return Lens((shape[1], shape[0]), (strides[1], strides[0]), offset)
    sizes, steps = list(shape), list(strides)
    sizes[dim0], sizes[dim1] = sizes[dim1], sizes[dim0]
    steps[dim0], steps[dim1] = steps[dim1], steps[dim0]
    return Lens(tuple(sizes), tuple(steps), offset)


def t(lens: Lens) -> Lens:
    """The transposed matrix; tensors of fewer dimensions as they are."""
    ndim = len(lens.shape)
    if ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {ndim}D")
    return transpose(lens, 0, 1) if ndim == 2 else lens


def movedim(lens: Lens, source: int | Sequence[int], destination: int | Sequence[int]) -> Lens:
    """The view whose `source` dimensions stand at `destination`, the others in their order (also `moveaxis`)."""
    sources = (source,) if isinstance(source, int) else tuple(source)
    targets = (destination,) if isinstance(destination, int) else tuple(destination)
    if len(sources) != len(targets):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({list(sources)} dims) should contain the same "
            f"number of dims as destination ({list(targets)} dims)"
        )
    shape, strides, offset = lens
    ndim = len(shape)
    fronts, places = [wrap_dim(dim, ndim) for dim in sources], [wrap_dim(dim, ndim) for dim in targets]
    for name, wrapped, given in (("source", fronts, sources), ("destination", places, targets)):
        if len(set(wrapped)) != len(wrapped):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({list(given)})")
    if not shape:
        return lens
    order = [dim for dim in range(ndim) if dim not in fronts]
    for place, front in sorted(zip(places, fronts, strict=True)):
        order.insert(place, front)
    return Lens(tuple([shape[dim] for dim in order]), tuple([strides[dim] for dim in order]), offset)


def unsqueeze(lens: Lens, dim: int) -> Lens:
    """The view with a dimension of size 1 put in at `dim`."""
    shape, strides, offset = lens
    dim = wrap_dim(dim, len(shape) + 1)
    step = shape[dim] * strides[dim] if dim < len(shape) else 1
    return Lens((*shape[:dim], 1, *shape[dim:]), (*strides[:dim], step, *strides[dim:]), offset)


def squeeze(lens: Lens, dim: int | Sequence[int] | None = None) -> Lens:
    """The view without its dimensions of size 1: all of them, or those among `dim`."""
    shape, strides, offset = lens
    ndim = len(shape)
    if dim is None:
        kept = [d for d in range(ndim) if shape[d] != 1]
    else:
        wanted = (wrap_dim(dim, ndim),) if isinstance(dim, int) else wrap_dims(dim, ndim)
        kept = [d for d in range(ndim) if shape[d] != 1 or d not in wanted]
    if len(kept) == ndim:
        return lens
    return Lens(tuple([shape[d] for d in kept]), tuple([strides[d] for d in kept]), offset)


def expand(lens: Lens, sizes: Sequence[int], type_name: str = "torch.FloatTensor") -> Lens:
    """The view whose dimensions of size 1, and new leading ones, repeat up to `sizes` by a stride of 0; -1 keeps.

    `type_name` is the tensor's `type()`, which torch names in one of its sentences.
    """
    shape, strides, offset = lens
    target = list(sizes)
    lead = len(target) - len(shape)
    if lead < 0:
        raise RuntimeError(
            f"expand({type_name}{{{list(shape)}}}, size={target}): the number of sizes provided ({len(target)}) must "
            f"be greater or equal to the number of dimensions in the tensor ({len(shape)})"
        )
    out, steps = target[:], [0] * len(target)
    for place in range(len(target) - 1, -1, -1) if shape else ():
        dim, size = place - lead, target[place]
        if dim >= 0:
            have, step = shape[dim], strides[dim]
        else:
            have, step = 1, out[place + 1] * steps[place + 1]
        if size == -1:
            if dim < 0:
                raise RuntimeError(
                    f"The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension {place}"
                )
            size = have
        if size != have:
            if have != 1:
                raise RuntimeError(
                    f"The expanded size of the tensor ({size}) must match the existing size ({have}) at non-singleton "
                    f"dimension {place}.  Target sizes: {target}.  Tensor sizes: {list(shape)}"
                )
            step = 0
        out[place], steps[place] = size, step
    if any(size < 0 for size in out):
        raise RuntimeError("numel: integer multiplication overflow")
    return Lens(tuple(out), tuple(steps), offset)


def as_strided(
    lens: Lens,
    size: Sequence[int],
    stride: Sequence[int],
    storage_offset: int | None = None,
    *,
    capacity: int | None = None,
    itemsize: int = 4,
) -> Lens:
    """The view of these facts over the same storage, which holds `capacity` elements (None leaves that unchecked)."""
    shape, strides = tuple(size), tuple(stride)
    offset = lens.offset if storage_offset is None else storage_offset
    if len(shape) != len(strides):
        raise RuntimeError("mismatch in length of strides and shape")
    if any(step < 0 for step in strides):
        raise RuntimeError(
            f"as_strided: Negative strides are not supported at the moment, got strides: {list(strides)}"
        )
    if any(extent < 0 for extent in shape):
        if not any(extent < 0 < step for extent, step in zip(shape, strides, strict=True)):
            raise RuntimeError("numel: integer multiplication overflow")
        raise RuntimeError(f"Storage size calculation overflowed with sizes={list(shape)} and strides={list(strides)}")
    last = offset + sum((extent - 1) * step for extent, step in zip(shape, strides, strict=True))
    if capacity is not None and 0 not in shape and last >= capacity:
        raise RuntimeError(
            f"setStorage: sizes {list(shape)}, strides {list(strides)}, storage offset {offset}, and itemsize "
            f"{itemsize} requiring a storage size of {(last + 1) * itemsize} are out of bounds for storage of size "
            f"{capacity * itemsize}"
        )
    if offset < 0:
        raise RuntimeError(f"Tensor: invalid storage offset {offset}")
    return Lens(shape, strides, offset)
