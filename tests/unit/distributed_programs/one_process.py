"""One process with four devices: meshes, placements, ways in and out."""

import copy
import io
import warnings

import pytest

import dispatchtorch as torch
import dispatchtorch.distributed as dist
from dispatchtorch import nn
from dispatchtorch.distributed.device_mesh import DeviceMesh, init_device_mesh
from dispatchtorch.distributed.tensor import (
    DTensor,
    Partial,
    Replicate,
    Shard,
    distribute_module,
    distribute_tensor,
    empty,
    full,
    ones,
    rand,
    randn,
    zeros,
)
from dispatchtorch.distributed.tensor.experimental import implicit_replication
from dispatchtorch.distributed.tensor.parallel import (
    ColwiseParallel,
    PrepareModuleInput,
    PrepareModuleInputOutput,
    PrepareModuleOutput,
    RowwiseParallel,
    SequenceParallel,
    parallelize_module,
)

LINE = init_device_mesh("cpu", (4,), mesh_dim_names=("all",))
GRID = init_device_mesh("cpu", (2, 2), mesh_dim_names=("dp", "tp"))
X = torch.arange(32.0).reshape(8, 4)


def raises(kind, words, act):
    """Asserts that an act raises an error with some words in it."""
    with pytest.raises(kind) as caught:
        act()
    assert words in str(caught.value)


def check_meshes():
    assert dist.is_available()
    assert not dist.is_initialized()
    assert repr(LINE) == "DeviceMesh((all=4), 'cpu', stride=(1,))"
    assert (GRID.ndim, GRID.shape, GRID.size(), GRID.size(1)) == (2, (2, 2), 4, 2)
    assert GRID.mesh.tolist() == [[0, 1], [2, 3]]
    assert (GRID.get_rank(), GRID.get_coordinate(), GRID.get_local_rank("tp")) == (0, (0, 0), 0)
    assert repr(GRID["dp"]) == "DeviceMesh((dp=2), 'cpu', stride=(2,))"
    assert GRID["dp"].mesh.tolist() == [0, 2]
    assert GRID["tp"] == GRID["tp"] != GRID["dp"]
    assert init_device_mesh("cpu", (4,), mesh_dim_names=("all",)) == LINE != DeviceMesh("cpu", [0, 1, 2, 3])
    assert GRID._flatten("both").mesh.tolist() == [0, 1, 2, 3]
    raises(RuntimeError, "needs device 7", lambda: init_device_mesh("cpu", (8,)))
    raises(
        RuntimeError,
        "Each mesh_dim_name must be unique",
        lambda: init_device_mesh("cpu", (2, 2), mesh_dim_names=("a", "a")),
    )
    raises(KeyError, "Invalid mesh_dim_names", lambda: GRID["no"])
    raises(KeyError, "ascending order", lambda: GRID["tp", "dp"])
    raises(RuntimeError, "process groups not initialized", lambda: LINE.get_group())
    raises(RuntimeError, "No device mesh is currently active", lambda: zeros(2))
    raises(ValueError, "has not been initialized", dist.get_rank)


def check_placements():
    assert repr((Shard(1), Replicate(), Partial())) == "(Shard(dim=1), Replicate(), Partial(sum))"
    assert (str(Shard(1)), str(Replicate()), str(Partial("max"))) == ("S(1)", "R", "P(max)")
    assert Shard(0) == Shard(0) != Shard(1)
    assert Shard(1).is_shard(1)
    assert not Shard(1).is_shard(0)
    assert Partial().is_partial("sum")
    assert Replicate().is_replicate()


def check_distribute_tensor():
    for mesh, placements, local in [
        (LINE, [Shard(0)], (2, 4)),
        (LINE, [Shard(-1)], (8, 1)),
        (LINE, [Replicate()], (8, 4)),
        (LINE, None, (8, 4)),
        (GRID, [Shard(0), Shard(1)], (4, 2)),
        (GRID, [Shard(0), Shard(0)], (2, 4)),
        (GRID, [Replicate(), Shard(1)], (8, 2)),
    ]:
        t = distribute_tensor(X, mesh, placements)
        assert isinstance(t, DTensor)
        assert t.shape == (8, 4)
        assert t.to_local().shape == local
        assert t.to_local().equal(X[: local[0], : local[1]])
        assert t.full_tensor().equal(X)
        assert t.device_mesh == mesh
        wanted = placements or [Replicate()]
        assert t.placements == tuple(Shard(1) if p == Shard(-1) else p for p in wanted)
        assert distribute_tensor(t, mesh, placements) is t
    raises(ValueError, "equal shards", lambda: distribute_tensor(torch.ones(6), LINE, [Shard(0)]))
    raises(ValueError, "same length", lambda: distribute_tensor(X, GRID, [Shard(0)]))
    raises(RuntimeError, "unsupported placements", lambda: distribute_tensor(X, LINE, [0]))
    raises(ValueError, "different placements", lambda: distribute_tensor(distribute_tensor(X, LINE), LINE, [Shard(0)]))
    w = torch.ones(4, requires_grad=True)
    raises(RuntimeError, "leaf tensors", lambda: distribute_tensor(w * 2, LINE, [Shard(0)]))
    assert distribute_tensor(w, LINE, [Shard(0)]).requires_grad


def check_what_a_plain_tensor_has_not():
    assert not isinstance(X, DTensor)
    assert not hasattr(X, "placements")
    assert not hasattr(X, "to_local")
    text = repr(distribute_tensor(torch.ones(4), LINE, [Shard(0)]))
    mesh = "DeviceMesh((all=4), 'cpu', stride=(1,))"
    assert text == f"DTensor(local_tensor=tensor([1.]), device_mesh={mesh}, placements=(Shard(dim=0),))"


def check_redistribute():
    t = distribute_tensor(X, GRID, [Shard(0), Replicate()])
    for placements in ([Replicate(), Replicate()], [Shard(1), Shard(0)], [Shard(0), Shard(1)], [Shard(0), Shard(0)]):
        moved = t.redistribute(placements=placements)
        assert moved.placements == tuple(placements)
        assert moved.full_tensor().equal(X)
    assert t.redistribute(LINE, [Shard(1)]).placements == (Shard(1),)
    raises(RuntimeError, "internal use only", lambda: t.redistribute(placements=[Partial(), Replicate()]))
    raises(RuntimeError, "placements is needed", lambda: t.redistribute())


def check_from_local():
    local = torch.arange(6.0).reshape(2, 3)
    t = DTensor.from_local(local, GRID, [Shard(0), Shard(1)])
    assert t.full_tensor().equal(local.repeat(2, 2))
    assert t.to_local().equal(local)
    assert DTensor.from_local(local, LINE).full_tensor().equal(local)
    assert DTensor.from_local(local, LINE, [Partial()]).full_tensor().equal(local * 4)
    assert DTensor.from_local(local, LINE, [Partial("avg")]).full_tensor().equal(local)
    assert DTensor.from_local(local, GRID, [Partial("max"), Shard(0)]).full_tensor().equal(local.repeat(2, 1))
    raises(RuntimeError, "only accepts torch.Tensor", lambda: DTensor.from_local(t, LINE))


def check_gradients_of_the_ways():
    weight = torch.arange(1.0, 9.0)
    x = torch.ones(8, requires_grad=True)
    on = DTensor.from_local(x, LINE, [Replicate()]).redistribute(placements=[Shard(0)])
    (on.full_tensor() * weight).sum().backward()
    assert x.grad.equal(weight)
    x = torch.ones(2, requires_grad=True)
    (DTensor.from_local(x, LINE, [Shard(0)]).full_tensor() * weight).sum().backward()
    assert x.grad.tolist() == [1 + 3 + 5 + 7, 2 + 4 + 6 + 8]  # all four devices have it
    x = torch.ones(8, requires_grad=True)
    (DTensor.from_local(x, LINE, [Partial()]).full_tensor() * weight).sum().backward()
    assert x.grad.equal(weight * 4)
    leaf = distribute_tensor(torch.ones(8), LINE, [Shard(0)]).requires_grad_()
    (leaf.to_local() * 3).sum().backward()
    assert leaf.grad.full_tensor().tolist() == [3, 3, 0, 0, 0, 0, 0, 0]
    assert leaf.grad.placements == (Shard(0),)
    x = torch.arange(4.0, dtype=torch.float64, requires_grad=True)

    def through(x):
        return DTensor.from_local(x, LINE, [Shard(0)]).pow(3).redistribute(placements=[Replicate()]).to_local()

    assert torch.autograd.gradcheck(through, (x,))
    assert torch.autograd.gradgradcheck(through, (x,))


def check_ops_lie_where_their_inputs_lie():
    rows = distribute_tensor(X, LINE, [Shard(0)])
    assert (rows * 2 + 1).placements == (Shard(0),)
    assert rows.t().placements == (Shard(1),)
    assert rows.sum().placements == (Replicate(),)
    assert rows.sum().item() == X.sum().item()
    w = distribute_tensor(torch.ones(4, 4), LINE, [Shard(1)])
    assert torch.mm(distribute_tensor(X, LINE), w).placements == (Shard(1),)
    assert torch.mm(rows, distribute_tensor(torch.ones(4, 2), LINE)).full_tensor().equal(X @ torch.ones(4, 2))
    rows[0] = 7.0
    rows.add_(1)
    rows[:, 1].mul_(2)
    assert rows.placements == (Shard(0),)
    assert rows.full_tensor()[0].tolist() == [8, 16, 8, 8]
    torch.manual_seed(3)
    plain = torch.nn.functional.dropout(torch.ones(8, 4))
    torch.manual_seed(3)
    assert torch.nn.functional.dropout(ones(8, 4, device_mesh=LINE, placements=[Shard(0)])).full_tensor().equal(plain)
    assert (rows > 3).any().item()
    assert rows.argmax().item() == rows.full_tensor().argmax().item()
    assert torch.cat([rows, rows]).shape == (16, 4)
    assert rows.to(torch.float64).placements == (Shard(0),)
    assert rows.cpu() is rows


def check_what_keeps_its_placements():
    for dim in (0, 1):
        layer = nn.Linear(4, 4)
        layer.weight = nn.Parameter(distribute_tensor(layer.weight.detach(), LINE, [Shard(dim)]))
        assert copy.deepcopy(layer).weight.placements == (Shard(dim),)
        assert copy.deepcopy(layer).weight.full_tensor().equal(layer.weight.full_tensor())
        nn.init.kaiming_uniform_(layer.weight)
        assert layer.weight.placements == (Shard(dim),)
        t = distribute_tensor(X, LINE, [Shard(0)]).clone()
        t.uniform_().zero_().copy_(distribute_tensor(X, LINE))
        assert t.placements == (Shard(0),)
        assert t.full_tensor().equal(X)
        written = io.BytesIO()
        torch.save(layer.state_dict()["weight"], written)
        written.seek(0)
        loaded = torch.load(written)
        assert not isinstance(loaded, DTensor)
        assert loaded.equal(layer.weight.full_tensor())


def check_mixing():
    rows = distribute_tensor(X, LINE, [Shard(0)])
    for act in (
        lambda: rows + X,
        lambda: X @ rows.t(),
        lambda: torch.cat([rows, X]),
        lambda: rows.copy_(X),
        lambda: rows.add_(X),
        lambda: torch.where(rows > 0, X, rows),
    ):
        raises(RuntimeError, "got mixed torch.Tensor and DTensor", act)
    raises(RuntimeError, "cross-mesh", lambda: rows + distribute_tensor(X, GRID))
    assert (rows * torch.tensor(2.0)).full_tensor().equal(X * 2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rows + torch.ones(1)
    assert "Found a non-scalar tensor" in str(caught[0].message)
    w = torch.ones(8, 4, requires_grad=True)
    with implicit_replication():
        (rows * w).sum().backward()
    assert w.grad.equal(X)


def check_makers():
    with LINE:
        assert zeros(4, 2).placements == (Replicate(),)
        assert ones((4, 2), placements=[Shard(0)]).to_local().tolist() == [[1, 1]]
        assert full((4,), 3.0, placements=[Shard(0)]).full_tensor().tolist() == [3, 3, 3, 3]
        assert empty(4, requires_grad=True).requires_grad
        for make, plain in ((rand, torch.rand), (randn, torch.randn)):
            torch.manual_seed(5)
            expected = plain(8)
            torch.manual_seed(5)
            assert make(8, placements=[Shard(0)]).full_tensor().equal(expected)


def check_distribute_module():
    def rows(name, module, mesh):
        if isinstance(module, nn.Linear):
            module.register_parameter(
                "weight", nn.Parameter(distribute_tensor(module.weight.detach(), mesh, [Shard(0)]))
            )

    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    plain = module(X)
    module = distribute_module(
        nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)),
        LINE,
        rows,
        lambda part, inputs, mesh: distribute_tensor(inputs[0], mesh),
        lambda part, outputs, mesh: outputs.full_tensor(),
    )
    assert isinstance(module(X), torch.Tensor)
    assert module(X).shape == plain.shape
    assert module[0].weight.placements == (Shard(0),)
    assert module[0].bias.placements == module[1].running_mean.placements == (Replicate(),)
    assert isinstance(module[0].weight, nn.Parameter)
    raises(RuntimeError, "only be called once", lambda: distribute_module(module, LINE))


def check_styles():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.norm, self.a, self.b = (
                nn.Embedding(8, 4),
                nn.LayerNorm(4),
                nn.Linear(4, 8),
                nn.Linear(8, 4),
            )

        def forward(self, ids):
            return self.b(self.a(self.norm(self.table(ids))))

    torch.manual_seed(0)
    model, ids = Two(), torch.arange(8).reshape(2, 4)
    plain = model(ids)
    plan = {
        "table": RowwiseParallel(output_layouts=Shard(1)),
        "norm": SequenceParallel(),
        "a": ColwiseParallel(input_layouts=Shard(1)),
        "b": RowwiseParallel(),
    }
    parallelize_module(model, LINE, plan)
    assert model.table.weight.placements == model.a.weight.placements == model.a.bias.placements == (Shard(0),)
    assert model.b.weight.placements == (Shard(1),)
    assert model.b.bias.placements == model.norm.weight.placements == (Replicate(),)
    out = model(ids)
    assert not isinstance(out, DTensor)
    assert torch.allclose(out, plain, atol=1e-6)
    both = PrepareModuleInputOutput(
        input_layouts=Shard(0),
        desired_input_layouts=Replicate(),
        output_layouts=Replicate(),
        desired_output_layouts=Shard(0),
    )
    layer = distribute_module(nn.Linear(4, 4), LINE)
    parallelize_module(layer, LINE, both)
    assert layer(X).placements == (Shard(0),)
    layer = distribute_module(nn.Linear(4, 4), LINE)
    parallelize_module(layer, LINE, PrepareModuleInput(input_layouts=Shard(0), desired_input_layouts=Shard(0)))
    parallelize_module(layer, LINE, PrepareModuleOutput(output_layouts=Shard(0), desired_output_layouts=Replicate()))
    assert torch.allclose(layer(X), X @ layer.weight.full_tensor().t() + layer.bias.full_tensor(), atol=1e-5)
    assert (
        repr(ColwiseParallel())
        == "ColwiseParallel(input_layouts=(Replicate(),), output_layouts=(Shard(dim=-1),), use_local_output=True)"
    )
    raises(
        NotImplementedError,
        "only support nn.Linear and nn.Embedding",
        lambda: parallelize_module(nn.ReLU(), LINE, ColwiseParallel()),
    )
    raises(TypeError, "parallelize_plan", lambda: parallelize_module(layer, LINE, 3))


def check_a_group_of_one():
    dist.init_process_group("gloo", init_method="tcp://127.0.0.1:1", rank=0, world_size=1)
    t = torch.ones(2)
    dist.all_reduce(t)
    assert t.tolist() == [1, 1]
    assert (dist.get_rank(), dist.get_world_size(), dist.get_backend()) == (0, 1, "gloo")
    raises(ValueError, "twice", lambda: dist.init_process_group())
    model = nn.parallel.DistributedDataParallel(nn.Linear(4, 1))
    model(X).sum().backward()
    assert model.module.weight.grad.equal(X.sum(0, keepdim=True))
    raises(RuntimeError, "spread over a mesh", lambda: dist.all_reduce(zeros(2, device_mesh=LINE)))
    dist.destroy_process_group()
    raises(
        RuntimeError,
        "before the first tensor",
        lambda: dist.init_process_group(init_method="tcp://127.0.0.1:1", rank=0, world_size=2),
    )
