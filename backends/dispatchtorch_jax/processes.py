"""Several processes as one JAX program: its distributed runtime, joined before JAX looks for devices.

Imports JAX and starts none of its platforms. On the CPU collectives go through gloo, which comes with jaxlib.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from dispatchtorch_jax.devices import room_for_collectives

__all__ = ["join"]

_distributed: Any = jax.distributed  # untyped in JAX
_HEARTBEAT = 100  # seconds without a sign of life after which a process is given up, JAX's own default


def join(address: str, size: int, rank: int, timeout: float) -> Callable[[], None]:
    """Returns what leaves the group; RuntimeError where the processes do not find each other in ``timeout`` seconds."""
    settings: Any = jax.config  # untyped in JAX
    settings.update("jax_cpu_collectives_implementation", "gloo")
    settings.update("jax_enable_preemption_service", False)  # which would keep SIGTERM from ending the process
    room_for_collectives()
    seconds = max(int(timeout), 1)
    try:
        _distributed.initialize(
            address, size, rank, initialization_timeout=seconds, heartbeat_timeout_seconds=min(seconds, _HEARTBEAT)
        )
    except RuntimeError as error:
        raise RuntimeError(f"jax: process {rank} of {size} could not join at {address}: {error}") from error
    leave: Callable[[], None] = _distributed.shutdown
    return leave
