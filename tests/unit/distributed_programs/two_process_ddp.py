"""Two processes with a copy of a model each: the same losses as in one."""

import dispatchtorch as torch
import dispatchtorch.distributed as dist
from dispatchtorch import nn
from dispatchtorch.utils.data import DataLoader, DistributedSampler, TensorDataset
from tests.unit.distributed_programs.models import F, Perceptron, batch, losses, made, same

dist.init_process_group()
ME = dist.get_rank()
X, Y = batch(8, 8)
EXPECTED = losses(made(Perceptron), X, Y)


def check_ddp():
    model = made(Perceptron)
    if ME == 1:
        with torch.no_grad():
            model.first.weight.zero_()  # the first process's counts
    model = nn.parallel.DistributedDataParallel(model)
    found = losses(model, X[4 * ME : 4 * ME + 4], Y[4 * ME : 4 * ME + 4])
    for loss in found:
        dist.all_reduce(loss, dist.ReduceOp.AVG)
    same(found, EXPECTED)


def check_batch_norm_over_both():
    def kind():
        return nn.Sequential(nn.Linear(8, 4, bias=False), nn.BatchNorm1d(4), nn.Linear(4, 4))

    plain = made(kind)
    expected = losses(plain, X, Y, steps=3)
    model = nn.SyncBatchNorm.convert_sync_batchnorm(made(kind))
    model = nn.parallel.DistributedDataParallel(model, broadcast_buffers=False)
    found = losses(model, X[4 * ME : 4 * ME + 4], Y[4 * ME : 4 * ME + 4], steps=3)
    for loss in found:
        dist.all_reduce(loss, dist.ReduceOp.AVG)
    same(found, expected)
    for name, buffer in plain.named_buffers():
        assert torch.allclose(model.module.get_buffer(name), buffer, atol=1e-5), name


def check_ddp_accumulates_without_sync():
    x, y = X[4 * ME : 4 * ME + 4], Y[4 * ME : 4 * ME + 4]
    plain = made(Perceptron)
    F.cross_entropy(plain(X), Y).backward()
    model = nn.parallel.DistributedDataParallel(made(Perceptron))
    with model.no_sync():
        (F.cross_entropy(model(x[:2]), y[:2]) / 2).backward()
    (F.cross_entropy(model(x[2:]), y[2:]) / 2).backward()
    for p, q in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(p.grad, q.grad, atol=1e-6)


def check_ddp_with_unused_parameters():
    class Fork(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(2, 1), nn.Linear(2, 1), nn.Linear(2, 1)

        def forward(self, x):
            return (self.a if ME == 0 else self.b)(x)

    model = nn.parallel.DistributedDataParallel(Fork(), find_unused_parameters=True)
    model(torch.ones(1, 2)).sum().backward()
    assert model.module.a.weight.grad.tolist() == model.module.b.weight.grad.tolist() == [[0.5, 0.5]]
    assert model.module.c.weight.grad is None


def check_sampler_and_loader():
    model = nn.parallel.DistributedDataParallel(made(Perceptron))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = TensorDataset(X, Y)
    sampler = DistributedSampler(data, seed=1)
    loader = DataLoader(data, batch_size=2, sampler=sampler)
    for epoch in range(2):
        sampler.set_epoch(epoch)
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    plain = made(Perceptron)
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1)
    samplers = [DistributedSampler(data, 2, rank, seed=1) for rank in range(2)]
    for epoch in range(2):
        orders = []
        for one in samplers:
            one.set_epoch(epoch)
            orders.append(list(one))
        for start in (0, 2):
            together = [i for order in orders for i in order[start : start + 2]]
            optimizer.zero_grad()
            F.cross_entropy(plain(X[together]), Y[together]).backward()
            optimizer.step()
    for p, q in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(p, q, atol=1e-6)


def check_the_end():
    dist.destroy_process_group()
