"""torch.cuda: whether a backend here serves CUDA devices, and what an ordinary program asks of them before it begins.

It holds no state: a device belongs to its backend, and random numbers come from the generator of `torch.manual_seed`.
Must not know: which backends there are, or their libraries.
"""

from __future__ import annotations

from collections.abc import Iterable

from dispatchtorch._base.device import Device
from dispatchtorch._base.errors import DeviceUnavailableError
from dispatchtorch.cuda import amp as amp
from dispatchtorch.ops.legacy_types import CUDA_TYPES
from dispatchtorch.plugin.backend import Backend
from dispatchtorch.plugin.selection import backend_for_device
from dispatchtorch.random import generator
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "CUDAGraph", "Event", "Stream", "StreamContext", "amp", "current_device", "device_count", "empty_cache",
    "get_rng_state", "get_rng_state_all", "graph", "init", "initial_seed", "ipc_collect", "is_available",
    "is_bf16_supported", "is_current_stream_capturing", "is_initialized", "manual_seed", "manual_seed_all",
    "max_memory_allocated", "max_memory_reserved", "memory_allocated", "memory_reserved", "reset_peak_memory_stats",
    "seed", "seed_all", "set_device", "set_rng_state", "set_rng_state_all", "stream", "synchronize",
]  # fmt: skip


class _NotBuilt:
    """What PyTorch has a class for also where it was built without CUDA, for annotations; nothing can be made of it."""

    _refusal = "Tried to instantiate dummy base class {name}"

    def __init__(self, *args: object, **kwargs: object) -> None:
        raise RuntimeError(self._refusal.format(name=type(self).__name__))


class CUDAGraph(_NotBuilt):
    """A recording of what a device did: RuntimeError, there are none here."""


class Event(_NotBuilt):
    """A point in a device's stream of work: RuntimeError, there are none here."""


class graph(_NotBuilt):
    """A context that records a `CUDAGraph`: RuntimeError, there are none here."""


class Stream(_NotBuilt):
    """A device's queue of work: RuntimeError, there are none here."""

    _refusal = "torch.cuda.{name} requires CUDA support"


class StreamContext:
    """Within it, work goes to the given stream; there are none, so that ``None`` is what can be given."""

    def __init__(self, stream: Stream | None) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        """Does nothing."""

    def __exit__(self, *exc: object) -> None:
        """Does nothing."""


def stream(stream: Stream | None) -> StreamContext:
    """Returns a context in which work goes to ``stream``: where it went before, for ``None``."""
    return StreamContext(stream)


def memory_allocated(device: object = None) -> int:
    """Returns 0: what memory tensors take is the backend's library to tell."""
    return 0


def max_memory_allocated(device: object = None) -> int:
    """Returns 0, as `memory_allocated`."""
    return 0


def memory_reserved(device: object = None) -> int:
    """Returns 0, as `memory_allocated`."""
    return 0


def max_memory_reserved(device: object = None) -> int:
    """Returns 0, as `memory_allocated`."""
    return 0


def reset_peak_memory_stats(device: object = None) -> None:
    """Does nothing: no peak is kept."""


def is_available() -> bool:
    """Returns whether ``device="cuda"`` would work: a backend serves it and finds a device. Never raises."""
    return device_count() > 0


def device_count() -> int:
    """Returns how many CUDA devices the backend that serves them finds; 0 where none does."""
    backend = _backend()
    if backend is None:
        return 0
    return backend.device_count() if backend.devices[0] == "cuda" else 1


def is_initialized() -> bool:
    """Returns whether there is a device to use; nothing has to be set up before one is."""
    return is_available()


def current_device() -> int:
    """Returns 0, the device that ``"cuda"`` without a number means; torch's error where there is none."""
    backend_for_device("cuda")
    return 0


def synchronize(device: object = None) -> None:
    """Waits until the backend has done what was launched; torch's error where there is no device."""
    backend_for_device("cuda").synchronize()


def empty_cache() -> None:
    """Does nothing: what a backend's library keeps is its own business."""


def manual_seed(seed: int) -> None:
    """Seeds the generator, which is one for all devices; without a device it does nothing, as in torch."""
    if is_available():
        generator.manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Seeds as `manual_seed` does, for there is one generator however many devices there are."""
    manual_seed(seed)


def init() -> None:
    """Does nothing where there is a device; torch's error where there is none."""
    backend_for_device("cuda")


def set_device(device: Device | str | int) -> None:
    """Chooses what ``"cuda"`` means, of which only the first device can be meant; torch's error where there is none.

    NotImplementedError for another: name it where a tensor is made. A negative number changes nothing.
    """
    index = device if isinstance(device, int) else Device(device).index or 0
    if index < 0:
        return
    backend_for_device("cuda")
    if index > 0:
        raise NotImplementedError("only the first device can be the current one; name another where a tensor is made")


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Returns whether there is a device whose backend has bfloat16."""
    backend = _backend()
    return backend is not None and device_count() > 0 and "bfloat16" in backend.capabilities


def is_current_stream_capturing() -> bool:
    """Returns False: no graphs of kernels are recorded."""
    return False


def ipc_collect() -> None:
    """Does nothing where there is a device: no memory is shared with processes. torch's error where there is none."""
    backend_for_device("cuda")


def initial_seed() -> int:
    """Returns the seed of the generator, which is one for all devices; torch's error where there is no device."""
    backend_for_device("cuda")
    return generator.initial_seed()


def seed() -> None:
    """Seeds the generator with a number nobody can foresee; without a device it does nothing, as in torch."""
    if is_available():
        generator.seed()


seed_all = seed


def get_rng_state(device: Device | str | int = "cuda") -> Tensor:
    """Returns the state of the generator, which is one for all devices; torch's error where there is no device."""
    backend_for_device("cuda")
    return generator.get_rng_state()


def get_rng_state_all() -> list[Tensor]:
    """Returns the generator's state once for each device."""
    return [get_rng_state() for _ in range(device_count())]


def set_rng_state(new_state: Tensor, device: Device | str | int = "cuda") -> None:
    """Sets the state of the generator, which is one for all devices; without a device it does nothing."""
    if is_available():
        generator.set_rng_state(new_state)


def set_rng_state_all(new_states: Iterable[Tensor]) -> None:
    """Sets the state of the generator to the first device's."""
    for state in list(new_states)[:1]:
        set_rng_state(state)


def _backend() -> Backend | None:
    try:
        return backend_for_device("cuda")
    except DeviceUnavailableError:
        return None


globals().update(CUDA_TYPES)
