"""Tensors that share memory with what is written to: what PyTorch refuses, before anything is written.

It looks at where tensors lie in their storage, so the answer is the same on every backend. Must not know ops.
"""

from __future__ import annotations

from typing import Final, Literal

from dispatchtorch.tensor.lens import has_internal_overlap, is_non_overlapping_and_dense, span
from dispatchtorch.tensor.tensor import Tensor, lens_of

__all__ = ["Inputs", "require_apart", "require_distinct", "shared_memory"]

# whether what is read may share memory with what is written: "same" only as the very same elements, "apart" never,
# "any" as it likes
Inputs = Literal["same", "apart", "any"]

_INSIDE: Final = (
    "unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please "
    "clone() the tensor before performing the operation."
)
_SHARED: Final = (
    "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory "
    "location. Please clone() the tensor before performing the operation."
)


def require_distinct(written: Tensor) -> None:
    """Raises torch's error where two elements of a tensor that is to be written to are one."""
    if has_internal_overlap(lens_of(written)):
        raise RuntimeError(_INSIDE)


def require_apart(written: Tensor, read: Tensor, inputs: Inputs) -> None:
    """Raises torch's error where a tensor that is read shares memory with the written one as it must not."""
    found = inputs != "any" and shared_memory(written, read)
    if found == "partial" or (found and inputs == "apart"):
        raise RuntimeError(_SHARED)


def shared_memory(a: Tensor, b: Tensor) -> Literal["", "partial", "full"]:
    """Returns how two tensors share memory, as far as torch looks: views with gaps count as apart."""
    if a is b:
        return "full" if a._a.size else ""
    one, other = a._cell, b._cell
    if one is None or other is None or not a._a.size or not b._a.size:
        return ""
    if one is not other and (one.storage is None or one.storage is not other.storage):
        return ""
    first, second = lens_of(a), lens_of(b)
    if not (is_non_overlapping_and_dense(first) and is_non_overlapping_and_dense(second)):
        return ""
    sizes = a._key.dtype.itemsize, b._key.dtype.itemsize
    begin, end = first.offset * sizes[0], span(first) * sizes[0]
    start, stop = second.offset * sizes[1], span(second) * sizes[1]
    if begin == start and end == stop:
        return "full" if first.strides == second.strides else "partial"
    return "partial" if begin < stop and start < end else ""
