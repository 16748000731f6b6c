"""Sequences of several lengths in one tensor: padded, or packed so that no step works on padding.

A packed sequence lists the first elements of all sequences, then the second ones, and so on; ``batch_sizes`` says how
many there are at each time. Sequences are in order of falling length; ``sorted_indices`` says which was which.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

from dispatchtorch._base import dtypes
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "PackedSequence", "invert_permutation", "pack_padded_sequence", "pack_sequence", "pad_packed_sequence",
    "pad_sequence", "unpack_sequence", "unpad_sequence",
]  # fmt: skip


class PackedSequence_(NamedTuple):
    """The four parts of a packed sequence."""

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(PackedSequence_):
    """Sequences of several lengths, packed; made by `pack_sequence` and `pack_padded_sequence`."""

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            if not (isinstance(data, (list, tuple)) and len(data) == 2):
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU. Instances of PackedSequence should never be created manually. "
                "They should be instantiated by functions like pack_sequence and pack_padded_sequences in "
                "nn.utils.rnn. https://pytorch.org/docs/stable/nn.html#torch.nn.utils.rnn.pack_sequence"
            )
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Returns the sequence with its data in another dtype or on another device; itself where it is so already."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        moved = [None if t is None else t.to(data.device) for t in (self.sorted_indices, self.unsorted_indices)]
        return type(self)(data, self.batch_sizes, *moved)

    def cuda(self, *args: Any, **kwargs: Any) -> Self:
        """Returns the sequence on the GPU."""
        return self.to(*args, **kwargs) if args or "device" in kwargs else self.to(device="cuda", **kwargs)

    def cpu(self, *args: Any, **kwargs: Any) -> Self:
        """Returns the sequence on the CPU."""
        return self.to(*args, device="cpu", **kwargs)

    def pin_memory(self) -> Self:
        """Returns a sequence with the same parts: memory is not pinned here."""
        return type(self)(*self)

    def double(self) -> Self:
        """Returns the sequence as float64."""
        return self.to(dtype=dtypes.float64)

    def float(self) -> Self:
        """Returns the sequence as float32."""
        return self.to(dtype=dtypes.float32)

    def half(self) -> Self:
        """Returns the sequence as float16."""
        return self.to(dtype=dtypes.float16)

    def long(self) -> Self:
        """Returns the sequence as int64."""
        return self.to(dtype=dtypes.int64)

    def int(self) -> Self:
        """Returns the sequence as int32."""
        return self.to(dtype=dtypes.int32)

    def short(self) -> Self:
        """Returns the sequence as int16."""
        return self.to(dtype=dtypes.int16)

    def char(self) -> Self:
        """Returns the sequence as int8."""
        return self.to(dtype=dtypes.int8)

    def byte(self) -> Self:
        """Returns the sequence as uint8."""
        return self.to(dtype=dtypes.uint8)

    @property
    def is_cuda(self) -> bool:
        """Returns whether the data is on a GPU."""
        return bool(self.data.is_cuda)

    def is_pinned(self) -> bool:
        """Returns whether the data is in pinned memory, which it never is."""
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Returns the permutation that undoes another; None for None."""
    if permutation is None:
        return None
    places = FUNCTIONS["arange"](permutation.numel(), device=permutation.device)
    return FUNCTIONS["empty_like"](permutation).scatter_(0, permutation, places)  # type: ignore[no-any-return]  # the table


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Returns padded sequences (time, batch, ...) packed; lengths must fall unless ``enforce_sorted=False``."""
    lengths = FUNCTIONS["as_tensor"](lengths, dtype=dtypes.int64, device="cpu")
    order = None
    if not enforce_sorted:
        lengths, order = lengths.sort(descending=True)
        order = order.to(input.device)
        input = input.index_select(0 if batch_first else 1, order)
    sizes = [int(n) for n in lengths.tolist()]
    _check_lengths(input, sizes, batch_first)
    if batch_first:
        input = input.transpose(0, 1)
    counts = [sum(1 for n in sizes if n > t) for t in range(sizes[0])]
    batch = int(input.shape[1])
    rows = [t * batch + i for t, count in enumerate(counts) for i in range(count)]
    tensor = FUNCTIONS["tensor"]
    flat = input.reshape(-1, *input.shape[2:])
    data = flat.index_select(0, tensor(rows, device=input.device))
    return PackedSequence(data, tensor(counts), order, None)


def _check_lengths(input: Tensor, sizes: Sequence[int], batch_first: bool) -> None:
    if input.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    batch = int(input.shape[0 if batch_first else 1])
    if len(sizes) != batch:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(sizes)} (batch_size={batch})"
        )
    if sizes[-1] <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if any(a < b for a, b in itertools.pairwise(sizes)):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if you "
            "do not need ONNX exportability."
        )
    longest = int(input.shape[1 if batch_first else 0])
    if sizes[0] > longest:
        raise RuntimeError(f"Expected sequence length to be larger than or equal to {sizes[0]}, but got {longest}")


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Returns the sequences padded (time, batch, ...), in their first order, and their lengths."""
    counts = [int(n) for n in sequence.batch_sizes.tolist()]
    longest, batch = len(counts), counts[0]
    if total_length is not None:
        if total_length < longest:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {longest}"
            )
        longest = total_length
    tensor, data = FUNCTIONS["tensor"], sequence.data
    rows = [t * batch + i for t, count in enumerate(counts) for i in range(count)]
    flat = FUNCTIONS["full"]((longest * batch, *data.shape[1:]), padding_value, dtype=data.dtype, device=data.device)
    padded = flat.index_copy(0, tensor(rows, device=data.device), data).reshape(longest, batch, *data.shape[1:])
    lengths = tensor([sum(1 for count in counts if count > i) for i in range(batch)])
    if batch_first:
        padded = padded.transpose(0, 1)
    back = sequence.unsorted_indices
    if back is None:
        return padded, lengths
    return padded.index_select(0 if batch_first else 1, back), lengths[back.cpu()]


def pad_sequence(
    sequences: Iterable[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Returns sequences (length, ...) as one tensor (time, batch, ...), filled up to the longest."""
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    several = tuple(sequences)
    if not several:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError("Expected padding_side to be one of left or right, but got " + padding_side + ".")
    longest = max([int(s.size(0)) for s in several])
    rows = []
    for s in several:
        missing = longest - int(s.size(0))
        sides = [0, missing] if padding_side == "right" else [missing, 0]
        rows.append(FUNCTIONS["constant_pad_nd"](s, [0, 0] * (s.dim() - 1) + sides, padding_value) if missing else s)
    return FUNCTIONS["stack"](rows, 0 if batch_first else 1)  # type: ignore[no-any-return]  # an entry of the table


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """Returns the sequences of a padded tensor, each cut to its length."""
    if not batch_first:
        padded_sequences.transpose_(0, 1)
    places = FUNCTIONS["arange"](padded_sequences.shape[1], device=lengths.device)
    return [s[places < length] for s, length in zip(padded_sequences, lengths, strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Returns sequences (length, ...) packed; lengths must fall unless ``enforce_sorted=False``."""
    lengths = FUNCTIONS["as_tensor"]([s.size(0) for s in sequences])
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Returns the sequences that were packed, in their first order."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
