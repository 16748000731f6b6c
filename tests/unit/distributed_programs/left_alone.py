"""Two processes, the second of which dies: the first one's next collective is an error."""

import os

import dispatchtorch as torch
import dispatchtorch.distributed as dist

dist.init_process_group("gloo")


def check_an_error_comes():
    t = torch.ones(4)
    dist.all_reduce(t)
    assert t.tolist() == [2] * 4
    if dist.get_rank() == 1:
        os._exit(7)
    try:
        for _ in range(100):
            dist.all_reduce(t)
            t.item()
    except Exception as error:
        print(f"told: {error}", flush=True)
        os._exit(0)  # leaving in order would wait for the other one
    raise AssertionError("nobody noticed")
