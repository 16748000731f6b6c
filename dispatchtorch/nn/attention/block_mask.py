"""Which blocks of queries and keys see each other: what `flex_attention` is told beside a function of places.

Must not know: attention.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dispatchtorch.ops.create import arange
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["BlockMask", "and_masks", "create_block_mask", "create_mask", "noop_mask", "or_masks"]

MaskMod = Callable[[Any, Any, Any, Any], Any]


def noop_mask(batch: Tensor, head: Tensor, token_q: Tensor, token_kv: Tensor) -> Tensor:
    """Returns True: every place is seen."""
    return batch.new_ones((), dtype=_bool(batch))


def _bool(t: Tensor) -> Any:
    return (t == t).dtype


def and_masks(*mask_mods: MaskMod) -> MaskMod:
    """Returns the mask of what all of these let be seen."""
    _check_callable(mask_mods)

    def and_mask(b: Any, h: Any, q_idx: Any, kv_idx: Any) -> Any:
        result = b.new_ones((), dtype=_bool(b))
        for mask in mask_mods:
            result = result & mask(b, h, q_idx, kv_idx)
        return result

    return and_mask


def or_masks(*mask_mods: MaskMod) -> MaskMod:
    """Returns the mask of what any of these lets be seen."""
    _check_callable(mask_mods)

    def or_mask(b: Any, h: Any, q_idx: Any, kv_idx: Any) -> Any:
        result = b.new_zeros((), dtype=_bool(b))
        for mask in mask_mods:
            result = result | mask(b, h, q_idx, kv_idx)
        return result

    return or_mask


def _check_callable(mask_mods: tuple[Any, ...]) -> None:
    if not all(callable(mask) for mask in mask_mods):
        raise RuntimeError(f"All inputs should be callable mask_mods: {mask_mods}")


def places(sizes: tuple[int, int, int, int], device: Any) -> list[Tensor]:
    """Returns the numbers of batches, heads, queries and keys, each along a dim of its own."""
    shapes = ((-1, 1, 1, 1), (-1, 1, 1), (-1, 1), (-1,))
    return [arange(size, device=device).reshape(shape) for size, shape in zip(sizes, shapes, strict=True)]


def create_mask(mod_fn: MaskMod, B: int | None, H: int | None, Q_LEN: int, KV_LEN: int, device: Any = None) -> Tensor:
    """Returns the mask as a tensor of shape ``(B, H, Q_LEN, KV_LEN)``; ``None`` is a size of 1.

    The function is called once, with all places: it may index and compute, as under `vmap`, but not branch.
    """
    sizes = (B or 1, H or 1, Q_LEN, KV_LEN)
    got = mod_fn(*places(sizes, device))
    seen = got if isinstance(got, Tensor) else arange(1, device=device) == (0 if got else 1)
    return seen.expand(sizes).contiguous()


class BlockMask:
    """A mask by blocks: for each block of queries, which blocks of keys it sees partly, and which wholly."""

    def __init__(
        self,
        seq_lengths: tuple[int, int],
        kv_num_blocks: Tensor,
        kv_indices: Tensor,
        full_kv_num_blocks: Tensor | None,
        full_kv_indices: Tensor | None,
        q_num_blocks: Tensor | None,
        q_indices: Tensor | None,
        full_q_num_blocks: Tensor | None,
        full_q_indices: Tensor | None,
        BLOCK_SIZE: tuple[int, int] = (128, 128),
        mask_mod: MaskMod = noop_mask,
    ) -> None:
        if kv_indices.dim() < 2:
            raise RuntimeError("BlockMask must have at least 2 dimensions")
        self.seq_lengths = seq_lengths
        self.kv_num_blocks, self.kv_indices = kv_num_blocks, kv_indices
        self.full_kv_num_blocks, self.full_kv_indices = full_kv_num_blocks, full_kv_indices
        self.q_num_blocks, self.q_indices = q_num_blocks, q_indices
        self.full_q_num_blocks, self.full_q_indices = full_q_num_blocks, full_q_indices
        self.BLOCK_SIZE = BLOCK_SIZE
        self.mask_mod = mask_mod

    @classmethod
    def from_kv_blocks(
        cls,
        kv_num_blocks: Tensor,
        kv_indices: Tensor,
        full_kv_num_blocks: Tensor | None = None,
        full_kv_indices: Tensor | None = None,
        BLOCK_SIZE: int | tuple[int, int] = 128,
        mask_mod: MaskMod | None = None,
        seq_lengths: tuple[int, int] | None = None,
        compute_q_blocks: bool = True,
    ) -> BlockMask:
        """Returns the mask that has these blocks of keys for each block of queries."""
        if kv_indices.dim() < 2:
            raise RuntimeError("BlockMask must have at least 2 dimensions")
        sizes = BLOCK_SIZE if isinstance(BLOCK_SIZE, tuple) else (BLOCK_SIZE, BLOCK_SIZE)
        lengths = seq_lengths or (kv_indices.shape[-2] * sizes[0], kv_indices.shape[-1] * sizes[1])
        of_q: list[Any] = [None] * 4
        if compute_q_blocks:
            of_q[:2] = _ordered(_dense(kv_num_blocks, kv_indices).transpose(-2, -1))
            if full_kv_num_blocks is not None and full_kv_indices is not None:
                of_q[2:] = _ordered(_dense(full_kv_num_blocks, full_kv_indices).transpose(-2, -1))
        made: Any = (
            lengths,
            kv_num_blocks,
            kv_indices,
            full_kv_num_blocks,
            full_kv_indices,
            *of_q,
            sizes,
            mask_mod or noop_mask,
        )
        return cls(*made)

    @property
    def shape(self) -> tuple[int, ...]:
        """Returns the sizes of batch and heads, then the lengths of queries and keys."""
        return (*self.kv_indices.shape[:-2], *self.seq_lengths)

    def numel(self) -> int:
        """Returns how many places the mask speaks of."""
        count = 1
        for size in self.shape:
            count *= size
        return count

    def to_dense(self) -> Tensor:
        """Returns 1 for each block that is seen, partly or wholly, and 0 for others."""
        partly = _dense(self.kv_num_blocks, self.kv_indices)
        if self.full_kv_num_blocks is None or self.full_kv_indices is None:
            return partly
        return partly | _dense(self.full_kv_num_blocks, self.full_kv_indices)

    def sparsity(self) -> float:
        """Returns how many places in a hundred lie in blocks that are not seen."""
        blocks = float(self.to_dense().sum().item())
        return (1 - blocks * self.BLOCK_SIZE[0] * self.BLOCK_SIZE[1] / self.numel()) * 100

    def to(self, device: Any) -> BlockMask:
        """Returns the mask with its tensors on a device."""
        moved = [None if t is None else t.to(device) for t in self._tensors()]
        made: Any = (self.seq_lengths, *moved, self.BLOCK_SIZE, self.mask_mod)
        return BlockMask(*made)

    def _tensors(self) -> tuple[Any, ...]:
        return (
            self.kv_num_blocks, self.kv_indices, self.full_kv_num_blocks, self.full_kv_indices,
            self.q_num_blocks, self.q_indices, self.full_q_num_blocks, self.full_q_indices,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"BlockMask(shape={self.shape}, sparsity={self.sparsity():.2f}%, mask_mod={self.mask_mod})"


def _dense(num_blocks: Tensor, indices: Tensor) -> Tensor:
    """Returns 1 where a column is among the first so many of its row's indices, as int32."""
    columns = arange(indices.shape[-1], device=indices.device)
    listed = (columns < num_blocks.unsqueeze(-1)).to(indices.dtype)
    return indices.new_zeros(indices.shape).scatter(-1, indices.long(), listed)


def _ordered(dense: Tensor) -> tuple[Tensor, Tensor]:
    """Returns how many blocks of each row are set, and the columns with those that are set in front."""
    dense = dense.int()
    return dense.sum(-1).int(), dense.argsort(dim=-1, descending=True, stable=True).int()


def create_block_mask(
    mask_mod: MaskMod,
    B: int | None,
    H: int | None,
    Q_LEN: int,
    KV_LEN: int,
    device: Any = None,
    BLOCK_SIZE: int | tuple[int, int] = 128,
    _compile: bool = False,
    separate_full_blocks: bool = True,
) -> BlockMask:
    """Returns the mask by blocks of a function of batch, head, query and key."""
    sizes = BLOCK_SIZE if isinstance(BLOCK_SIZE, tuple) else (BLOCK_SIZE, BLOCK_SIZE)
    seen = create_mask(mask_mod, B, H, Q_LEN, KV_LEN, device)
    rows, columns = -(-Q_LEN // sizes[0]), -(-KV_LEN // sizes[1])
    whole = seen.new_zeros(*seen.shape[:2], rows * sizes[0], columns * sizes[1])
    whole[:, :, :Q_LEN, :KV_LEN] = seen
    counts = whole.view(*seen.shape[:2], rows, sizes[0], columns, sizes[1]).int().sum((3, 5))
    full = counts == sizes[0] * sizes[1]
    some = (counts > 0) & ~full if separate_full_blocks else counts > 0
    of_full = _ordered(full) if separate_full_blocks else (None, None)
    listed: Any = (*_ordered(some), *of_full, sizes, mask_mod, (Q_LEN, KV_LEN))
    return BlockMask.from_kv_blocks(*listed)
