"""Several processes that run one function: ``torch.multiprocessing.spawn``, and what is raised when one fails."""

from __future__ import annotations

import logging
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from typing import Any, Final

__all__ = [
    "ProcessContext", "ProcessException", "ProcessExitedException", "ProcessRaisedException", "SpawnContext", "spawn",
    "start_processes",
]  # fmt: skip

_log: Final = logging.getLogger(__name__)
_DIE_WITH_PARENT: Final = 1  # prctl's PR_SET_PDEATHSIG


class ProcessException(Exception):
    """A process failed: which, and what its number was."""

    def __init__(self, msg: str, error_index: int, error_pid: int) -> None:
        super().__init__(msg)
        self.msg = msg
        self.error_index = error_index
        self.error_pid = error_pid

    def __reduce__(self) -> Any:
        return type(self), (self.msg, self.error_index, self.error_pid)


class ProcessRaisedException(ProcessException):
    """A process raised an exception, which the message tells with its traceback."""


class ProcessExitedException(ProcessException):
    """A process was ended by a signal, or ended itself with a code that is not zero."""

    def __init__(
        self, msg: str, error_index: int, error_pid: int, exit_code: int, signal_name: str | None = None
    ) -> None:
        super().__init__(msg, error_index, error_pid)
        self.exit_code = exit_code
        self.signal_name = signal_name

    def __reduce__(self) -> Any:
        return type(self), (self.msg, self.error_index, self.error_pid, self.exit_code, self.signal_name)


def _end_with_parent() -> None:
    """Asks the kernel to interrupt this process when its parent dies, where there is such a call."""
    if sys.platform == "linux":
        import ctypes  # only in processes that were started here

        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, int(signal.SIGINT))


def _run(fn: Callable[..., Any], index: int, args: Sequence[Any], error_file: str) -> None:
    _end_with_parent()
    try:
        fn(index, *args)
    except KeyboardInterrupt:
        pass  # the parent ends us
    except Exception:
        with open(error_file, "wb") as file:
            pickle.dump(traceback.format_exc(), file)
        sys.exit(1)


class ProcessContext:
    """Processes that were started together; ``join`` waits for them."""

    def __init__(self, processes: Sequence[BaseProcess], error_files: Sequence[str]) -> None:
        self.error_files = error_files
        self.processes = processes
        self.sentinels = {process.sentinel: index for index, process in enumerate(processes)}

    def pids(self) -> list[int]:
        """Returns the numbers of the processes."""
        return [int(process.pid or 0) for process in self.processes]

    def _join_all(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        for process in self.processes:
            process.join(max(0, end - time.monotonic()))

    def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
        """Returns whether all processes have ended well; call it until they have.

        When one fails the others are ended, after ``grace_period`` seconds in which they may end by themselves, and
        ProcessRaisedException or ProcessExitedException is raised.
        """
        if not self.sentinels:
            return True
        failed = None
        for sentinel in multiprocessing.connection.wait(self.sentinels.keys(), timeout):
            index = self.sentinels.pop(sentinel)  # type: ignore[arg-type]  # these are what was waited for
            self.processes[index].join()
            if self.processes[index].exitcode != 0:
                failed = index
                break
        if failed is None:
            return not self.sentinels
        self._end_all(grace_period)
        raise self._failure(failed)

    def _end_all(self, grace_period: float | None) -> None:
        if grace_period is not None:
            self._join_all(grace_period)
        for process in self.processes:
            if process.is_alive():
                _log.warning("Terminating process %s via signal SIGTERM", process.pid)
                process.terminate()
        self._join_all(30 if grace_period is None else grace_period)
        for process in self.processes:
            if process.is_alive():
                _log.warning("Unable to shutdown process %s via SIGTERM , forcefully exiting via SIGKILL", process.pid)
                process.kill()
            process.join()

    def _failure(self, index: int) -> ProcessException:
        pid, code = int(self.processes[index].pid or 0), int(self.processes[index].exitcode or 0)
        if os.access(self.error_files[index], os.R_OK):
            with open(self.error_files[index], "rb") as file:
                trace = pickle.load(file)
            os.unlink(self.error_files[index])
            return ProcessRaisedException(
                f"\n\n-- Process {index:d} terminated with the following error:\n{trace}", index, pid
            )
        if code >= 0:
            return ProcessExitedException(f"process {index:d} terminated with exit code {code:d}", index, pid, code)
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"<Unknown signal {-code}>"
        return ProcessExitedException(f"process {index:d} terminated with signal {name}", index, pid, code, name)


class SpawnContext(ProcessContext):
    """The old name of `ProcessContext`."""

    def __init__(self, processes: Sequence[BaseProcess], error_files: Sequence[str]) -> None:
        warnings.warn("SpawnContext is renamed to ProcessContext since 1.4 release.", stacklevel=2)
        super().__init__(processes, error_files)


def start_processes(
    fn: Callable[..., Any],
    args: Sequence[Any] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """Returns the context of ``nprocs`` processes that run ``fn(index, *args)``; None after waiting for them."""
    context = multiprocessing.get_context(start_method)
    processes: list[BaseProcess] = []
    error_files = []
    for index in range(nprocs):
        handle, name = tempfile.mkstemp(prefix="dispatchtorch-error-", suffix=".pickle")
        os.close(handle)
        os.unlink(name)  # the file is there only if the process raised
        process = context.Process(  # type: ignore[attr-defined]  # every context has it, its base does not say so
            target=_run, args=(fn, index, args, name), daemon=daemon
        )
        process.start()
        processes.append(process)
        error_files.append(name)
    started = ProcessContext(processes, error_files)
    if not join:
        return started
    while not started.join():
        pass
    return None


def spawn(
    fn: Callable[..., Any],
    args: Sequence[Any] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """Returns None when ``nprocs`` fresh processes have run ``fn(index, *args)``, or at once their context.

    ``fn`` must be defined at the top of a module. When a process fails the others are ended, and its traceback is
    raised here as ProcessRaisedException.
    """
    if start_method != "spawn":
        warnings.warn(
            "This method only supports start_method=spawn (got: "
            f"{start_method}).\nTo use a different start_method use:\n\t\t"
            " torch.multiprocessing.start_processes(...)",
            FutureWarning,
            stacklevel=2,
        )
    return start_processes(fn, args, nprocs, join, daemon, start_method="spawn")
