"""Batches from worker processes: torch's order, seeds and errors, and nothing left behind."""

import gc
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import dispatchtorch as torch
from dispatchtorch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, get_worker_info

pytestmark = [
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
    pytest.mark.filterwarnings("ignore:.*use of fork", "ignore:os.fork.. was called"),
    pytest.mark.skipif(
        torch.default_backend().name != "numpy",
        reason="asks whether batches are shared, which takes arrays in host memory",
    ),
    pytest.mark.skipif(os.name != "posix", reason="workers take a POSIX system"),
]


class Seeds(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        info = get_worker_info()
        assert (info.num_workers, info.seed, len(info.dataset)) == (2, torch.initial_seed(), 4)
        return info.id, info.seed, random.random(), np.random.rand(), torch.rand(1), i


class Images(Dataset):
    def __len__(self):
        return 12

    def __getitem__(self, i):
        return torch.full((3, 64, 64), float(i)), torch.ones(2, dtype=torch.bfloat16), str(i)


class Row(IterableDataset):
    def __iter__(self):
        info = get_worker_info()
        return iter(range(info.id, 10, info.num_workers))

    def __len__(self):
        return 5


class Doing(Dataset):
    """Three batches of two; the fourth sample does something."""

    def __init__(self, what):
        self.what = what

    def __len__(self):
        return 6

    def __getitem__(self, i):
        return self.what() if i == 3 else i


def bad():
    raise ValueError("bad sample")


class Peculiar(Exception):
    def __init__(self, one, two):
        super().__init__(one, two)


def peculiar():
    raise Peculiar(1, 2)


def missing():
    raise KeyError("line\nbreak")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def leave():
    os._exit(7)


def doze():
    time.sleep(1)


def values(loader):
    return [[part.tolist() if isinstance(part, torch.Tensor) else part for part in batch] for batch in loader]


def lists(loader):
    return [batch.tolist() for batch in loader]


def descriptors():
    gc.collect()
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_are_seeded_as_torchs_are(method):
    torch.manual_seed(3)
    first, second = values(DataLoader(Seeds(), 2, num_workers=2, multiprocessing_context=method))
    seed = 937055941807507096
    assert first[:2] == [[0, 0], [seed, seed]]
    assert second[:2] == [[1, 1], [seed + 1, seed + 1]]
    assert first[2] == [0.21793848432592644, 0.5235545516688277]
    assert second[3] == [0.13554665930590137, 0.5719063383148877]
    assert [round(x, 6) for (x,) in first[4]] == [0.287608, 0.686291]
    assert round(torch.rand(1).item(), 4) == 0.2858


def test_batches_come_in_order_and_through_shared_memory():
    torch.manual_seed(3)
    torch.empty((), dtype=torch.int64).random_()
    before = descriptors()
    found = []
    for images, ones, names in DataLoader(Images(), 4, num_workers=2, shuffle=True, prefetch_factor=1):
        assert images.is_shared()
        assert images.shape == (4, 3, 64, 64)
        assert ones.dtype is torch.bfloat16
        assert names == tuple(str(int(v)) for v in images[:, 2, 5, 7].tolist())
        images.add_(1)
        found += names
    del images, ones
    assert sorted(found, key=int) == [str(i) for i in range(12)]
    assert descriptors() == before


def test_rows_are_shared_out_and_workers_serve_again():
    loader = DataLoader(Row(), 2, num_workers=2, persistent_workers=True)
    expected = [[0, 2], [1, 3], [4, 6], [5, 7], [8], [9]]
    assert lists(loader) == expected
    pids = loader._iterator._crew.pids()
    next(iter(loader))  # a pass that nobody ends
    assert lists(loader) == expected
    assert loader._iterator._crew.pids() == pids
    assert lists(DataLoader(Row(), 2, num_workers=2, drop_last=True)) == expected[:4]
    short = DataLoader(Row(), 1, num_workers=2)
    assert len(short) == 5
    with pytest.warns(UserWarning, match="was reported to be 5.*For multiprocessing data-loading"):
        list(short)


def test_whole_batches_of_tensors():
    x = torch.arange(60000.0).reshape(6, -1)
    for places, labels in DataLoader(TensorDataset(x, torch.arange(6)), 3, num_workers=1):
        assert places.is_shared()
        assert places[:, 0].tolist() == [10000.0 * i for i in labels.tolist()]


@pytest.mark.parametrize(
    ("what", "kind", "says"),
    [
        (bad, ValueError, "ValueError: bad sample\n"),
        (missing, KeyError, "KeyError: 'line\\nbreak'\n"),
        (peculiar, RuntimeError, "Peculiar: (1, 2)\n"),
    ],
)
def test_what_a_worker_raises_is_raised(what, kind, says):
    batches = iter(DataLoader(Doing(what), 2, num_workers=2))
    assert next(batches).tolist() == [0, 1]
    with pytest.raises(kind) as caught:
        next(batches)
    text = caught.value.args[0]
    name = says.partition(":")[0]
    assert text.startswith(
        f"Caught {name} in DataLoader worker process 1.\nOriginal Traceback (most recent call last):"
    )
    assert text.endswith(says)
    assert "\n" in repr(text) or kind is not KeyError
    assert next(batches).tolist() == [4, 5]


def test_what_cannot_be_sent_is_heard_of():
    with pytest.raises((AttributeError, RuntimeError), match="in DataLoader worker process 0"):
        list(DataLoader(Doing(bad), 2, num_workers=1, collate_fn=lambda samples: lambda: samples))
    with pytest.raises(RuntimeError, match="Cowardly refusing to serialize non-leaf tensor"):
        list(DataLoader([1], num_workers=1, collate_fn=lambda s: torch.ones(1, requires_grad=True) * 2))


@pytest.mark.parametrize(
    ("what", "cause"),
    [(die, "is killed by signal: Killed. "), (leave, "exited unexpectedly with exit code 7. Details are lost")],
)
def test_a_worker_that_dies(what, cause):
    before = descriptors()
    batches = iter(DataLoader(Doing(what), 2, num_workers=2, persistent_workers=True))
    processes = list(batches._workers)
    with pytest.raises(RuntimeError, match=r"^DataLoader worker \(pid\(s\) \d+\) exited unexpectedly$") as caught:
        list(batches)
    assert cause in str(caught.value.__cause__)
    assert all(process._closed for process in processes)
    del batches, processes, caught
    assert descriptors() == before


def test_time_runs_out_and_order_may():
    loader = DataLoader(Doing(doze), 2, num_workers=1, timeout=0.2)
    with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0\.2 seconds"):
        list(loader)
    assert sorted(lists(DataLoader(range(4), 1, num_workers=2, in_order=False))) == [[0], [1], [2], [3]]


def test_init_functions_run_first():
    def init(worker):
        if worker == 1:
            raise RuntimeError("no")
        get_worker_info().dataset.append(worker)

    batches = iter(DataLoader([5, 6], 1, num_workers=2, worker_init_fn=init))
    assert next(batches).tolist() == [5]
    with pytest.raises(RuntimeError, match=r"Caught RuntimeError in DataLoader worker process 1\."):
        next(batches)


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"num_workers": 1, "multiprocessing_context": "x"}, ValueError, "option should specify a valid start method"),
        ({"num_workers": 1, "multiprocessing_context": 3}, TypeError, "option should be a valid context object or a"),
        ({"multiprocessing_context": "fork"}, ValueError, "can only be used with multi-process loading"),
        ({"prefetch_factor": 2}, ValueError, "prefetch_factor option could only be specified in multiprocessing"),
        ({"persistent_workers": True}, ValueError, "persistent_workers option needs num_workers > 0"),
    ],
)
def test_refusals(options, kind, says):
    with pytest.raises(kind, match=says):
        DataLoader([1], **options)


PROGRAM = """
import multiprocessing, os, signal, sys
import dispatchtorch as torch
from dispatchtorch.utils.data import DataLoader
loader = DataLoader(range(100), 2, num_workers=1, persistent_workers=True)
batches = iter(loader)
next(batches)
others = iter(DataLoader(range(100), 2, num_workers=1))
next(others)
print(*[process.pid for process in multiprocessing.active_children()], flush=True)
if sys.argv[1] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[1] == "raise":
    raise KeyError
"""


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="asks /proc who lives")
@pytest.mark.parametrize("how", ["end", "raise", "kill"])
def test_workers_go_when_the_program_goes(how):
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, timeout=60)
    assert done.returncode == {"end": 0, "raise": 1, "kill": -signal.SIGKILL}[how]
    assert how == "raise" or not done.stderr
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2
    until = time.monotonic() + 20
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < until
        time.sleep(0.05)
