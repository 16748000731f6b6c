"""Settings, marks for compilers, control flow and the profiler: what programs around tensors ask of torch."""

import typing

import pytest
from threadpoolctl import threadpool_info

import dispatchtorch as torch
from dispatchtorch._base import switches


def test_determinism_is_told_as_it_was_set():
    torch.set_deterministic_debug_mode("warn")
    try:
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.get_deterministic_debug_mode() == 1
    finally:
        torch.use_deterministic_algorithms(False)
    with pytest.raises(RuntimeError, match="expected 0, 1, or 2, but got 5"):
        torch.set_deterministic_debug_mode(5)


def test_threads_are_positive():
    with pytest.raises(RuntimeError, match="set_num_threads expects a positive integer"):
        torch.set_num_threads(0)
    assert torch.get_num_threads() >= 1


def test_threads_are_those_of_the_products(monkeypatch):
    monkeypatch.setattr(switches.STATE, "threads", None)
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    assert torch.get_num_threads() == 3

    with torch.use_backend("numpy"):
        torch.ones(2, 2) @ torch.ones(2, 2)
        before = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
        torch.set_num_threads(1)
        try:
            assert torch.get_num_threads() == 1
            assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {1}
        finally:
            torch.set_num_threads(max(before))


def test_scripting_changes_nothing():
    module = torch.nn.Linear(1, 1)
    assert torch.jit.script(module) is module
    assert torch.jit.trace(module, torch.ones(1)) is module
    assert not torch.jit.is_scripting()
    assert not torch.compiler.is_compiling()
    assert torch.jit.isinstance([1], typing.List[int])  # noqa: UP006 - as scripted code spells it
    with pytest.raises(NotImplementedError, match="state_dict"):
        torch.jit.save(module, "file")


def test_control_flow_runs_what_is_taken():
    assert torch.cond(torch.tensor(False), lambda x: x + 1, lambda x: x - 1, (torch.ones(1),)).item() == 0
    assert torch.while_loop(lambda i: i < 5, lambda i: (i + 2,), (torch.tensor(0),))[0].item() == 6


def test_the_profiler_counts_kernels_and_names():
    x = torch.ones(3, 3)
    with torch.profiler.profile(record_shapes=True) as prof, torch.profiler.record_function("mine"):
        x @ x
        x @ x
    counts = {event.key: event.count for event in prof.key_averages()}
    assert counts["mine"] == 1
    assert counts["aten::matmul"] == 2
    assert "aten::matmul" in prof.key_averages().table(sort_by="self_cpu_time_total")


def test_a_schedule_records_when_it_says():
    when = torch.profiler.schedule(wait=1, warmup=1, active=2, repeat=1, skip_first=1)
    names = [when(step).name for step in range(6)]
    assert names == ["NONE", "NONE", "WARMUP", "RECORD", "RECORD_AND_SAVE", "NONE"]


def test_devices_that_are_not_there():
    assert not torch.xpu.is_available()
    assert torch.get_device_module("cpu") is torch.cpu
    with pytest.raises(RuntimeError, match="Expected one of cpu"):
        torch.get_device_module("foo")


def test_stated_conditions():
    torch._check(True)
    with pytest.raises(RuntimeError, match="boo"):
        torch._check(False, lambda: "boo")
