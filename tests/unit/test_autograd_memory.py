"""What autograd keeps alive, and how deep it goes: graphs are freed without the collector, and depth costs no
recursion."""

import gc
import threading
import weakref

import pytest

import dispatchtorch as torch
from dispatchtorch.autograd import engine


@pytest.fixture(params=["numpy", "jax"], autouse=True)
def backend(request):
    pytest.importorskip(request.param)
    with torch.use_backend(request.param):
        yield request.param


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x * x
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, g):
        x, _ = ctx.saved_tensors
        return g * 2 * x


GRAPHS = {
    "exp, which saves its output": lambda x: x.exp(),
    "sqrt, which saves its output": lambda x: x.sqrt(),
    "products": lambda x: x * x * 2,
    "views": lambda x: x.view(2, 1).t()[0],
    "writes": lambda x: (x * 1).mul_(3).add_(x),
    "writes through views": lambda x: _written(x),
    "a Function that saves its output": lambda x: Square.apply(x),
    "sum": lambda x: x.sum(),
}


def _written(x):
    y = torch.zeros(2)
    y[0].add_(x[1])
    y[1] = x[0]
    return y


@pytest.mark.parametrize("name", GRAPHS)
def test_a_dropped_graph_is_freed_at_once(name, no_collector):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = GRAPHS[name](x)
    node, tensor = weakref.ref(y.grad_fn), weakref.ref(y)
    del y
    assert tensor() is None
    assert node() is None


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_that_was_walked_is_freed_at_once(name, no_collector):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = GRAPHS[name](x).sum()
    node = weakref.ref(y.grad_fn)
    y.backward()
    del y
    assert node() is None
    assert x.grad is not None
    leaf = weakref.ref(x)
    del x
    assert leaf() is None


def test_what_was_saved_is_dropped_by_backward(no_collector):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    middle = x * 2
    out = (middle * middle).sum()
    kept = weakref.ref(middle)
    del middle
    assert kept() is not None
    out.backward()
    assert kept() is None


def test_a_retained_gradient_keeps_no_tensor_alive(no_collector):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x + 1
    y.retain_grad()
    z = y.sum()
    kept = weakref.ref(y)
    del y
    assert kept() is None
    z.backward()


def test_deep_graphs_are_walked_and_dropped_without_recursion(backend):
    depth = 10_000 if backend == "numpy" else 2_000
    x = torch.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(depth):
        y = y + 1
    y.backward(retain_graph=True)
    assert x.grad.item() == 1.0
    del y
    z = x
    for _ in range(depth):
        z = z * 1.0
    (g,) = torch.autograd.grad(z, x, create_graph=True)
    assert g.item() == 1.0
    del z, g


def test_deep_chains_of_views_and_writes(backend):
    x = torch.ones(4, requires_grad=True)
    y = x * 1
    for _ in range(200):
        y[0].add_(1)
    v = y
    for _ in range(200):
        v = v.view(2, 2).view(4)
    v.sum().backward()
    assert x.grad.tolist() == [1.0] * 4


def test_many_threads_add_to_one_leaf():
    x = torch.tensor([1.0], requires_grad=True)
    torch.autograd.grad((x * 1).sum(), x)  # plans are made before the threads start
    failed = []

    def work():
        try:
            for _ in range(50):
                assert torch.autograd.grad((x * 3).sum(), x)[0].item() == 3.0
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_many_large_gradients_of_a_leaf_are_added_up_without_touching_any_of_them():
    leaf = torch.zeros(100, 100, requires_grad=True)
    parts = [leaf * (i + 1.0) for i in range(4)]
    seen = []
    for part in parts:
        part.register_hook(seen.append)
    given = torch.ones(100, 100)
    torch.autograd.backward(parts, [given] * 4)
    assert leaf.grad is not None
    assert leaf.grad.unique().tolist() == [10.0]
    assert all(g is given or g.unique().tolist() == [1.0] for g in seen)
    assert given.unique().tolist() == [1.0]
    assert leaf.grad._version == 0


def test_zeros_for_outputs_that_nothing_came_from_are_made_where_they_are_named(monkeypatch):
    made = []
    zeros = engine.zeros
    monkeypatch.setattr(engine, "zeros", lambda shape, key: made.append(shape) or zeros(shape, key))
    x = torch.randn(4, 6, requires_grad=True)
    torch.nn.functional.layer_norm(x, (6,)).sum().backward()
    assert made == []  # neither for the means nor for the deviations
    x.split([1, 2, 3], 1)[1].sum().backward()
    assert [tuple(shape) for shape in made] == [(4, 1), (4, 3)]
