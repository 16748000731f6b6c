"""The worker processes of one pass, as the program sees them: started, spoken to, missed, ended.

Each has a socket of its own, so one that dies holds no lock that others wait for, and what it was about to send is gone
with it. Must not know: which batch comes next.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import time
import warnings
import weakref
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Final

from dispatchtorch.multiprocessing.parcels import Parcel, receive
from dispatchtorch.ops.sharing import lives_in_host_memory
from dispatchtorch.plugin.selection import DEFAULT, backend_for_device
from dispatchtorch.utils.data.worker import STOP, Orders, work

__all__ = ["PATIENCE", "Crew"]

PATIENCE: Final = 5.0  # seconds that a worker has to finish what it does when it is told to stop

_UNPICKLED: Final = (
    "Got pickle error when attempting to start a worker Process. "
    "This might be because the worker Process arguments are not picklable. "
    "Python 3.14+ changed the multiprocessing start method in non-Mac POSIX platforms "
    "to 'forkserver', which requires the worker Process arguments to be picklable. "
    "You can also try multiprocessing.set_start_method('fork')."
)

#: The program's ends of all lines: a forked worker must close them, or nobody learns that the program is gone.
_ends: Final[weakref.WeakSet[Connection]] = weakref.WeakSet()


def _worker_backend() -> str:
    """Returns the backend that computes in workers: the program's own if its arrays are the host's."""
    backend = backend_for_device("cpu")
    return backend.name if lives_in_host_memory(backend) else DEFAULT


class Crew:
    """Worker processes and the lines to them."""

    def __init__(self, orders: Orders, context: Any) -> None:
        context = context or multiprocessing.get_context()
        by_fork = context.get_start_method() == "fork"
        self._processes: list[BaseProcess] = []
        self._lines: list[Connection] = []
        self._end = weakref.finalize(self, _ended, os.getpid(), self._processes, self._lines)
        backend = _worker_backend()
        # A fork brings the data set along as it is; but only tensors in the host's memory survive one.
        as_it_is = by_fork and backend_for_device("cpu").name == backend
        parcel = None if as_it_is else _packed(orders, by_fork)
        try:
            for worker in range(orders.workers):
                self._start(worker, backend, orders, parcel, context, by_fork)
        except BaseException:
            self.end()
            raise

    def _start(
        self, worker: int, backend: str, orders: Orders, parcel: Parcel | None, context: Any, by_fork: bool
    ) -> None:
        ours, theirs = context.Pipe(duplex=True)
        _ends.add(ours)
        others = list(_ends) if by_fork else []
        inherited = orders if parcel is None else None
        process = context.Process(target=work, args=(theirs, worker, backend, inherited, others), daemon=True)
        with warnings.catch_warnings():
            # A library with threads warns of any fork; workers do not touch it.
            warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
            process.start()
        theirs.close()
        self._processes.append(process)
        self._lines.append(ours)
        if parcel is not None:
            try:
                parcel.send(ours)
            except (BrokenPipeError, ConnectionResetError):
                raise self.missing([worker]) from None

    def __len__(self) -> int:
        return len(self._processes)

    def pids(self) -> list[int]:
        """Returns the numbers of the processes."""
        return [int(process.pid or 0) for process in self._processes]

    def tell(self, worker: int, what: int, number: int | None, places: Any) -> None:
        """Sends a task; RuntimeError in torch's words where nobody is there."""
        try:
            Parcel((what, number, places)).send(self._lines[worker])
        except (BrokenPipeError, ConnectionResetError):
            raise self.missing([worker]) from None

    def hear(self, workers: Sequence[int], timeout: float | None) -> tuple[int, Any] | None:
        """Returns the next message from some of the workers, and from whom; None after ``timeout`` seconds.

        RuntimeError in torch's words when one of them dies without having said anything.
        """
        by_line = {self._lines[worker]: worker for worker in workers}
        by_sentinel = {self._processes[worker].sentinel: worker for worker in workers}
        ready = wait([*by_line, *by_sentinel], timeout)
        if not ready:
            return None
        for line in ready:
            worker = by_line.get(line) if isinstance(line, Connection) else None
            if worker is not None:
                try:
                    return worker, receive(self._lines[worker])
                except (EOFError, ConnectionResetError):
                    gone = self.missing([worker])  # with a cause of its own, which a raise here would hide
                raise gone
        raise self.missing([by_sentinel[sentinel] for sentinel in ready if isinstance(sentinel, int)])

    def missing(self, workers: Sequence[int]) -> RuntimeError:
        """Returns torch's sentence on workers that are gone, and how the first of them went as its cause."""
        for worker in workers:
            self._processes[worker].join(PATIENCE)
        pids = ", ".join(str(self._processes[worker].pid) for worker in workers)
        error = RuntimeError(f"DataLoader worker (pid(s) {pids}) exited unexpectedly")
        error.__cause__ = _how_it_went(self._processes[workers[0]])
        self.end()
        return error

    def end(self) -> None:
        """Tells all workers to stop and waits for them; those that do not stop in time are stopped."""
        self._end()


def _ended(owner: int, processes: list[BaseProcess], lines: list[Connection]) -> None:
    if os.getpid() != owner:
        return  # a fork's copy: the workers are not its children
    for line in lines:
        try:
            Parcel((STOP, None, None)).send(line)
        except OSError:
            pass  # it is gone already
        line.close()
    patience = time.monotonic() + PATIENCE
    for process in processes:
        process.join(max(0.0, patience - time.monotonic()))
    for stop in (BaseProcess.terminate, BaseProcess.kill):
        for process in processes:
            if process.is_alive():
                stop(process)
                process.join(PATIENCE)
    for process in processes:
        if not process.is_alive():
            process.close()


def _how_it_went(process: BaseProcess) -> RuntimeError:
    code, pid = process.exitcode, process.pid
    if code is None or code >= 0:
        return RuntimeError(
            f"DataLoader worker (pid {pid}) exited unexpectedly with exit code {code}. Details are lost due to "
            "multiprocessing. Rerunning with num_workers=0 may give better error trace."
        )
    name = signal.strsignal(-code) if -code in signal.valid_signals() else str(-code)
    return RuntimeError(f"DataLoader worker (pid {pid}) is killed by signal: {name}. ")


def _packed(orders: Orders, by_fork: bool) -> Parcel | None:
    try:
        return Parcel(orders)
    except (TypeError, AttributeError, pickle.PicklingError):
        if by_fork:
            return None  # it goes with the fork; a data set that holds no tensors is as good that way
        warnings.warn(_UNPICKLED, stacklevel=5)
        raise
