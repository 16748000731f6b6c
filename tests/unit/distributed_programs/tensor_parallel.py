"""One process with four devices and parameters that are cut: the same losses as on one, eagerly and compiled."""

from dispatchtorch.distributed.tensor import Replicate, Shard, init_device_mesh
from dispatchtorch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    loss_parallel,
    parallelize_module,
)
from tests.unit.distributed_programs.models import Block, Perceptron, batch, losses, made, same

MESH = init_device_mesh("cpu", (4,))


def check_tensor_parallel_block():
    cut = {"q": 0, "k": 0, "v": 0, "o": 1, "up": 0, "down": 1}
    plan = {name: RowwiseParallel() if dim else ColwiseParallel() for name, dim in cut.items()}
    x, y = batch(4, 4, 8)
    expected = losses(made(Block), x, y)
    for compiled in (False, True):
        model = parallelize_module(made(Block), MESH, plan)
        same(losses(model, x, y, compiled=compiled), expected)
        for name, dim in cut.items():
            weight = model.get_parameter(f"{name}.weight")
            assert weight.placements == weight.grad.placements == (Shard(dim),), name


def check_classes_divided():
    x, y = batch(8, 8)
    expected = losses(made(Perceptron), x, y)
    plan = {"first": RowwiseParallel(input_layouts=Replicate()), "second": ColwiseParallel(use_local_output=False)}
    model = parallelize_module(made(Perceptron), MESH, plan)
    with loss_parallel():
        same(losses(model, x, y), expected)
    assert model(x).placements == (Shard(1),)
