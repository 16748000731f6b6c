"""One pass over the data: in this process, or by workers whose batches are put in order again.

Must not know: how batches are fetched, how workers are spoken to.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dispatchtorch.dispatch.tracing import tracing
from dispatchtorch.utils.data.crew import Crew
from dispatchtorch.utils.data.sampler import draw_seed
from dispatchtorch.utils.data.worker import AGAIN, BATCH, END, FAILED, FETCH, Orders

if TYPE_CHECKING:
    from dispatchtorch.utils.data.dataloader import DataLoader

__all__ = ["_BaseDataLoaderIter", "_MultiProcessingDataLoaderIter", "_SingleProcessDataLoaderIter"]

_REPLICAS = (
    "For multiprocessing data-loading, this could be caused by not properly configuring the "
    "IterableDataset replica at each worker. Please see "
    "https://pytorch.org/docs/stable/data.html#torch.utils.data.IterableDataset for examples."
)


class _BaseDataLoaderIter:
    """A pass; draws torch's seed for workers in any case, so that the generator ends where torch's does."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self._begin(loader)
        self._base_seed = draw_seed(loader.generator)

    def _begin(self, loader: DataLoader[Any]) -> None:
        self._shared_seed = None if loader._reseed is None else draw_seed(loader.generator)
        self._loader = loader._facts()
        self._places = iter(loader._index_sampler)
        self._reported = loader._reported
        self._num_yielded = 0

    def _orders(self) -> Orders:
        loader = self._loader
        return Orders(
            dataset=loader.dataset,
            in_a_row=loader._in_a_row,
            collate=loader.collate_fn,
            batched=loader.batch_sampler is not None,
            drop_last=loader.drop_last,
            init=loader.worker_init_fn,
            base_seed=self._base_seed,
            workers=loader.num_workers,
            reseed=loader._reseed,
            shared_seed=self._shared_seed,
        )

    def __iter__(self) -> Iterator[Any]:
        return self

    def __len__(self) -> int:
        return len(self._loader._index_sampler)

    def __next__(self) -> Any:
        if tracing.now is not None:
            tracing.now.refuse("a DataLoader is asked for its next batch, which a program would not do again")
        data = self._next_data()
        self._num_yielded += 1
        if self._reported is not None and self._loader._in_a_row and self._num_yielded > self._reported:
            warnings.warn(
                f"Length of IterableDataset {self._loader.dataset} was reported to be {self._reported}"
                f"(when accessing len(dataloader)), but {self._num_yielded} samples have been fetched. "
                + (_REPLICAS if self._loader.num_workers else ""),
                stacklevel=2,
            )
        return data

    def _next_data(self) -> Any:
        raise NotImplementedError

    def __getstate__(self) -> Any:
        raise NotImplementedError("{} cannot be pickled", type(self).__name__)


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    """A pass in this process."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        super().__init__(loader)
        if loader.timeout:
            raise AssertionError("_SingleProcessDataLoaderIter requires timeout == 0")
        orders = self._orders()
        self._fetch = orders.reseeded(self._shared_seed).fetcher()

    def _next_data(self) -> Any:
        return self._fetch(next(self._places))


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """A pass by worker processes.

    Tasks are numbered as they are sent. ``_asked`` says who has which, ``_kept`` has what came before its turn.
    """

    def __init__(self, loader: DataLoader[Any]) -> None:
        super().__init__(loader)
        self._ahead = (loader.prefetch_factor or 0) * loader.num_workers
        if loader._reseed is not None:
            draw_seed(loader.generator)  # torch draws another one here, and so do we, for what is drawn next
        self._crew: Crew | None = Crew(self._orders(), loader.multiprocessing_context)
        self._prime()

    def _reset(self, loader: DataLoader[Any]) -> None:
        """Begins another pass with the same workers."""
        self._begin(loader)
        crew = self._crew
        if crew is None:  # it was ended by an error
            self._crew = Crew(self._orders(), loader.multiprocessing_context)
        else:
            for worker in range(len(crew)):
                crew.tell(worker, AGAIN, self._shared_seed, None)
            waiting = set(range(len(crew)))
            while waiting:
                worker, (what, _, _) = self._hear(crew, sorted(waiting))
                waiting -= {worker} if what == AGAIN else set()  # the rest of an older pass is dropped
        self._prime()

    def _prime(self) -> None:
        count = self._loader.num_workers
        self._asked: dict[int, int] = {}
        self._kept: dict[int, tuple[int, int, Any]] = {}
        self._busy = [True] * count  # by worker: whether its row has not ended
        self._load = [0] * count
        self._turns = itertools.cycle(range(count))
        self._sent = self._given = 0
        for _ in range(self._ahead):
            self._ask()

    @property
    def _workers(self) -> list[Any]:
        return [] if self._crew is None else self._crew._processes

    def _ask(self) -> None:
        """Sends the next places to the worker whose turn it is, if there are any and there is one."""
        crew = self._crew
        if crew is None:
            return
        try:
            places = next(self._places)
        except StopIteration:
            return
        worker = self._whose_turn()
        if worker is None:
            return
        try:
            crew.tell(worker, FETCH, self._sent, places)
        except RuntimeError:
            self._crew = None
            raise
        self._asked[self._sent] = worker
        self._load[worker] += 1
        self._sent += 1

    def _whose_turn(self) -> int | None:
        for _ in self._load:
            worker = next(self._turns)
            if self._busy[worker] and (self._loader.in_order or self._load[worker] < self._ahead // sum(self._busy)):
                return worker
        return None

    def _hear(self, crew: Crew, workers: list[int]) -> tuple[int, Any]:
        timeout = self._loader.timeout
        try:
            heard = crew.hear(workers, timeout or None)
        except BaseException:
            self._finish()  # what an interrupted message leaves behind cannot be read
            raise
        if heard is None:
            raise RuntimeError(f"DataLoader timed out after {timeout} seconds")
        return heard

    def _next_data(self) -> Any:
        while True:
            while self._given < self._sent:  # pass over what was asked of workers whose row has ended
                worker = self._asked.get(self._given)
                if self._given in self._kept or (worker is not None and self._busy[worker]):
                    break
                self._asked.pop(self._given, None)
                self._given += 1
            crew = self._crew
            if self._given == self._sent or crew is None:
                if not self._loader.persistent_workers:
                    self._finish()
                raise StopIteration
            if self._given in self._kept:
                self._given += 1
                return self._handed(*self._kept.pop(self._given - 1))
            worker, (what, number, data) = self._hear(crew, [w for w, busy in enumerate(self._busy) if busy])
            self._asked.pop(number, None)
            if what == END:
                self._busy[worker] = False
                self._ask()
            elif number == self._given or not self._loader.in_order:
                self._given += number == self._given
                return self._handed(worker, what, data)
            else:
                self._kept[number] = (worker, what, data)

    def _handed(self, worker: int, what: int, data: Any) -> Any:
        self._load[worker] -= 1
        self._ask()
        if what == FAILED:
            raise data.exception()
        assert what == BATCH
        return data

    def _finish(self) -> None:
        crew, self._crew = self._crew, None
        if crew is not None:
            crew.end()

    _shutdown_workers = _finish
