"""Several devices in one process, and several processes: programs run beside this one, each check of them a test."""

import ast
import importlib
import importlib.util
import json
import os
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import dispatchtorch as torch
import dispatchtorch.distributed as dist

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).parent / "distributed_programs"
NEEDED = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="its library is not installed")
SECONDS = 300  # of a busy machine; alone they take 5 to 20


def checks(program):
    """The names of a program's checks, in order."""
    tree = ast.parse((PROGRAMS / f"{program}.py").read_text(encoding="utf-8"))
    return [f.name for f in tree.body if isinstance(f, ast.FunctionDef) and f.name.startswith("check_")]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def started(program, environment):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("DISPATCHTORCH_", "XLA_"))}
    env |= {"DISPATCHTORCH_BACKEND": "jax", "JAX_PLATFORMS": "cpu", **environment}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "backends")])
    command = [sys.executable, "-m", "tests.unit.distributed_programs", program]
    return subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@cache
def ran(program, processes):
    """What each process of a program said: (exit status, what it printed, errors), all of them at an end."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(processes)}
    if processes == 1:
        running = [started(program, {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"})]
    else:
        running = [started(program, {**place, "RANK": str(r), "LOCAL_RANK": str(r)}) for r in range(processes)]
    try:
        said = []
        for process in running:
            out, err = process.communicate(timeout=SECONDS)
            said.append((process.returncode, out, err))
        return said
    except subprocess.TimeoutExpired:
        return [(None, "", f"not done after {SECONDS} s")] * processes
    finally:
        for process in running:
            process.kill()
            process.wait()


def outcome(program, processes, check):
    """Asserts that a check went well in every process."""
    for status, out, err in ran(program, processes):
        lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]  # transports talk too
        told = {line["check"]: line["error"] for line in lines}
        assert check in told, f"{check} was not reached, exit status {status}\n{err[-3000:]}"
        assert told[check] is None, told[check]


@NEEDED
@pytest.mark.parametrize("check", checks("one_process"))
def test_four_devices(check):
    outcome("one_process", 1, check)


@NEEDED
@pytest.mark.parametrize("check", checks("data_parallel"))
def test_batches_divided_among_four_devices(check):
    outcome("data_parallel", 1, check)


@NEEDED
@pytest.mark.parametrize("check", checks("tensor_parallel"))
def test_parameters_divided_among_four_devices(check):
    outcome("tensor_parallel", 1, check)


@NEEDED
@pytest.mark.parametrize("check", checks("two_processes"))
def test_two_processes(check):
    outcome("two_processes", 2, check)


@NEEDED
@pytest.mark.parametrize("check", checks("two_process_ddp"))
def test_copies_of_a_model_in_two_processes(check):
    outcome("two_process_ddp", 2, check)


@NEEDED
@pytest.mark.parametrize("check", checks("two_process_mesh"))
def test_one_model_in_two_processes(check):
    outcome("two_process_mesh", 2, check)


@NEEDED
def test_who_is_left_alone_is_told():
    (status, out, err), (other, _, _) = ran("left_alone", 2)
    assert other == 7
    assert status == 0, err[-2000:]
    assert "told: " in out


def test_a_backend_of_one_device_says_so():
    with torch.use_backend("numpy"):
        assert not dist.is_available()
        with pytest.raises(NotImplementedError, match="backend 'numpy' has no sharding"):
            dist.init_device_mesh("cpu", (1,))
        with pytest.raises(NotImplementedError, match="backend 'numpy' runs in one process"):
            dist.init_process_group(init_method="tcp://127.0.0.1:1", rank=0, world_size=2)
    assert not dist.is_initialized()


def test_where_processes_meet_has_to_be_said(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="environment variable RANK expected, but not set"):
        dist.init_process_group()
    with pytest.raises(ValueError, match="tcp:// rendezvous: rank parameter missing"):
        dist.init_process_group(init_method="tcp://127.0.0.1:1")
    with pytest.raises(RuntimeError, match="No rendezvous handler for file://"):
        dist.init_process_group(init_method="file:///x", rank=0, world_size=1)
    with pytest.raises(RuntimeError, match="doesn't have MPI built in"):
        dist.init_process_group("mpi")
    with pytest.raises(RuntimeError, match="LOCAL_RANK is not in the environment"):
        dist.get_node_local_rank()
    assert dist.get_node_local_rank(3) == 3


@NEEDED
def test_a_dimension_that_a_tensor_does_not_have_is_refused():
    placed = importlib.import_module("dispatchtorch.distributed.tensor")
    with torch.use_backend("jax"):
        mesh = dist.init_device_mesh("cpu", (1,))
        for dim in (2, -3):
            with pytest.raises(IndexError, match=rf"expected to be in range of \[-2, 1\], but got {dim}"):
                placed.distribute_tensor(torch.ones(4, 4), mesh, [placed.Shard(dim)])
