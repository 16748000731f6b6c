"""What a user holds: ``Generator``, the default one, and the functions of ``torch.random``.

One stream serves every device and backend, so a generator's device is a label. Sampling is done by ``streams`` on
``generator.engine``; this file knows tensors only as the form that states are handed out in.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from dispatchtorch._base.device import Device
from dispatchtorch._base.host import np
from dispatchtorch.dispatch.tracing import tracing
from dispatchtorch.random.engine import Engine
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "Generator",
    "default_generator",
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
    "thread_safe_generator",
]


def _unsigned(seed: int) -> int:
    """Return the seed as the 64 bits that torch keeps; a negative one wraps."""
    if not -(2**63) <= seed < 2**64:
        raise ValueError("Overflow when unpacking long long")
    return seed & 0xFFFF_FFFF_FFFF_FFFF


def _not_within_a_program() -> None:
    if tracing.now is not None:
        tracing.now.refuse("a generator is seeded, or its state is asked for or set, which happens on the host")


class Generator:
    """A stream of random numbers with a state of its own: ``torch.Generator``.

    >>> Generator().manual_seed(-1).initial_seed()
    18446744073709551615
    """

    __slots__ = ("__weakref__", "device", "engine")
    device: Device
    engine: Engine

    def __init__(self, device: Device | str | int | None = None) -> None:
        self.device = Device("cpu" if device is None else device)
        self.engine = Engine()

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream of ``seed`` and return the generator itself."""
        _not_within_a_program()
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}")
        self.engine.seed(_unsigned(int(seed)))
        return self

    def seed(self) -> int:
        """Start a stream that nobody can foresee and return its seed."""
        _not_within_a_program()
        self.engine.seed(int.from_bytes(os.urandom(8), "little"))
        return self.engine.initial_seed

    def initial_seed(self) -> int:
        """Return the seed that the stream began with."""
        return self.engine.initial_seed

    def state_bytes(self) -> bytes:
        """Return the state as the bytes that torch keeps on a CPU."""
        return self.engine.state_bytes()

    def load_state_bytes(self, state: bytes) -> None:
        """Continue from the bytes of a state, ours or torch's."""
        self.engine.load_state_bytes(state)

    def get_state(self) -> Tensor:
        """Return the state as a uint8 tensor of 5056 elements, interchangeable with torch's."""
        _not_within_a_program()
        return interop.from_host(np.frombuffer(self.state_bytes(), np.uint8).copy())

    def set_state(self, new_state: Tensor) -> Generator:
        """Continue from a state that ``get_state`` returned, here or in torch; return the generator itself."""
        _not_within_a_program()
        if not isinstance(new_state, Tensor):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
        host = interop.to_host(new_state)
        if host.dtype != np.uint8:
            raise TypeError("RNG state must be a torch.ByteTensor")
        if not host.flags.c_contiguous:
            raise RuntimeError("RNG state must be contiguous")
        self.load_state_bytes(host.tobytes())
        return self

    def clone_state(self) -> Generator:
        """Return a new generator that continues as this one will, independently."""
        twin = Generator(self.device)
        twin.engine = self.engine.copy()
        return twin

    def __reduce__(self) -> tuple[Any, ...]:
        return Generator, (self.device,), self.state_bytes()

    def __setstate__(self, state: bytes) -> None:
        self.load_state_bytes(state)


default_generator: Final = Generator()
default_generator.seed()


def manual_seed(seed: int) -> Generator:
    """Seed the default generator, for all devices, and return it."""
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Seed the default generator with a number nobody can foresee and return that number."""
    return default_generator.seed()


def initial_seed() -> int:
    """Return the seed that the default generator's stream began with."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """Return the default generator's state as a uint8 tensor."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Set the default generator's state."""
    default_generator.set_state(new_state)


def thread_safe_generator() -> Generator | None:
    """Returns the generator that a worker thread of a loader draws from; None elsewhere, the default one serves."""
    return None


@contextmanager
def fork_rng(
    devices: Any = None,
    enabled: bool = True,
    _caller: str = "fork_rng",
    _devices_kw: str = "devices",
    device_type: str = "cuda",
) -> Iterator[None]:
    """Return a context after which the default generator continues as if nothing had been drawn inside.

    ``devices`` and ``device_type`` are accepted as in torch; one stream serves all devices, so they change nothing.
    """
    if not enabled:
        yield
        return
    before = default_generator.state_bytes()
    try:
        yield
    finally:
        default_generator.load_state_bytes(before)
