"""Channels into places and back, and channels among groups: reshapes and a permutation."""

from __future__ import annotations

from dispatchtorch._base.memory_format import contiguous_format
from dispatchtorch.dispatch.table import METHODS, composite
from dispatchtorch.ops.samples import Sample
from dispatchtorch.ops.view import _unsafe_view
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["channel_shuffle", "native_channel_shuffle", "pixel_shuffle", "pixel_unshuffle"]


def _check_ndim(name: str, input: Tensor) -> None:
    if input.ndim < 3:
        raise RuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)"
        )


def _copied(moved: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Returns the elements in their new order and a shape, in memory of their own even where nothing has moved."""
    return _unsafe_view(METHODS["clone"](moved, memory_format=contiguous_format), shape)


@composite(samples=lambda make: iter((Sample((make(2, 8, 2, 3), 2)), Sample((make(9, 2, 1), 3)))))
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Returns (*, C * r * r, H, W) as (*, C, H * r, W * r): groups of channels become squares of places."""
    r = upscale_factor
    _check_ndim("pixel_shuffle", input)
    if r <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    *lead, c, h, w = (int(n) for n in input._a.shape)
    if c % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            f"but input.size(-3)={c} is not divisible by {r * r}"
        )
    n = len(lead)
    split = input.reshape(*lead, c // (r * r), r, r, h, w)
    return _copied(split.permute(*range(n), n, n + 3, n + 1, n + 4, n + 2), (*lead, c // (r * r), h * r, w * r))


@composite(samples=lambda make: iter((Sample((make(2, 2, 4, 6), 2)), Sample((make(1, 3, 3), 3)))))
def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Returns (*, C, H * r, W * r) as (*, C * r * r, H, W): squares of places become channels."""
    r = downscale_factor
    _check_ndim("pixel_unshuffle", input)
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *lead, c, h, w = (int(n) for n in input._a.shape)
    for word, place, size in (("height", 2, h), ("width", 1, w)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {word} to be divisible by downscale_factor, but input.size(-{place})={size} "
                f"is not divisible by {r}"
            )
    n = len(lead)
    split = input.reshape(*lead, c, h // r, r, w // r, r)
    return _copied(split.permute(*range(n), n, n + 2, n + 4, n + 1, n + 3), (*lead, c * r * r, h // r, w // r))


@composite(samples=lambda make: iter((Sample((make(2, 6, 2, 3), 2)), Sample((make(1, 6, 2), 3)))))
def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Returns the channels, dim 1, dealt out: one of each of ``groups`` in turn."""
    if input.ndim <= 2:
        raise RuntimeError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(input.shape)}")
    if groups <= 0:
        raise RuntimeError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    n, c, *rest = (int(s) for s in input._a.shape)
    if c % groups:
        raise RuntimeError(f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups.")
    dealt: Tensor = input.reshape(n, groups, c // groups, *rest).transpose(1, 2)
    return dealt.reshape(n, c, *rest)


@composite(samples=lambda make: iter((Sample((make(2, 6, 2, 3), 2)),)))
def native_channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Returns `channel_shuffle`."""
    return channel_shuffle(input, groups)
