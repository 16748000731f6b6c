"""One process with four devices and batches that are cut: the same losses as on one, eagerly and compiled."""

import dispatchtorch as torch
from dispatchtorch import nn
from dispatchtorch.distributed.tensor import Replicate, Shard, distribute_module, distribute_tensor, init_device_mesh
from tests.unit.distributed_programs.models import Convnet, Perceptron, batch, losses, made, same

MESH = init_device_mesh("cpu", (4,))


def _data_parallel(kind, *shape):
    x, y = batch(*shape)
    expected = losses(made(kind), x, y)
    x, y = (distribute_tensor(t, MESH, [Shard(0)]) for t in (x, y))
    for compiled in (False, True):
        model = distribute_module(made(kind), MESH)
        same(losses(model, x, y, compiled=compiled), expected)
        assert all(p.placements == (Replicate(),) for p in model.parameters())
        assert all(p.grad.placements == (Replicate(),) for p in model.parameters())
    return model


def check_data_parallel_perceptron():
    _data_parallel(Perceptron, 8, 8)


def check_data_parallel_convnet():
    model = _data_parallel(Convnet, 8, 1, 8, 8)
    plain = made(Convnet)
    losses(plain, *batch(8, 1, 8, 8))
    for name, buffer in plain.named_buffers():  # the statistics are those of the whole batch
        assert torch.allclose(model.get_buffer(name).full_tensor(), buffer, atol=1e-5), name


def check_ddp_over_a_mesh():
    x, y = batch(8, 8)
    expected = losses(made(Perceptron), x, y)
    for compiled in (False, True):
        model = nn.parallel.DistributedDataParallel(made(Perceptron), device_mesh=MESH)
        same(losses(model, x, y, compiled=compiled), expected)
        assert model.module.first.weight.placements == (Replicate(),)
