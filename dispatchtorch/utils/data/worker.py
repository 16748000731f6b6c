"""What runs in a worker process: it gets places, fetches batches and sends them, until it is told to stop.

A worker computes on the host's own arrays whatever library the program uses: libraries with threads and devices of
their own do not survive a fork. Must not know: in which order the program wants the batches.
"""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any, Final

import numpy as np

from dispatchtorch._base.switches import set_num_threads
from dispatchtorch.multiprocessing.parcels import Parcel, receive
from dispatchtorch.plugin.selection import set_backend, use_backend
from dispatchtorch.random.generator import manual_seed
from dispatchtorch.utils.data.datapipes.datapipe import IterDataPipe, MapDataPipe
from dispatchtorch.utils.data.datapipes.graph import apply_sharding
from dispatchtorch.utils.data.failure import Failure
from dispatchtorch.utils.data.fetch import Fetch, fetcher
from dispatchtorch.utils.data.worker_info import WorkerInfo, set_worker_info

__all__ = ["AGAIN", "BATCH", "END", "FAILED", "FETCH", "STOP", "Orders", "work"]

# What the program sends: (FETCH, number, places), (AGAIN, seed, None), (STOP, None, None); what it gets: a number with
# BATCH, FAILED or END, or AGAIN.
FETCH, AGAIN, STOP, BATCH, FAILED, END = range(6)

_LOW: Final = 0xFFFF_FFFF


@dataclass(frozen=True)
class Orders:
    """All that a worker has to know."""

    dataset: Any
    in_a_row: bool
    collate: Callable[[Any], Any]
    batched: bool
    drop_last: bool
    init: Callable[[int], None] | None
    base_seed: int
    workers: int
    reseed: Callable[[Any, int], Any] | None = None
    shared_seed: int | None = None

    def fetcher(self) -> Fetch:
        """Returns what fetches batches from the data set."""
        return fetcher(self.dataset, self.in_a_row, self.collate, self.batched, self.drop_last)

    def reseeded(self, seed: int | None) -> Orders:
        """Returns the orders with a data set whose random parts begin from a seed that all workers share."""
        if self.reseed is None or seed is None:
            return self
        return replace(self, dataset=self.reseed(self.dataset, seed))


def work(line: Connection, worker: int, backend: str, orders: Orders | None, others: Iterable[Connection]) -> None:
    """Serves until the program says stop or is gone. Orders come through the line unless a fork has brought them."""
    for other in others:
        other.close()  # the program's ends: as long as anybody holds one, nobody learns that the program is gone
    try:
        set_backend(backend)  # for threads
        with use_backend(backend):  # for this one, whatever a fork has brought along
            _serve(line, worker, receive(line) if orders is None else orders)
    except (KeyboardInterrupt, EOFError, ConnectionError):
        pass  # an interrupt reaches the program as well, which says it to the user


def _seed(orders: Orders, worker: int) -> int:
    seed = orders.base_seed + worker
    random.seed(seed)
    manual_seed(seed)
    entropy = [worker, orders.base_seed & _LOW, orders.base_seed >> 32, 0]
    np.random.seed(np.random.SeedSequence(entropy).generate_state(4))  # data sets draw from the old one
    return seed


def _listen(line: Connection, tasks: queue.SimpleQueue[Any]) -> None:
    """Takes in all that comes, so that the program never waits for a worker that computes or waits for it."""
    try:
        while True:
            task = receive(line)
            tasks.put(task)
            if task[0] == STOP:
                return
    except (EOFError, OSError):
        tasks.put((STOP, None, None))


def _serve(line: Connection, worker: int, orders: Orders) -> None:
    set_num_threads(1)
    seed = _seed(orders, worker)
    orders = orders.reseeded(orders.shared_seed)
    if isinstance(orders.dataset, (IterDataPipe, MapDataPipe)):
        apply_sharding(orders.dataset, orders.workers, worker)
    set_worker_info(WorkerInfo(worker, orders.workers, seed, orders.dataset))
    failure, fetch = None, None
    try:
        if orders.init is not None:
            orders.init(worker)
        fetch = orders.fetcher()
    except Exception as error:
        failure = Failure(error, worker)
    tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(line, tasks), daemon=True).start()
    ended = False
    while True:
        what, number, places = tasks.get()
        if what == STOP:
            return
        if what == AGAIN:
            Parcel((AGAIN, None, None)).send(line)
            ended = False
            try:
                orders = orders.reseeded(number)
                fetch = orders.fetcher()
            except Exception as error:
                failure = Failure(error, worker)
        elif failure is not None:
            _send(line, worker, FAILED, number, failure)
        elif not ended:
            ended = _answer(line, worker, fetch, orders.in_a_row, number, places)


def _answer(line: Connection, worker: int, fetch: Any, in_a_row: bool, number: int, places: Any) -> bool:
    """Sends a batch or what went wrong with it; returns whether the row has ended."""
    try:
        data = fetch(places)
    except Exception as error:
        if in_a_row and isinstance(error, StopIteration):
            _send(line, worker, END, number, None)
            return True
        _send(line, worker, FAILED, number, Failure(error, worker))
        return False
    _send(line, worker, BATCH, number, data)
    return False


def _send(line: Connection, worker: int, what: int, number: int, data: Any) -> None:
    try:
        parcel = Parcel((what, number, data))
    except Exception as error:  # what cannot be pickled must be heard of, not be waited for
        if isinstance(data, Failure):
            data.kind = RuntimeError  # a class that exists in this process only
            parcel = Parcel((FAILED, number, data))
        else:
            parcel = Parcel((FAILED, number, Failure(error, worker)))
    parcel.send(line)
