"""torch.mtia: no backend here serves such devices, which is what this says to programs that ask."""

from __future__ import annotations

from typing import Any

__all__ = [
    "device_count", "empty_cache", "get_rng_state_all", "is_available", "is_bf16_supported",
    "is_current_stream_capturing", "manual_seed", "manual_seed_all", "set_rng_state_all", "synchronize",
]  # fmt: skip


def is_available() -> bool:
    """Returns False."""
    return False


def device_count() -> int:
    """Returns 0."""
    return 0


def manual_seed(seed: int) -> None:
    """Does nothing: there is no device to seed."""


def manual_seed_all(seed: int) -> None:
    """Does nothing: there is no device to seed."""


def get_rng_state_all() -> list[Any]:
    """Returns no states: there is no device."""
    return []


def set_rng_state_all(new_states: Any) -> None:
    """Does nothing: there is no device."""


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Returns False."""
    return False


def is_current_stream_capturing() -> bool:
    """Returns False."""
    return False


def empty_cache() -> None:
    """Does nothing: there is no device that keeps memory."""


def synchronize(device: Any = None) -> None:
    """Raises RuntimeError: there is no device to wait for."""
    raise RuntimeError("no backend here serves mtia devices")
