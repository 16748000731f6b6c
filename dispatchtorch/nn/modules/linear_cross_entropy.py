"""The loss of a linear layer, by pieces: the path under which torch has them."""

from dispatchtorch.nn.modules.sequence_loss import LinearCrossEntropyLoss

__all__ = ["LinearCrossEntropyLoss"]
