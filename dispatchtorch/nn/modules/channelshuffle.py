"""Channels in another order: the path under which torch has them."""

from dispatchtorch.nn.modules.rearranging import ChannelShuffle

__all__ = ["ChannelShuffle"]
