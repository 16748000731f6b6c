"""Pipes in a row: sources, functions of samples, batches, shuffling, and pipes made of several."""

from __future__ import annotations

import copy
import random
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from dispatchtorch.utils.data.collate import default_collate
from dispatchtorch.utils.data.datapipes.datapipe import DataChunk, IterDataPipe
from dispatchtorch.utils.data.datapipes.decorators import functional_datapipe
from dispatchtorch.utils.data.sampler import SequentialSampler, draw_seed

__all__ = [
    "Batcher", "Collator", "Concater", "Filter", "Grouper", "IterableWrapper", "Mapper", "Multiplexer", "Sampler",
    "ShardingFilter", "Shuffler", "UnBatcher", "Zipper",
]  # fmt: skip


def _length(source: Any, pipe: Any) -> int:
    """Returns the length of a pipe's source; TypeError, about the pipe, where it does not say."""
    if not hasattr(type(source), "__len__"):
        raise TypeError(f"{type(pipe).__name__} instance doesn't have valid length")
    return len(source)


class IterableWrapperIterDataPipe(IterDataPipe[Any]):
    """The elements of an iterable, of a copy of it made at the beginning of each pass unless told otherwise."""

    def __init__(self, iterable: Iterable[Any], deepcopy: bool = True) -> None:
        self.iterable = iterable
        self.deepcopy = deepcopy

    def __iter__(self) -> Iterator[Any]:
        source = self.iterable
        if self.deepcopy:
            try:
                source = copy.deepcopy(self.iterable)
            except TypeError:
                warnings.warn(
                    "The input iterable can not be deepcopied, please be aware of in-place modification would affect "
                    "source data.",
                    stacklevel=2,
                )
        yield from source

    def __len__(self) -> int:
        return _length(self.iterable, self)


@functional_datapipe("map")
class MapperIterDataPipe(IterDataPipe[Any]):
    """A function of each sample, or of some of its columns, whose result takes their place or ``output_col``'s."""

    def __init__(
        self, datapipe: Iterable[Any], fn: Callable[..., Any], input_col: Any = None, output_col: Any = None
    ) -> None:
        if input_col is None and output_col is not None:
            raise ValueError("`output_col` must be None when `input_col` is None.")
        if isinstance(output_col, (list, tuple)):
            if len(output_col) > 1:
                raise ValueError("`output_col` must be a single-element list or tuple")
            output_col = output_col[0]
        self.datapipe = datapipe
        self.fn = fn
        self.input_col = input_col
        self.output_col = output_col

    def _changed(self, sample: Any) -> Any:
        columns = self.input_col
        if columns is None:
            return self.fn(sample)
        several = isinstance(columns, (list, tuple))
        result = self.fn(*[sample[c] for c in columns]) if several else self.fn(sample[columns])
        made = list(sample) if isinstance(sample, tuple) else sample
        if self.output_col is not None:
            if self.output_col == -1:
                made.append(result)
            else:
                made[self.output_col] = result
        elif several:
            made[columns[0]] = result
            for column in sorted(columns[1:], reverse=True):
                del made[column]
        else:
            made[columns] = result
        return tuple(made) if isinstance(sample, tuple) else made

    def __iter__(self) -> Iterator[Any]:
        for sample in self.datapipe:
            yield self._changed(sample)

    def __len__(self) -> int:
        return _length(self.datapipe, self)


@functional_datapipe("collate")
class CollatorIterDataPipe(MapperIterDataPipe):
    """Each sample, a list of samples, as one batch."""

    def __init__(self, datapipe: Iterable[Any], collate_fn: Callable[..., Any] = default_collate) -> None:
        super().__init__(datapipe, fn=collate_fn)


@functional_datapipe("filter")
class FilterIterDataPipe(IterDataPipe[Any]):
    """The samples for which a function, of them or of some of their columns, says True."""

    def __init__(self, datapipe: Iterable[Any], filter_fn: Callable[..., Any], input_col: Any = None) -> None:
        self.datapipe = datapipe
        self.filter_fn = filter_fn
        self.input_col = input_col

    def __iter__(self) -> Iterator[Any]:
        columns = self.input_col
        for sample in self.datapipe:
            if columns is None:
                keep = self.filter_fn(sample)
            elif isinstance(columns, (list, tuple)):
                keep = self.filter_fn(*[sample[c] for c in columns])
            else:
                keep = self.filter_fn(sample[columns])
            if not isinstance(keep, bool):
                raise ValueError(f"Boolean output is required for `filter_fn` of FilterIterDataPipe, got {type(keep)}")
            if keep:
                yield sample


@functional_datapipe("batch")
class BatcherIterDataPipe(IterDataPipe[DataChunk[Any]]):
    """Samples in lists of ``batch_size``; the last may be shorter, or is dropped."""

    def __init__(
        self,
        datapipe: Iterable[Any],
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

    def __iter__(self) -> Iterator[DataChunk[Any]]:
        batch: list[Any] = []
        for sample in self.datapipe:
            batch.append(sample)
            if len(batch) == self.batch_size:
                yield self.wrapper_class(batch)
                batch = []
        if batch and not self.drop_last:
            yield self.wrapper_class(batch)

    def __len__(self) -> int:
        whole, rest = divmod(_length(self.datapipe, self), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)


@functional_datapipe("unbatch")
class UnBatcherIterDataPipe(IterDataPipe[Any]):
    """What is in lists, ``unbatch_level`` deep; -1 for all."""

    def __init__(self, datapipe: Iterable[Any], unbatch_level: int = 1) -> None:
        self.datapipe = datapipe
        self.unbatch_level = unbatch_level

    def __iter__(self) -> Iterator[Any]:
        for sample in self.datapipe:
            yield from self._inside(sample, self.unbatch_level)

    def _inside(self, sample: Any, level: int) -> Iterator[Any]:
        if level < -1:
            raise ValueError("unbatch_level must be -1 or >= 0")
        if isinstance(sample, list) and level:
            for item in sample:
                yield from self._inside(item, -1 if level == -1 else level - 1)
        elif level > 0:
            raise IndexError(f"unbatch_level {self.unbatch_level} exceeds the depth of the DataPipe")
        else:
            yield sample


@functional_datapipe("groupby")
class GrouperIterDataPipe(IterDataPipe[Any]):
    """Samples of one key in lists, given when they have ``group_size`` or the buffer is full, the largest first."""

    def __init__(
        self,
        datapipe: Iterable[Any],
        group_key_fn: Callable[[Any], Any],
        *,
        keep_key: bool = False,
        buffer_size: int = 10000,
        group_size: int | None = None,
        guaranteed_group_size: int | None = None,
        drop_remaining: bool = False,
    ) -> None:
        if group_size is not None and not 0 < group_size <= buffer_size:
            raise AssertionError("group_size must be > 0 and <= buffer_size")
        if guaranteed_group_size is not None and (group_size is None or not 0 < guaranteed_group_size <= group_size):
            raise AssertionError("guaranteed_group_size must be > 0 and <= group_size and group_size must be set")
        self.datapipe = datapipe
        self.group_key_fn = group_key_fn
        self.keep_key = keep_key
        self.max_buffer_size = buffer_size
        self.group_size = group_size
        self.guaranteed_group_size = group_size if guaranteed_group_size is None else guaranteed_group_size
        self.drop_remaining = drop_remaining

    def _given(self, key: Any, items: list[Any]) -> Any:
        return (key, DataChunk(items)) if self.keep_key else DataChunk(items)

    def __iter__(self) -> Iterator[Any]:
        waiting: dict[Any, list[Any]] = defaultdict(list)
        count = 0
        for sample in self.datapipe:
            key = self.group_key_fn(sample)
            waiting[key].append(sample)
            count += 1
            if len(waiting[key]) == self.group_size:
                count -= self.group_size
                yield self._given(key, waiting.pop(key))
            if count == self.max_buffer_size:
                largest = max(waiting, key=lambda k: len(waiting[k]))
                items = waiting.pop(largest)
                count -= len(items)
                if self.guaranteed_group_size is None or len(items) >= self.guaranteed_group_size:
                    yield self._given(largest, items)
                elif not self.drop_remaining:
                    raise RuntimeError("Failed to group items", str(items))
        for key, items in waiting.items():
            yield self._given(key, items)


@functional_datapipe("shuffle")
class ShufflerIterDataPipe(IterDataPipe[Any]):
    """Samples in random order, drawn from a buffer; the order for a seed is torch's."""

    def __init__(self, datapipe: Any, *, buffer_size: int = 10000, unbatch_level: int = 0) -> None:
        if buffer_size <= 0:
            raise AssertionError("buffer_size should be larger than 0")
        self.datapipe = datapipe.unbatch(unbatch_level=unbatch_level) if unbatch_level else datapipe
        self.buffer_size = buffer_size
        self._buffer: list[Any] = []
        self._enabled = True
        self._seed: int | None = None
        self._rng = random.Random()

    def set_shuffle(self, shuffle: bool = True) -> ShufflerIterDataPipe:
        """Returns the pipe after switching it on or off."""
        self._enabled = shuffle
        return self

    def set_seed(self, seed: int) -> ShufflerIterDataPipe:
        """Returns the pipe after setting what its next pass begins with."""
        self._seed = seed
        return self

    def reset(self) -> None:
        """Empties the buffer and begins the stream of the seed, or of one that is drawn."""
        self._buffer = []
        if self._enabled:
            self._rng.seed(draw_seed() if self._seed is None else self._seed)
            self._seed = None

    def __iter__(self) -> Iterator[Any]:
        if not self._enabled:
            yield from self.datapipe
            return
        buffer = self._buffer
        for sample in self.datapipe:
            if len(buffer) < self.buffer_size:
                buffer.append(sample)
                continue
            place = self._rng.randint(0, len(buffer) - 1)
            chosen, buffer[place] = buffer[place], sample
            yield chosen
        while buffer:
            yield buffer.pop(self._rng.randint(0, len(buffer) - 1))

    def __len__(self) -> int:
        return _length(self.datapipe, self)


class SamplerIterDataPipe(IterDataPipe[Any]):
    """The places that a sampler draws from a pipe."""

    def __init__(
        self,
        datapipe: Any,
        sampler: Callable[..., Any] = SequentialSampler,
        sampler_args: tuple[Any, ...] | None = None,
        sampler_kwargs: dict[str, Any] | None = None,
    ) -> None:
        if not hasattr(type(datapipe), "__len__"):
            raise AssertionError("Sampler class requires input datapipe implemented `__len__`")
        self.datapipe = datapipe
        self.sampler = sampler(*(sampler_args or ()), **{**(sampler_kwargs or {}), "data_source": datapipe})

    def __iter__(self) -> Iterator[Any]:
        return iter(self.sampler)

    def __len__(self) -> int:
        return _length(self.sampler, self)


class _OfSeveral(IterDataPipe[Any]):
    """A pipe made of several."""

    def __init__(self, *datapipes: IterDataPipe[Any]) -> None:
        if not datapipes:
            raise ValueError(f"Expected at least one DataPipe for {type(self).__name__}, but got nothing")
        if not all(isinstance(pipe, IterDataPipe) for pipe in datapipes):
            raise TypeError(f"Expected all inputs to be `IterDataPipe` for {type(self).__name__}")
        self.datapipes = datapipes

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError

    def _lengths(self) -> list[int]:
        return [_length(pipe, self) for pipe in self.datapipes]


@functional_datapipe("concat")
class ConcaterIterDataPipe(_OfSeveral):
    """Pipes one after the other."""

    def __iter__(self) -> Iterator[Any]:
        for pipe in self.datapipes:
            yield from pipe

    def __len__(self) -> int:
        return sum(self._lengths())


@functional_datapipe("zip")
class ZipperIterDataPipe(_OfSeveral):
    """Tuples of one sample from each pipe, until one has no more."""

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        yield from zip(*self.datapipes)

    def __len__(self) -> int:
        return min(self._lengths())


@functional_datapipe("mux")
class MultiplexerIterDataPipe(_OfSeveral):
    """One sample from each pipe in turn, until one has no more."""

    def __iter__(self) -> Iterator[Any]:
        for samples in zip(*self.datapipes):
            yield from samples

    def __len__(self) -> int:
        return min(self._lengths()) * len(self.datapipes)


@functional_datapipe("sharding_filter")
class ShardingFilterIterDataPipe(IterDataPipe[Any]):
    """Every n-th sample, so that the workers of a loader share a pipe out among them."""

    def __init__(self, source_datapipe: Any, sharding_group_filter: Any = None) -> None:
        self.source_datapipe = source_datapipe
        self.sharding_group_filter = sharding_group_filter
        self.num_of_instances = 1
        self.instance_id = 0

    def is_shardable(self) -> bool:
        """Returns True."""
        return True

    def apply_sharding(self, num_of_instances: int, instance_id: int) -> None:
        """Sets of how many shares this pipe gives which."""
        if instance_id >= num_of_instances:
            raise ValueError(f"instance_id({instance_id}) should be smaller than num_of_instances({num_of_instances})")
        self.num_of_instances = num_of_instances
        self.instance_id = instance_id

    def __iter__(self) -> Iterator[Any]:
        for i, sample in enumerate(self.source_datapipe):
            if i % self.num_of_instances == self.instance_id:
                yield sample

    def __len__(self) -> int:
        whole, rest = divmod(_length(self.source_datapipe, self), self.num_of_instances)
        return whole + (self.instance_id < rest)


Batcher = BatcherIterDataPipe
Collator = CollatorIterDataPipe
Concater = ConcaterIterDataPipe
Filter = FilterIterDataPipe
Grouper = GrouperIterDataPipe
IterableWrapper = IterableWrapperIterDataPipe
Mapper = MapperIterDataPipe
Multiplexer = MultiplexerIterDataPipe
Sampler = SamplerIterDataPipe
ShardingFilter = ShardingFilterIterDataPipe
Shuffler = ShufflerIterDataPipe
UnBatcher = UnBatcherIterDataPipe
Zipper = ZipperIterDataPipe
