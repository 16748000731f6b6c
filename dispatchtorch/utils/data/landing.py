"""Where joined samples land: in a worker, right in the shared memory in which they travel; nothing is copied twice.

Must not know: processes, samplers, rules of joining.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.multiprocessing.parcels import SMALL
from dispatchtorch.ops.sharing import lives_in_host_memory, shareable_empty
from dispatchtorch.tensor.interop import to_host
from dispatchtorch.tensor.tensor import Tensor
from dispatchtorch.utils.data.worker_info import get_worker_info

__all__ = ["gathered", "stacked"]


def _target(like: Tensor, shape: tuple[int, ...]) -> Tensor | None:
    """Returns shared memory to compute into, in a worker and for a batch that is worth it; else None."""
    if get_worker_info() is None or math.prod(shape) * like._key.dtype.itemsize <= SMALL:
        return None
    return shareable_empty(shape, like._key.dtype) if lives_in_host_memory(like._key.backend) else None


def stacked(samples: Sequence[Any]) -> Any:
    """Returns tensors of one shape as one tensor with a new first dimension."""
    first = samples[0]
    if get_worker_info() is not None and all(
        type(t) is Tensor and not t._key.requires and t._key.dtype is first._key.dtype and t.shape == first.shape
        for t in samples
    ):
        target = _target(first, (len(samples), *first.shape))
        if target is not None:
            np.stack([to_host(t) for t in samples], out=to_host(target))
            return target
    return FUNCTIONS["stack"](list(samples), 0)


def gathered(t: Tensor, where: Tensor) -> Any:
    """Returns the rows of a tensor at given places, which lie inside it."""
    target = _target(t, (where.numel(), *t.shape[1:]))
    if target is None:
        return FUNCTIONS["index_select"](t, 0, where)
    np.take(to_host(t), to_host(where), axis=0, out=to_host(target), mode="clip")  # "raise" would buffer it all
    return target
