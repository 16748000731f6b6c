"""``torch.utils.checkpoint``: computing again in backward what was not kept in forward.

Two ways: with a Function that runs the part anew and differentiates it (`reentrant`), and with hooks that run it anew
when the first of its saved tensors is asked for (`recompute`). Knows the graph and the generator; knows no op.
"""

from dispatchtorch.utils.checkpoint.entry import checkpoint, checkpoint_sequential, noop_context_fn
from dispatchtorch.utils.checkpoint.recompute import (
    CheckpointError,
    GraphExecGroup,
    set_checkpoint_debug_enabled,
    set_checkpoint_early_stop,
)
from dispatchtorch.utils.checkpoint.reentrant import CheckpointFunction, check_backward_validity, detach_variable
from dispatchtorch.utils.checkpoint.selective import (
    SAC_IGNORED_OPS,
    CheckpointPolicy,
    SelectiveCheckpointContext,
    create_selective_checkpoint_contexts,
)
from dispatchtorch.utils.checkpoint.state import DefaultDeviceType, get_device_states, set_device_states

__all__ = [
    "SAC_IGNORED_OPS",
    "CheckpointError",
    "CheckpointFunction",
    "CheckpointPolicy",
    "DefaultDeviceType",
    "GraphExecGroup",
    "SelectiveCheckpointContext",
    "check_backward_validity",
    "checkpoint",
    "checkpoint_sequential",
    "create_selective_checkpoint_contexts",
    "detach_variable",
    "get_device_states",
    "noop_context_fn",
    "set_checkpoint_debug_enabled",
    "set_checkpoint_early_stop",
    "set_device_states",
]
