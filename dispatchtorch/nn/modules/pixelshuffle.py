"""Channels made pixels, and back: the path under which torch has them."""

from dispatchtorch.nn.modules.rearranging import PixelShuffle, PixelUnshuffle

__all__ = ["PixelShuffle", "PixelUnshuffle"]
