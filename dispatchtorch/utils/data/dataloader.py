"""The loader: goes through a data set in a sampler's order and hands out batches, in this process.

Must not know: how samples are joined (``collate``), nor how places are drawn (``sampler``).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Generic, TypeVar

from dispatchtorch._base.dtypes import int64
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.random.generator import Generator
from dispatchtorch.utils.data.collate import default_collate, default_collate_fn_map, default_convert
from dispatchtorch.utils.data.dataset import IterableDataset, Subset, TensorDataset
from dispatchtorch.utils.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, draw_seed

__all__ = ["DataLoader", "get_worker_info"]

T_co = TypeVar("T_co", covariant=True)

_FIXED: Final = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")


def get_worker_info() -> None:
    """Returns None: all data are loaded in the main process."""
    return None


class _Endless(Sampler[None]):
    """No places, for ever: the sampler of a data set that gives its samples in a row."""

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


class DataLoader(Generic[T_co]):
    """Batches of a data set; each ``for`` loop over it is one pass.

    For a seed the order of a shuffled pass is torch's. ``num_workers`` above 0 is refused with NotImplementedError.

    >>> from dispatchtorch.utils.data import DataLoader
    >>> [batch.tolist() for batch in DataLoader(range(5), batch_size=2)]
    [[0, 1], [2, 3], [4]]
    """

    _initialized = False
    batch_size: int | None
    sampler: Any
    batch_sampler: Any

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler[Any] | Iterable[Any] | None = None,
        batch_sampler: Sampler[list[Any]] | Iterable[list[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers, multiprocessing_context)
        self.dataset = dataset
        self._in_a_row = isinstance(dataset, IterableDataset)
        if self._in_a_row:
            _check_in_a_row(shuffle, sampler, batch_sampler)
        _check_batches(batch_size, shuffle, sampler, batch_sampler, drop_last)
        if batch_sampler is not None:
            batch_size, drop_last = None, False
        if sampler is None:
            sampler = self._default_sampler(dataset, bool(shuffle), generator)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.num_workers = num_workers
        self.prefetch_factor = prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.in_order = in_order
        self.persistent_workers = persistent_workers
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.generator = generator
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)
        self._reported: int | None = None
        self._initialized = True

    def _default_sampler(self, dataset: Any, shuffle: bool, generator: Generator | None) -> Sampler[Any]:
        if self._in_a_row:
            return _Endless()
        return RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)

    def __setattr__(self, name: str, value: Any) -> None:
        if self._initialized and name in _FIXED:
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(name, value)

    @property
    def _index_sampler(self) -> Any:
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def __iter__(self) -> Iterator[Any]:
        return _Pass(self)

    def __len__(self) -> int:
        if not self._in_a_row:
            return len(self._index_sampler)
        length = self._reported = len(self.dataset)
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else math.ceil(length / self.batch_size)


class _Pass:
    """One pass over the data; draws torch's seed for workers too, so that the generator ends where torch's does."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self._loader = loader
        self._places = iter(loader._index_sampler)
        self._base_seed = draw_seed(loader.generator)
        self._reported = loader._reported
        self._given = 0
        self._fetch = _row_fetcher(loader) if loader._in_a_row else _place_fetcher(loader)

    def __iter__(self) -> _Pass:
        return self

    def __len__(self) -> int:
        return len(self._loader._index_sampler)

    def __next__(self) -> Any:
        data = self._fetch(next(self._places))
        self._given += 1
        if self._reported is not None and self._loader._in_a_row and self._given > self._reported:
            warnings.warn(
                f"Length of IterableDataset {self._loader.dataset} was reported to be {self._reported}"
                f"(when accessing len(dataloader)), but {self._given} samples have been fetched. ",
                stacklevel=2,
            )
        return data


def _row_fetcher(loader: DataLoader[Any]) -> Callable[[Any], Any]:
    """Returns what takes the next samples of a row, as many as there are places; StopIteration at its end."""
    source = iter(loader.dataset)
    collate = loader.collate_fn
    if loader.batch_sampler is None:
        return lambda place: collate(next(source))

    def fetch(places: list[Any]) -> Any:
        samples = [sample for _, sample in zip(places, source)]
        if not samples or (loader.drop_last and len(samples) < len(places)):
            raise StopIteration
        return collate(samples)

    return fetch


def _place_fetcher(loader: DataLoader[Any]) -> Callable[[Any], Any]:
    """Returns what takes the samples at given places."""
    dataset, collate = loader.dataset, loader.collate_fn
    if loader.batch_sampler is None:
        return lambda place: collate(dataset[place])
    several = getattr(dataset, "__getitems__", None)

    def fetch(places: list[Any]) -> Any:
        return collate(several(places) if several else [dataset[i] for i in places])

    whole = _tensors_behind(dataset) if collate is default_collate else None
    if whole is None:
        return fetch
    tensors, indices = whole
    count = len(tensors[0])

    def fetch_whole(places: list[Any]) -> Any:
        try:
            rows = places if indices is None else [indices[i] for i in places]
            if min(rows) < 0 or max(rows) >= count:
                return fetch(places)
            where = FUNCTIONS["tensor"](rows, dtype=int64, device=tensors[0].device, backend=tensors[0].backend)
        except (TypeError, ValueError, IndexError):
            return fetch(places)
        return [FUNCTIONS["index_select"](t, 0, where) for t in tensors]

    return fetch_whole


def _tensors_behind(dataset: Any) -> tuple[Any, Any] | None:
    """Returns the tensors, and the subset's places in them, of a data set whose batch is a choice of rows; else None.

    Only where nothing can be told apart from stacking samples: plain classes, default rules, no gradient required.
    """
    indices = None
    if type(dataset) is Subset:
        dataset, indices = dataset.dataset, dataset.indices
    if type(dataset) is not TensorDataset or default_collate_fn_map != _PLAIN_RULES:
        return None
    tensors = dataset.tensors
    alike = all(t.device == tensors[0].device and t.backend == tensors[0].backend for t in tensors)
    return (tensors, indices) if alike and not any(t.requires_grad for t in tensors) else None


_PLAIN_RULES: Final = dict(default_collate_fn_map)


def _check_workers(workers: int, timeout: float, prefetch: int | None, persistent: bool, context: Any) -> None:
    if workers < 0:
        raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if workers == 0 and prefetch is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 to enable "
            "multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch is not None and prefetch < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent and workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")
    if context is not None and workers == 0:
        raise ValueError(
            "multiprocessing_context can only be used with multi-process loading (num_workers > 0), but got "
            "num_workers=0"
        )
    if workers > 0:
        raise NotImplementedError(
            f"DataLoader(num_workers={workers}): dispatchtorch has no worker processes yet (they need tensors in "
            "shared memory); use num_workers=0, which loads in this process and gives the same batches"
        )


def _check_in_a_row(shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
    for word, value in (("shuffle", shuffle or None), ("sampler", sampler), ("batch_sampler", batch_sampler)):
        if value is not None:
            raise ValueError(
                f"DataLoader with IterableDataset: expected unspecified {word} option, but got {word}={value}"
            )


def _check_batches(batch_size: Any, shuffle: Any, sampler: Any, batch_sampler: Any, drop_last: bool) -> None:
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None:
        if batch_size != 1 or shuffle or sampler is not None or drop_last:
            raise ValueError(
                "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
            )
    elif batch_size is None and drop_last:
        raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
