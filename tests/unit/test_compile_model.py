"""A compiled model with backward() outside: forward is one program, backward another, and one node is between them."""

import copy

import pytest

import dispatchtorch as torch
from dispatchtorch import nn

pytest.importorskip("jax")
F = nn.functional


@pytest.fixture(autouse=True)
def _on_jax():
    with torch.use_backend("jax"):
        yield


def convnet():
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(0.3), nn.Flatten(), nn.Linear(3 * 16, 4)
    )


def train(compiled):
    torch.manual_seed(0)
    model = convnet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    run = torch.compile(model) if compiled else model
    seen = []
    model[0].weight.register_hook(lambda g: seen.append(g.sum().item()))
    for _ in range(4):
        x = torch.randn(4, 1, 6, 6, requires_grad=True)
        optimizer.zero_grad()
        loss = F.cross_entropy(run(x), torch.randint(0, 4, (4,)))
        loss.backward()
        optimizer.step()
        seen += [loss.item(), *x.grad.flatten().tolist()]
    model.eval()
    with torch.no_grad():
        seen += [run(torch.ones(4, 1, 6, 6)).sum().item() for _ in range(2)]
    seen += [*model[1].running_mean.tolist(), model[1].num_batches_tracked.item()]
    return seen, run


def test_gradients_buffers_dropout_and_hooks_are_those_of_eager():
    with torch.use_backend("numpy"):
        wanted, _ = train(False)
    got, run = train(True)
    assert got == pytest.approx(wanted, rel=1e-3, abs=1e-5)
    told = run.explain()
    assert (told.graph_count, told.counts.eager, told.graph_break_count) == (2, 0, 0)
    assert [one.has_backward for one in told.graphs] == [True, False]


def test_gradients_add_up_and_go_on_through_what_is_around():
    model = nn.Linear(2, 2, bias=False)
    run = torch.compile(model)
    outer = torch.ones(1, 2, requires_grad=True)
    for times in (1, 2, 3):
        run(outer * 3).mul(2).sum().backward()
        assert model.weight.grad.tolist() == [[6.0 * times] * 2] * 2
    assert run(outer).grad_fn.name() == "CompiledFunctionBackward"


def test_a_graph_can_be_kept_and_is_freed_otherwise_and_not_recorded():
    w = torch.tensor([2.0], requires_grad=True)
    cube = torch.compile(lambda: w * w * w)
    y = cube()
    y.backward(retain_graph=True)
    y.backward()
    assert w.grad.item() == 24.0
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        y.backward()
    with pytest.raises(RuntimeError, match="does not currently support double backward"):
        torch.autograd.grad(cube(), w, create_graph=True)


def test_a_parameter_that_is_written_in_between_is_noticed():
    w = torch.tensor([2.0], requires_grad=True)
    y = torch.compile(lambda: w * w)()
    with torch.no_grad():
        w.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_results_that_share_memory_share_it():
    linear = nn.Linear(3, 3)
    run = torch.compile(lambda x: (linear(x), linear(x)[:, :2], x.t()))

    def both(x):
        h = linear(x)
        return h, h[:, :2], h.t(), x.t()

    run = torch.compile(both)
    for _ in range(2):
        x = torch.ones(2, 3)
        whole, part, turned, argument = run(x)
        (whole.sum() + part.sum()).backward()
        part.detach().zero_()
        argument.add_(1)
        assert whole[:, :2].tolist() == [[0.0, 0.0]] * 2
        assert turned.stride() == (1, 3)
        assert (x.tolist(), argument.stride()) == ([[2.0] * 3] * 2, (1, 3))
    assert linear.bias.grad.tolist() == [8.0, 8.0, 4.0]


def test_a_module_compiles_itself_and_its_copies_are_not_compiled():
    model = convnet().eval()
    x = torch.randn(2, 1, 6, 6)
    wanted = model(x).detach()
    model.compile()
    assert model(x).grad_fn.name() == "CompiledFunctionBackward"
    assert torch.allclose(model(x).detach(), wanted, atol=1e-6)
    assert "forward" not in copy.deepcopy(model).__dict__
    assert "_orig_mod" not in "".join(model.state_dict())


def test_an_optimized_module_is_a_veil():
    model = nn.Linear(2, 2)
    run = torch.compile(model)
    assert list(run.state_dict()) == ["_orig_mod.weight", "_orig_mod.bias"]
    assert run.weight is model.weight
    run.extra = 3
    assert model.extra == 3
    run.eval()
    assert not model.training
    assert type(run).__name__ == "OptimizedModule"
    again = copy.deepcopy(run)
    assert torch.equal(again(torch.ones(1, 2)), run(torch.ones(1, 2)))


def test_what_backward_does_not_need_may_be_written_in_between():
    model = nn.Linear(2, 1)
    out = torch.compile(model)(torch.ones(1, 2))
    with torch.no_grad():
        model.bias.add_(1)
    out.sum().backward()
    assert model.bias.grad.tolist() == [1.0]
