"""A sampler for programs of several processes: each goes through its own share of the places, in torch's order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sized

from dispatchtorch.random import streams
from dispatchtorch.random.generator import Generator
from dispatchtorch.utils.data.sampler import Sampler

__all__ = ["DistributedSampler", "when_asked_for_the_group"]

_group: Callable[[], tuple[int, int]] | None = None


def when_asked_for_the_group(answer: Callable[[], tuple[int, int]]) -> None:
    """Says who knows how many processes there are and which one this is; rooms above this one call it."""
    global _group
    _group = answer


def _asked() -> tuple[int, int]:
    if _group is None:
        raise RuntimeError("Requires distributed package to be available")
    return _group()


class DistributedSampler(Sampler[int]):
    """The share of one process in all places, shuffled in the same way in all processes.

    ``set_epoch`` before each pass gives each its own order. Shares are of one length: places come twice where the data
    set cannot be divided, or are left out with ``drop_last``.

    >>> from dispatchtorch.utils.data import DistributedSampler
    >>> list(DistributedSampler(range(5), num_replicas=2, rank=1, shuffle=False))
    [1, 3, 0]
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None:
            num_replicas = _asked()[0]
        if rank is None:
            rank = _asked()[1]
        if rank >= num_replicas or rank < 0:
            raise ValueError(f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        self.shuffle = shuffle
        self.seed = seed
        count = len(dataset)
        spare = num_replicas if drop_last and count % num_replicas else 0
        self.num_samples = math.ceil((count - spare) / num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[int]:
        count = len(self.dataset)
        places = list(range(count))
        if self.shuffle:
            places = streams.randperm(Generator().manual_seed(self.seed + self.epoch).engine, count).tolist()
        if not self.drop_last and count:
            places = (places * math.ceil(self.total_size / count))[: self.total_size]
        places = places[: self.total_size]
        if len(places) != self.total_size:
            raise AssertionError(f"Number of indices ({len(places)}) does not match total_size ({self.total_size})")
        return iter(places[self.rank : self.total_size : self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Sets which pass is next, from which its order follows."""
        self.epoch = epoch
