"""A process that holds one library and times its acts when told to: ``python -m tests.benchmarks.worker torch``.

One library a process, because what a library does to its process (allocator thresholds, threads, floating point modes)
must not act on another. It reads one request a line from standard input and answers with one line of JSON.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import pickle
import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.case import Compiling
from tests.benchmarks.ratio import one_thread

one_thread()

KIND = sys.argv[1]
EAGER = ("torch", "numpy", "onednn", "plain")  # kinds whose calls return when the work is done


def library() -> Any:
    """Returns the torch module of this process."""
    if KIND == "torch":
        import torch

        torch.set_num_threads(1)
        return torch
    os.environ["DISPATCHTORCH_BACKEND"] = "numpy" if KIND == "onednn" else KIND
    if KIND == "onednn":
        os.environ["DISPATCHTORCH_PLUGINS"] = "dispatchtorch_onednn.plugin"
    import dispatchtorch

    return dispatchtorch if KIND in EAGER else Compiling(dispatchtorch)


def leaves(value: Any) -> list[Any]:
    """Returns the host arrays of the tensors in a result."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [leaf for one in value for leaf in leaves(one)]
    return [value.detach().cpu().numpy().copy()] if hasattr(value, "detach") else []


class Worker:
    """Answers requests about the case that was asked for last."""

    def __init__(self, torch: Any) -> None:
        from tests.benchmarks.groups import GROUPS

        self.torch = torch
        self.cases = {(group.name, case.name): case for group in GROUPS for case in group.cases}
        self.act: Any = None

    def make(self, group: str, case: str, to: str) -> dict[str, Any]:
        """Builds the act, runs it three times, and writes what it gave to a file."""
        self.act = None
        gc.collect()
        found = self.cases[group, case]
        if KIND == "plain":
            self.act = found.plain() if found.plain else None
            return {"made": self.act is not None}
        self.act = found.make(self.torch)
        Path(to).write_bytes(pickle.dumps([leaves(self.act()) for _ in range(3)]))
        return {"made": True}

    def time(self, seconds: float) -> dict[str, Any]:
        """Runs the act again and again for that long, in stretches of at most 0.2 ms; gives the least time a call."""
        act, clock = self.act, time.perf_counter
        begin = clock()
        self.wait(act())
        loops = max(1, int(2e-4 / max(clock() - begin, 1e-9)))
        best, turns = float("inf"), range(loops)
        gc.collect()
        gc.disable()
        end = clock() + seconds
        while True:
            begin = clock()
            for _ in turns:
                last = act()
            self.wait(last)
            now = clock()
            best = min(best, (now - begin) / loops)
            if now > end:
                break
        gc.enable()
        return {"seconds": best}

    def wait(self, value: Any) -> None:
        """Waits for a result of a library that computes asynchronously."""
        if KIND not in EAGER:
            getattr(value, "wait_for", value.item if hasattr(value, "item") and value.numel() == 1 else lambda: None)()


def main() -> None:
    """Serves requests until the input ends."""
    with contextlib.suppress(OSError):
        os.nice(-15)
    if KIND not in EAGER:  # its own threads cannot be told otherwise
        os.sched_setaffinity(0, {os.getpid() % (os.cpu_count() or 1)})
    worker = Worker(None if KIND == "plain" else library())
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(worker, request.pop("do"))(**request)
        except Exception as error:  # told to the one who asked
            answer = {"error": f"{type(error).__name__}: {error}"[:500]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
