"""Two processes: groups, every collective, messages, objects, a mesh over both."""

import dispatchtorch as torch
import dispatchtorch.distributed as dist
from dispatchtorch.distributed.device_mesh import DeviceMesh, init_device_mesh
from dispatchtorch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor, randn
from dispatchtorch.utils.data import DistributedSampler

dist.init_process_group("gloo")
ME = dist.get_rank()
OTHER = 1 - ME


def check_the_group():
    assert dist.is_initialized()
    assert (dist.get_world_size(), dist.get_backend(), dist.get_node_local_rank()) == (2, "gloo", ME)
    assert dist.group.WORLD.rank() == ME
    assert dist.get_process_group_ranks(None) == [0, 1]


def check_reductions():
    op = dist.ReduceOp
    for kind, expected in [(op.SUM, 5), (op.AVG, 2.5), (op.PRODUCT, 6), (op.MIN, 2), (op.MAX, 3)]:
        t = torch.tensor([2.0 + ME])
        assert dist.all_reduce(t, kind) is None
        assert t.item() == expected, kind
    for kind, expected in [(op.BAND, 2), (op.BOR, 3), (op.BXOR, 1)]:
        t = torch.tensor([2 + ME])
        dist.all_reduce(t, kind)
        assert t.item() == expected, kind
    base = torch.zeros(2, 2)
    work = dist.all_reduce(base[ME].add_(1 + ME), async_op=True)  # a view
    assert work.wait()
    assert work.is_completed()
    assert base[ME].tolist() == [3, 3]
    assert base._version > 0
    t = torch.tensor([1.0 + ME])
    dist.reduce(t, dst=1)
    assert t.item() == (3 if ME == 1 else 1)
    t = torch.tensor([1 + 1j * ME])
    dist.all_reduce(t)
    assert t.item() == 2 + 1j


def check_gathers():
    mine = torch.tensor([1.0, 2.0]) + 10 * ME
    both = [[1, 2], [11, 12]]
    parts = [torch.zeros(2) for _ in range(2)]
    dist.all_gather(parts, mine)
    assert [p.tolist() for p in parts] == both
    for shape in ((4,), (2, 2)):
        out = torch.zeros(shape)
        dist.all_gather_into_tensor(out, mine)
        assert out.reshape(2, 2).tolist() == both
    parts = [torch.zeros(2) for _ in range(2)] if ME == 1 else None
    dist.gather(mine, parts, dst=1)
    assert ME == 0 or [p.tolist() for p in parts] == both


def check_scatters():
    out = torch.zeros(2)
    dist.scatter(out, [torch.zeros(2), torch.ones(2)] if ME == 1 else None, src=1)
    assert out.tolist() == [ME, ME]
    dist.reduce_scatter(out, [torch.full((2,), 1.0 + ME), torch.full((2,), 3.0 + ME)])
    assert out.tolist() == [3 + 4 * ME] * 2
    dist.reduce_scatter_tensor(out, torch.arange(4.0) + ME)
    assert out.tolist() == ([1, 3] if ME == 0 else [5, 7])
    dist.broadcast(out, src=0)
    assert out.tolist() == [1, 3]


def check_all_to_all():
    outs = [torch.zeros(1) for _ in range(2)]
    dist.all_to_all(outs, [torch.tensor([10.0 * ME + i]) for i in range(2)])
    assert [o.item() for o in outs] == [ME, 10 + ME]
    out = torch.zeros(4)
    dist.all_to_all_single(out, torch.arange(4.0) + 10 * ME)
    assert out.tolist() == ([0, 1, 10, 11] if ME == 0 else [2, 3, 12, 13])


def check_messages():
    t = torch.full((2,), float(ME))
    if ME == 0:
        dist.send(t, 1)
    else:
        assert dist.recv(t, 0) == 0
        assert t.tolist() == [0, 0]
    out, into = torch.tensor([float(ME)]), torch.zeros(1)
    ops = [dist.P2POp(dist.isend, out, OTHER), dist.P2POp(dist.irecv, into, OTHER)]
    for work in dist.batch_isend_irecv(ops):
        work.wait()
    assert into.item() == OTHER


def check_objects():
    found = [None, None]
    dist.all_gather_object(found, {"rank": ME, "list": [1] * ME})
    assert found == [{"rank": 0, "list": []}, {"rank": 1, "list": [1]}]
    sent = [ME, "x" * (ME + 1)]
    dist.broadcast_object_list(sent, src=1)
    assert sent == [1, "xx"]
    gathered = [None, None] if ME == 0 else None
    dist.gather_object((ME,), gathered, dst=0)
    assert ME == 1 or gathered == [(0,), (1,)]
    mine = [None]
    dist.scatter_object_list(mine, ["a", "b"] if ME == 0 else None, src=0)
    assert mine == ["ab"[ME]]
    if ME == 0:
        dist.send_object_list([{"a": 1}, None], dst=1)
    else:
        got = [None, None]
        assert dist.recv_object_list(got, src=0) == 0
        assert got == [{"a": 1}, None]


def check_groups_of_some():
    group = dist.new_group([1])
    if ME == 0:
        assert group == dist.GroupMember.NON_GROUP_MEMBER
        assert dist.get_rank(group) == -1
    else:
        assert (dist.get_rank(group), dist.get_world_size(group), dist.get_global_rank(group, 0)) == (0, 1, 1)
        t = torch.ones(1)
        dist.all_reduce(t, group=group)
        assert t.item() == 1
    turned = dist.new_group([1, 0], sort_ranks=False)
    parts = [torch.zeros(1), torch.zeros(1)]
    dist.all_gather(parts, torch.tensor([float(ME)]), group=turned)
    assert [p.item() for p in parts] == [1, 0]
    dist.barrier()
    dist.monitored_barrier()


def check_a_mesh_over_both():
    mesh = init_device_mesh("cpu", (2,), mesh_dim_names=("dp",))
    assert (mesh.get_rank(), mesh.get_local_rank(), mesh.get_coordinate()) == (ME, ME, (ME,))
    assert mesh.get_group().ranks == (0, 1)
    x = torch.arange(4.0) + 100 * ME  # the first process's counts
    t = distribute_tensor(x, mesh, [Shard(0)])
    assert t.to_local().tolist() == [2 * ME, 2 * ME + 1]
    assert t.full_tensor().tolist() == [0, 1, 2, 3]
    assert t.sum().item() == 6
    assert distribute_tensor(x, mesh, [Shard(0)], src_data_rank=None).full_tensor().tolist() == [0, 1, 102, 103]
    assert DTensor.from_local(torch.tensor([float(ME)]), mesh, [Shard(0)]).full_tensor().tolist() == [0, 1]
    assert DTensor.from_local(torch.tensor([1.0 + ME]), mesh, [Partial()]).full_tensor().tolist() == [3]
    assert t.redistribute(placements=[Replicate()]).to_local().tolist() == [0, 1, 2, 3]
    assert f"local_tensor=tensor([{2 * ME}., {2 * ME + 1}.])" in repr(t)
    torch.manual_seed(ME)
    numbers = randn(4, device_mesh=mesh, placements=[Replicate()]).to_local()
    parts = [torch.zeros(4), torch.zeros(4)]
    dist.all_gather(parts, numbers)
    assert parts[0].equal(parts[1])
    local = torch.tensor([1.0 + ME], requires_grad=True)
    (DTensor.from_local(local, mesh, [Shard(0)]).full_tensor() * torch.tensor([3.0, 4.0])).sum().backward()
    assert local.grad.item() == 3 + ME
    assert DeviceMesh.from_group(dist.group.WORLD, "cpu").mesh.tolist() == [0, 1]


def check_sampler():
    every = [list(DistributedSampler(range(7), num_replicas=2, rank=r, seed=3)) for r in range(2)]
    assert list(DistributedSampler(range(7), seed=3)) == every[ME]
    assert sorted({*every[0], *every[1]}) == list(range(7))


def check_the_end():
    dist.destroy_process_group()
    assert not dist.is_initialized()
