"""What is done to all pipes that a pipe is made of: seeds, shuffling, shares of workers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from dispatchtorch.random import streams
from dispatchtorch.random.generator import Generator
from dispatchtorch.utils.data.datapipes.datapipe import IterDataPipe, MapDataPipe

__all__ = ["apply_random_seed", "apply_sharding", "apply_shuffle_settings", "pipes_of", "reseeded"]


def pipes_of(pipe: Any) -> list[Any]:
    """Returns a pipe and, each once, the pipes that it holds, those nearest first."""
    found: dict[int, Any] = {}
    _collect(pipe, found, set())
    return list(found.values())


def _collect(thing: Any, found: dict[int, Any], seen: set[int]) -> None:
    if id(thing) in seen or isinstance(thing, (str, bytes)):
        return
    seen.add(id(thing))
    if isinstance(thing, (IterDataPipe, MapDataPipe)):
        found[id(thing)] = thing
        for part in vars(thing).values():
            _collect(part, found, seen)
    elif isinstance(thing, Mapping):
        for part in thing.values():
            _collect(part, found, seen)
    elif isinstance(thing, (list, tuple, set)):
        for part in thing:
            _collect(part, found, seen)


def _that_can(pipe: Any, *methods: str) -> Iterator[Any]:
    return (p for p in pipes_of(pipe) if all(callable(getattr(p, method, None)) for method in methods))


def apply_random_seed(datapipe: Any, rng: Generator) -> Any:
    """Returns the pipe after giving each random part a seed drawn from a generator."""
    for pipe in _that_can(datapipe, "set_seed"):
        pipe.set_seed(int(streams.random_(rng.engine, (), "int64")))
    return datapipe


def reseeded(datapipe: Any, seed: int) -> Any:
    """Returns the pipe after giving each random part a seed that follows from one for all."""
    return apply_random_seed(datapipe, Generator().manual_seed(seed))


def apply_shuffle_settings(datapipe: Any, shuffle: bool | None = None) -> Any:
    """Returns the pipe after switching its shufflers on or off; one is added where there is none to switch on."""
    if shuffle is None:
        return datapipe
    shufflers = list(_that_can(datapipe, "set_shuffle", "set_seed"))
    if not shufflers and shuffle:
        warnings.warn(
            "`shuffle=True` was set, but the datapipe does not contain a `Shuffler`. Adding one at the end. "
            "Be aware that the default buffer size might not be sufficient for your task.",
            stacklevel=3,
        )
        datapipe = datapipe.shuffle()
        shufflers = [datapipe]
    for pipe in shufflers:
        pipe.set_shuffle(shuffle)
    return datapipe


def apply_sharding(datapipe: Any, num_of_instances: int, instance_id: int) -> Any:
    """Returns the pipe after telling its sharding filters which share is theirs; one on a branch, not two."""
    filters = list(_that_can(datapipe, "apply_sharding", "is_shardable"))
    for pipe in filters:
        if any(other is not pipe and other in filters for other in pipes_of(pipe)):
            raise RuntimeError(
                "Sharding twice on a single pipeline is likely unintended and will cause data loss. "
                f"Sharding already applied to {pipe} while trying to apply to {pipes_of(pipe)[1]}"
            )
        pipe.apply_sharding(num_of_instances, instance_id)
    return datapipe
