"""The states that a part of a program starts from, so that it can be run again: here the one generator's.

Devices draw from the same generator as the host, so there are no states of devices to keep.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from dispatchtorch.random.generator import get_rng_state, set_rng_state
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["DefaultDeviceType", "get_device_states", "restored", "set_device_states"]


class DefaultDeviceType:
    """The kind of device whose states are kept where a part has no tensors on a device."""

    _default_device_type = "cpu"

    @staticmethod
    def set_device_type(device: str = "cuda") -> None:
        """Sets the kind of device."""
        DefaultDeviceType._default_device_type = device

    @staticmethod
    def get_device_type() -> str:
        """Returns the kind of device."""
        return DefaultDeviceType._default_device_type


def get_device_states(*args: Any) -> tuple[list[int], list[Tensor]]:
    """Returns the devices other than the host that are among the arguments, and the state of their generator."""
    found = sorted({a.device.index or 0 for a in args if isinstance(a, Tensor) and a.device.type != "cpu"})
    return found, [get_rng_state() for _ in found]


def set_device_states(devices: Sequence[int], states: Sequence[Tensor], *, device_type: str | None = None) -> None:
    """Sets the generator of devices to states that `get_device_states` returned."""
    if device_type == "meta":
        return
    for _, state in zip(devices, states, strict=False):
        set_rng_state(state)


@contextlib.contextmanager
def restored(state: Tensor | None) -> Iterator[None]:
    """Sets the generator to a state for the block and takes that back afterwards; does nothing for None."""
    if state is None:
        yield
        return
    before = get_rng_state()
    set_rng_state(state)
    try:
        yield
    finally:
        set_rng_state(before)
