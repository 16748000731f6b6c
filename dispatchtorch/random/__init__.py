"""Random numbers: torch's own generator and its streams, drawn on the host and served to every backend.

``engine`` is the source of bits, ``streams`` turns bits into arrays, ``generator`` is what a user holds. Only
``generator`` knows of tensors; which op asks for a stream, and on which backend the array lands, is decided above.
"""

from dispatchtorch.random.generator import (
    Generator,
    default_generator,
    fork_rng,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
    thread_safe_generator,
)

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
