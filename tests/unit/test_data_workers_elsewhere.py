"""Workers of a program that computes with a library of threads and devices: they never touch it."""

import importlib.util
import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
import dispatchtorch as torch
from dispatchtorch.utils.data import DataLoader, Dataset, TensorDataset
class Doubled(Dataset):
    def __init__(self):
        self.x = torch.arange(60000.0).reshape(6, -1)
    def __len__(self):
        return 6
    def __getitem__(self, i):
        return self.x[i] * 2, self.x.backend
torch.ones(3) + 1
for batch, backends in DataLoader(Doubled(), 3, num_workers=1, multiprocessing_context="fork"):
    print(batch.backend, batch[:, 1].tolist(), *set(backends))
for (batch,) in DataLoader(TensorDataset(torch.arange(4)), 4, num_workers=1, multiprocessing_context="fork"):
    print(batch.backend, batch.tolist())
"""


@pytest.mark.skipif(os.name != "posix", reason="workers take a POSIX system")
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs that library")
def test_batches_come_by_way_of_the_host():
    environment = {**os.environ, "DISPATCHTORCH_BACKEND": "jax"}
    command = [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "jax [2.0, 20002.0, 40002.0] numpy",
        "jax [60002.0, 80002.0, 100002.0] numpy",
        "jax [0, 1, 2, 3]",
    ]
