"""Which of JAX's devices a device name means: "cpu", "cuda" for its GPUs, "xla" for whatever JAX itself prefers."""

from __future__ import annotations

import os
from typing import Any, Final

import jax

from dispatchtorch.plugin import BackendUnavailableError, env_suggest, env_value

__all__ = ["Places", "room_for_collectives"]

_FORCED: Final = "xla_force_host_platform_device_count"
_THREADS: Final = 16


def room_for_collectives() -> None:
    """Sees to it that XLA starts more threads for the CPU than there are cores, if it has not started any.

    A collective holds a thread until all its devices are there, and a program begins several at once: with a thread a
    core, devices can wait for each other for ever. XLA takes the number of cores from this variable, if it is set.
    """
    env_suggest("NPROC", str(max(_THREADS, os.cpu_count() or 1)))


class Places:
    """The devices that JAX has in this process, by device type; asking starts JAX's platforms.

    Where there is an accelerator, arrays that are made without naming a device still go to the CPU, as in PyTorch.
    """

    def __init__(self) -> None:
        if _FORCED in (env_value("XLA_FLAGS") or "") or getattr(jax.config, "jax_num_cpu_devices", -1) > 1:
            room_for_collectives()
        try:
            preferred: list[Any] = list(jax.local_devices())
        except RuntimeError as error:
            raise BackendUnavailableError(f"jax: no device could be started: {error}") from error
        self._by_type: dict[str, list[Any]] = {}
        for name, platform in (("cpu", "cpu"), ("cuda", "gpu")):
            found = preferred if preferred[0].platform == platform else _of(platform)
            if found:
                self._by_type[name] = found
        self._by_type["xla"] = preferred
        self.types = tuple(self._by_type)
        self.all = list(dict.fromkeys(place for places in self._by_type.values() for place in places))
        self.cpu_only = self.types == ("cpu", "xla") and preferred[0].platform == "cpu" and len(self.all) == 1
        self.count = len(preferred)
        if not self.cpu_only and "cpu" in self._by_type:
            settings: Any = jax.config  # untyped in JAX
            settings.update("jax_default_device", self._by_type["cpu"][0])

    def everywhere(self, kind: str) -> list[Any]:
        """Returns the devices of a type in all processes, those of the first process first."""
        own = self._by_type.get(kind, [])
        found = jax.devices(own[0].platform) if own else []
        return sorted(found, key=lambda device: (device.process_index, device.id))

    def find(self, device: str) -> Any:
        """Returns JAX's device for a name like "cpu" or "cuda:1"; BackendUnavailableError where there is none."""
        kind, _, index = device.partition(":")
        found = self._by_type.get(kind, [])
        place = int(index or 0)
        if place >= len(found):
            have = ", ".join(f"{len(places)} of type {name}" for name, places in self._by_type.items())
            raise BackendUnavailableError(f"jax: there is no device {device!r}; JAX has {have}")
        return found[place]


def _of(platform: str) -> list[Any]:
    try:
        return list(jax.local_devices(backend=platform))
    except RuntimeError:
        return []
