"""Tensors between processes: one memory, seen by both."""

import os
import signal
from multiprocessing.reduction import ForkingPickler

import pytest

import dispatchtorch as torch
import dispatchtorch.multiprocessing as mp

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*use of fork", "ignore:os.fork.. was called"),
    pytest.mark.skipif(torch.default_backend().name != "numpy", reason="only arrays in host memory can be shared"),
    pytest.mark.skipif(os.name != "posix", reason="memory is shared by descriptors"),
]


def add_one(inbox, outbox):
    t = inbox.get()
    t += 1
    outbox.put(t[0])
    inbox.get()


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_a_queue_brings_the_memory_itself(method):
    context = mp.get_context(method)
    inbox, outbox = context.Queue(), context.Queue()
    process = context.Process(target=add_one, args=(inbox, outbox))
    process.start()
    t = torch.arange(6.0).reshape(2, 3)
    view = t[0]
    inbox.put(t.t())
    back = outbox.get(timeout=60)
    assert view.tolist() == [1, 2, 3]
    assert back.tolist() == [1, 4]
    back.zero_()
    assert t[0, 0].item() == 0
    assert t.is_shared()
    assert view.is_shared()
    inbox.put(None)
    process.join()
    assert process.exitcode == 0


def test_sharing_moves_a_storage_with_all_its_views():
    base = torch.zeros(4, 3)
    row, parameter = base[1], torch.nn.Parameter(base)
    assert not base.is_shared()
    assert row.share_memory_() is row
    row[0] = 5
    assert base[1, 0].item() == parameter[1, 0].item() == 5
    assert base.is_shared()
    assert parameter.is_shared()
    assert base.untyped_storage().is_shared()
    assert base.data_ptr() + 12 == row.data_ptr()
    at = base.data_ptr()
    assert base.share_memory_().data_ptr() == at
    module = torch.nn.BatchNorm1d(2).share_memory()
    assert all(t.is_shared() for t in [*module.parameters(), *module.buffers()])
    assert torch.ones(2, dtype=torch.bfloat16).share_memory_().tolist() == [1, 1]
    assert torch.empty(0, 3).share_memory_().shape == (0, 3)
    assert torch.tensor(2).share_memory_().item() == 2


def test_a_tensor_with_a_history_stays():
    t = torch.ones(2, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match="Cowardly refusing to serialize non-leaf tensor"):
        ForkingPickler.dumps(t)


def fill(index, t):
    t[index] = index + 1.0


def fail(index, how):
    if index == 1:
        how()


def bad():
    raise ValueError("bad")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def test_processes_run_a_function():
    t = torch.zeros(2)
    t.share_memory_()
    mp.start_processes(fill, (t,), 2, start_method="fork")
    assert t.tolist() == [1, 2]
    with pytest.raises(
        mp.ProcessRaisedException, match="-- Process 1 terminated with the following error:\n"
    ) as caught:
        mp.start_processes(fail, (bad,), 2, start_method="fork")
    assert str(caught.value).endswith("ValueError: bad\n")
    assert caught.value.error_index == 1
    with pytest.raises(mp.ProcessExitedException, match="process 1 terminated with signal SIGKILL") as caught:
        mp.start_processes(fail, (die,), 2, start_method="fork")
    assert (caught.value.exit_code, caught.value.signal_name) == (-9, "SIGKILL")


@pytest.mark.slow
def test_spawned_processes_share_what_they_are_given():
    t = torch.zeros(2)
    mp.spawn(fill, (t,), 2)
    assert t.tolist() == [1, 2]


def test_strategies_are_kept_by_name():
    assert mp.get_sharing_strategy() in mp.get_all_sharing_strategies()
    mp.set_sharing_strategy("file_system")
    assert mp.get_sharing_strategy() == "file_system"
    mp.set_sharing_strategy(next(iter(mp.get_all_sharing_strategies() - {"file_system"}), "file_system"))
    with pytest.raises(AssertionError, match="invalid sharing strategy 'x', expected one of"):
        mp.set_sharing_strategy("x")
