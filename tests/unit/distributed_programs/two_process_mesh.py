"""Two processes and tensors on a mesh of both: the same losses as in one."""

import dispatchtorch.distributed as dist
from dispatchtorch.distributed.tensor import Replicate, Shard, distribute_module, distribute_tensor, init_device_mesh
from dispatchtorch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from tests.unit.distributed_programs.models import Perceptron, batch, losses, made, same

MESH = init_device_mesh("cpu", (2,))  # joins the processes that the environment names
X, Y = batch(8, 8)
EXPECTED = losses(made(Perceptron), X, Y)


def check_data_parallel_on_the_mesh():
    x, y = (distribute_tensor(t, MESH, [Shard(0)]) for t in (X, Y))
    for compiled in (False, True):
        same(losses(distribute_module(made(Perceptron), MESH), x, y, compiled=compiled), EXPECTED)


def check_tensor_parallel():
    model = parallelize_module(made(Perceptron), MESH, {"first": ColwiseParallel(), "second": RowwiseParallel()})
    assert model.first(X).shape == (8, 8)  # a rank's share, as in torch
    same(losses(model, X, Y), EXPECTED)
    whole = {"use_local_output": False}
    plan = {"first": ColwiseParallel(**whole), "second": RowwiseParallel(**whole)}
    x, y = (distribute_tensor(t, MESH, [Replicate()]) for t in (X, Y))
    same(losses(parallelize_module(made(Perceptron), MESH, plan), x, y, compiled=True), EXPECTED)
    dist.destroy_process_group()
