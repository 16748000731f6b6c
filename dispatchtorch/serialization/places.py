"""Where a storage was and where it is to go: tags like "cuda:0", and who puts a storage where its tag says.

Programs may register their own pairs of functions, which are asked by priority, the lowest number first. Must not know:
archives, pickle streams.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dispatchtorch._base.device import Device
from dispatchtorch._base.errors import DeviceUnavailableError
from dispatchtorch.ops.storages import TypedStorage, UntypedStorage, whole_of
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["default_restore_location", "location_of", "location_tag", "register_package"]

Tagger = Callable[[Any], str | None]
Deserializer = Callable[[Any, str], Any]


def _tag_of(device: Device) -> str:
    return device.type if device.type == "cpu" else f"{device.type}:{device.index or 0}"


def _cpu_tag(storage: Any) -> str | None:
    return "cpu" if storage.device.type == "cpu" else None


def _to_cpu(storage: Any, location: str) -> Any:
    if location != "cpu":
        return None
    return storage if storage.device.type == "cpu" else storage.cpu()


def _device_tag(storage: Any) -> str | None:
    return _tag_of(storage.device)


def _to_device(storage: Any, location: str) -> Any:
    """Returns the storage on the device that a tag names; None where it names none."""
    try:
        device = Device(location)
    except RuntimeError:
        return None
    if device == storage.device or device.type == storage.device.type == "cpu":
        return storage
    try:
        return storage.to(device=device)
    except DeviceUnavailableError as error:
        kind = device.type
        raise RuntimeError(
            f"Attempting to deserialize object on a {kind.upper()} device but torch.{kind}.is_available() is False. "
            "If you are running on a CPU-only machine, please use torch.load with map_location=torch.device('cpu') to "
            "map your storages to the CPU."
        ) from error


_packages: Final[list[tuple[int, Tagger, Deserializer]]] = [(10, _cpu_tag, _to_cpu), (20, _device_tag, _to_device)]
_OURS: Final = len(_packages)


def register_package(priority: int, tagger: Tagger, deserializer: Deserializer) -> None:
    """Registers who tags storages when they are saved, and who puts them in place when they are loaded.

    Both return None for what is not theirs. The CPU has priority 10, other devices 20; lower numbers are asked first.
    """
    _packages.append((priority, tagger, deserializer))
    _packages.sort(key=lambda package: package[0])


def location_tag(storage: Any) -> str:
    """Returns the tag of the place where a storage is; RuntimeError where nobody knows it."""
    for _, tagger, _ in _packages:
        location = tagger(storage)
        if location:
            return location
    raise RuntimeError(f"don't know how to determine data location of {_name(storage)}")


def default_restore_location(storage: Any, location: str) -> Any:
    """Returns a storage in the place that a tag names; RuntimeError where nobody knows it."""
    for _, _, deserializer in _packages:
        result = deserializer(storage, location)
        if result is not None:
            return result
    raise RuntimeError(f"don't know how to restore data location of {_name(storage)} (tagged with {location})")


def _name(storage: Any) -> str:
    if isinstance(storage, UntypedStorage):
        return "torch.storage.UntypedStorage"
    if isinstance(storage, TypedStorage):
        return "torch.storage.TypedStorage"
    return f"{type(storage).__module__}.{type(storage).__qualname__}"


def location_of(t: Tensor) -> str:
    """Returns the tag of the place of a tensor's storage."""
    if len(_packages) == _OURS:
        return _tag_of(t._key.device)
    return location_tag(UntypedStorage.over(whole_of(t)))
