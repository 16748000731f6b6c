"""Pipes by place: sources, functions of samples, batches, and pipes made of several."""

from __future__ import annotations

import copy
import random
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from dispatchtorch.utils.data.datapipes.datapipe import DataChunk, IterDataPipe, MapDataPipe
from dispatchtorch.utils.data.datapipes.decorators import functional_datapipe
from dispatchtorch.utils.data.sampler import draw_seed

__all__ = ["Batcher", "Concater", "Mapper", "SequenceWrapper", "Shuffler", "Zipper"]


class SequenceWrapperMapDataPipe(MapDataPipe[Any]):
    """The elements of a sequence or mapping, of a copy of it unless told otherwise."""

    def __init__(self, sequence: Any, deepcopy: bool = True) -> None:
        self.sequence = sequence
        if deepcopy:
            try:
                self.sequence = copy.deepcopy(sequence)
            except TypeError:
                warnings.warn(
                    "The input sequence can not be deepcopied, please be aware of in-place modification would affect "
                    "source data",
                    stacklevel=2,
                )

    def __getitem__(self, index: Any) -> Any:
        return self.sequence[index]

    def __len__(self) -> int:
        return len(self.sequence)


@functional_datapipe("map")
class MapperMapDataPipe(MapDataPipe[Any]):
    """A function of each sample."""

    def __init__(self, datapipe: Any, fn: Callable[[Any], Any] = lambda sample: sample) -> None:
        self.datapipe = datapipe
        self.fn = fn

    def __getitem__(self, index: Any) -> Any:
        return self.fn(self.datapipe[index])

    def __len__(self) -> int:
        return len(self.datapipe)


@functional_datapipe("batch")
class BatcherMapDataPipe(MapDataPipe[DataChunk[Any]]):
    """Samples in lists of ``batch_size``; the last may be shorter, or is dropped."""

    def __init__(
        self,
        datapipe: Any,
        batch_size: int,
        drop_last: bool = False,
        wrapper_class: type[DataChunk[Any]] = DataChunk,
    ) -> None:
        if batch_size <= 0:
            raise AssertionError("Batch size is required to be larger than 0!")
        self.datapipe = datapipe
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.wrapper_class = wrapper_class

    def __getitem__(self, index: int) -> DataChunk[Any]:
        if not 0 <= index < len(self):
            raise IndexError(f"Index {index} is out of bound.")
        begin = index * self.batch_size
        end = min(begin + self.batch_size, len(self.datapipe))
        return self.wrapper_class([self.datapipe[i] for i in range(begin, end)])

    def __len__(self) -> int:
        whole, rest = divmod(len(self.datapipe), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)


class _OfSeveral(MapDataPipe[Any]):
    """A pipe made of several."""

    _ending = ""

    def __init__(self, *datapipes: MapDataPipe[Any]) -> None:
        if not datapipes:
            raise ValueError(f"Expected at least one DataPipe{self._ending}, but got nothing")
        if not all(isinstance(pipe, MapDataPipe) for pipe in datapipes):
            raise TypeError("Expected all inputs to be `MapDataPipe`")
        self.datapipes: Any = datapipes

    def _lengths(self) -> list[int]:
        return [len(pipe) for pipe in self.datapipes]


@functional_datapipe("concat")
class ConcaterMapDataPipe(_OfSeveral):
    """Pipes one after the other."""

    def __getitem__(self, index: int) -> Any:
        offset = 0
        for pipe, length in zip(self.datapipes, self._lengths()):
            if index - offset < length:
                return pipe[index - offset]
            offset += length
        raise IndexError(f"Index {index} is out of range.")

    def __len__(self) -> int:
        return sum(self._lengths())


@functional_datapipe("zip")
class ZipperMapDataPipe(_OfSeveral):
    """Tuples of the samples of all pipes at one place."""

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        found = []
        for pipe in self.datapipes:
            try:
                found.append(pipe[index])
            except IndexError as error:
                raise IndexError(f"Index {index} is out of range for one of the input MapDataPipes {pipe}.") from error
        return tuple(found)

    def __len__(self) -> int:
        return min(self._lengths())


class ShufflerIterDataPipe(IterDataPipe[Any]):
    """The samples of a pipe by place in random order; the order for a seed is torch's."""

    def __init__(self, datapipe: Any, *, indices: list[Any] | None = None) -> None:
        self.datapipe = datapipe
        self.indices = list(range(len(datapipe))) if indices is None else indices
        self._enabled = True
        self._seed: int | None = None
        self._order: list[Any] = []

    def set_shuffle(self, shuffle: bool = True) -> ShufflerIterDataPipe:
        """Returns the pipe after switching it on or off."""
        self._enabled = shuffle
        return self

    def set_seed(self, seed: int) -> ShufflerIterDataPipe:
        """Returns the pipe after setting what its next pass begins with."""
        self._seed = seed
        return self

    def reset(self) -> None:
        """Draws a new order."""
        seed = draw_seed() if self._enabled and self._seed is None else self._seed
        self._order = random.Random(seed).sample(self.indices, len(self.indices))
        self._seed = None

    def __iter__(self) -> Iterator[Any]:
        for place in reversed(self._order) if self._enabled else self.indices:
            yield self.datapipe[place]

    def __len__(self) -> int:
        return len(self.datapipe)


MapDataPipe.register_datapipe_as_function("shuffle", ShufflerIterDataPipe)

Batcher = BatcherMapDataPipe
Concater = ConcaterMapDataPipe
Mapper = MapperMapDataPipe
SequenceWrapper = SequenceWrapperMapDataPipe
Shuffler = ShufflerIterDataPipe
Zipper = ZipperMapDataPipe
