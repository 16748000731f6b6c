"""``torch.nn.functional.pad``: which mode pads which dimensions."""

from __future__ import annotations

from collections.abc import Sequence

from dispatchtorch.ops.pad import constant_pad_nd, pad_edges
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["pad"]


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Returns the input with more elements around its last dimensions; ``pad`` counts from the last, two a dimension.

    ``mode``: "constant", or for the last one to three dimensions "reflect", "replicate" or "circular".
    """
    given, ndim = tuple(pad), len(input._a.shape)
    if len(given) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(given) > 2 * ndim:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(given)} and input of dimension {ndim}"
        )
    if mode == "constant":
        return constant_pad_nd(input, given, 0 if value is None else value)
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if len(given) in (2, 4, 6) and ndim in (len(given) // 2 + 1, len(given) // 2 + 2):
        if mode not in ("reflect", "replicate", "circular"):
            raise NotImplementedError(f"Unrecognised padding mode {mode}")
        pairs = tuple([(given[i], given[i + 1]) for i in range(len(given) - 2, -1, -2)])
        return pad_edges(input, pairs, mode)
    raise NotImplementedError(
        f"Padding size {len(given)} is not supported for {ndim}D input tensor.\n"
        "Supported combinations for non-constant padding:\n"
        "  - 2D or 3D input: padding size = 2 (pads last dimension)\n"
        "  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n"
        "  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"
    )
