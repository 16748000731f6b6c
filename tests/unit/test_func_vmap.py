"""A mapped function gives what a loop over the examples gives, for views, writes, random numbers and other levels."""

from __future__ import annotations

import pytest

import dispatchtorch as torch

F = torch.nn.functional


@pytest.fixture(params=["numpy", "jax"])
def backend(request):
    if request.param == "jax":
        pytest.importorskip("jax")
    with torch.use_backend(request.param):
        yield request.param


@pytest.fixture
def x(backend):
    return torch.tensor([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])


def same(got, wanted):
    torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-6)


def written(a):
    """Returns a copy, written through views."""
    b = a.clone()
    b[1:].add_(1)
    b[0] = 7
    return b.view(3, 1).t()


def branch(a):
    """Returns something else where the sum is positive: what a mapped function cannot do with an if."""
    return torch.where(a.sum() > 0, a.exp(), a.abs().log1p())


FUNCTIONS = {
    "pointwise": lambda a: a * 2 + a.sin(),
    "reduction": lambda a: a.mean() + a.max(0).values,
    "written": written,
    "where": branch,
    "cat": lambda a: torch.cat([a, a[:1]]).flip(0),
    "sorted": lambda a: a.sort(descending=True)[0],
    "scalar": lambda a: a[0].softmax(0) + a.prod().cumsum(0),
    "matmul": lambda a: a @ torch.outer(a, a),
    "norm": lambda a: F.layer_norm(a, (3,)),
    "indices": lambda a: a[torch.tensor([2, 0, 0])].gather(0, torch.tensor([1, 2])),
    "scatter": lambda a: torch.zeros_like(a).index_add(0, torch.tensor([1, 1, 0]), a),
    "median": lambda a: a.median(),
    "complex": lambda a: torch.view_as_real(torch.complex(a, -a)).sum(-1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_gives_what_a_loop_gives(x, name):
    f = FUNCTIONS[name]
    same(torch.vmap(f)(x), torch.stack([f(row) for row in x]))


def test_dims_say_where_examples_are(x):
    w = torch.tensor([1.0, 2.0])
    same(torch.vmap(torch.dot, (1, None))(x, w), x.t() @ w)
    out = torch.vmap(lambda d: {"sum": d["a"] + d["b"]}, in_dims=({"a": 0, "b": None},), out_dims=1)({"a": x, "b": 1.0})
    same(out["sum"], (x + 1).t())
    value, constant = torch.vmap(lambda a: (a, w), out_dims=(0, None))(x)
    assert value.shape == (2, 3)
    assert constant is w


def test_chunks_change_nothing(x):
    same(torch.vmap(lambda a: a.sum(), chunk_size=1)(x), x.sum(1))


def test_levels_nest(x):
    products = torch.vmap(torch.vmap(torch.dot, (None, 0)), (0, None))(x, x)
    same(products, x @ x.t())


def test_indices_that_differ(x):
    rows = torch.tensor([2, 0])
    same(torch.vmap(lambda a, i: a[i])(x, rows), torch.tensor([3.0, 0.5]))
    same(torch.vmap(lambda i: x.t()[i])(rows), x.t()[rows])
    put = torch.vmap(lambda a, i, v: a.index_put((i,), v))(x, rows.unsqueeze(1), torch.ones(2, 1))
    assert put.tolist() == [[1.0, -2.0, 1.0], [1.0, 4.0, -1.0]]


def test_weights_that_differ(backend):
    images, kernels = torch.arange(32.0).reshape(2, 1, 1, 4, 4), torch.arange(1.0, 9.0).reshape(2, 1, 1, 2, 2)
    wanted = torch.stack([F.conv2d(i, k) for i, k in zip(images, kernels, strict=True)])
    same(torch.vmap(F.conv2d)(images, kernels), wanted)


def test_what_is_written_into_an_input_is_seen_outside(x):
    t = x.clone()
    torch.vmap(lambda a: a.add_(1))(t)
    same(t, x + 1)


def test_random_numbers_as_asked_for(x):
    torch.manual_seed(3)
    plain = torch.rand(2, 2)
    torch.manual_seed(3)
    different = torch.vmap(lambda a: torch.rand(2), randomness="different")(x)
    torch.manual_seed(3)
    alike = torch.vmap(lambda a: torch.rand(2), randomness="same")(x)
    assert different.tolist() == plain.tolist()
    assert alike.tolist() == [plain[0].tolist()] * 2
    with pytest.raises(RuntimeError, match="called random operation while in randomness error mode"):
        torch.vmap(F.dropout)(x)


def test_gradients_flow_out_of_a_level(x):
    w = torch.ones(3, requires_grad=True)
    torch.vmap(lambda a: (a * w).sum() ** 2)(x).sum().backward()
    assert w.grad.tolist() == [7.5, 20.0, 5.0]


@pytest.mark.parametrize(
    ("f", "sentence"),
    [
        (lambda a: a.sum().item(), "calling .item"),
        (lambda a: a if a.sum() > 0 else -a, "data-dependent control flow"),
        (lambda a: a.nonzero(), "can output dynamic shape. Attempted to vmap over aten::nonzero"),
        (lambda a: a[a > 0], "indexing with a boolean mask"),
        (lambda a: torch.zeros(3).add_(a), "inplace arithmetic"),
        (lambda a: 3, "must only return Tensors, got type <class 'int'>"),
    ],
)
def test_what_cannot_be_mapped(x, f, sentence):
    with pytest.raises((RuntimeError, ValueError), match=sentence):
        torch.vmap(f)(x)


def test_wrong_dims_are_refused(x):
    with pytest.raises(ValueError, match="got no inputs"):
        torch.vmap(torch.sin)()
    with pytest.raises(ValueError, match="Got in_dim=2 for some input, but that input is a Tensor of dimensionality 2"):
        torch.vmap(torch.sin, in_dims=2)(x)
    with pytest.raises(ValueError, match=r"same size in the mapped dimension, got sizes \[2, 3\]"):
        torch.vmap(torch.add)(x, torch.ones(3))
    with pytest.raises(ValueError, match="can not return a BatchedTensor when out_dim is None"):
        torch.vmap(torch.sin, out_dims=None)(x)


def test_tensors_of_two_libraries_stay_an_error():
    pytest.importorskip("jax")
    with torch.use_backend("jax"):
        other = torch.ones(3)
    with pytest.raises(RuntimeError, match="on the same backend"):
        torch.vmap(lambda a: a + other)(torch.ones(2, 3))


class Cube(torch.autograd.Function):
    """A Function without a rule of its own for maps."""

    @staticmethod
    def forward(ctx, a, w):
        ctx.save_for_backward(a, w)
        return a**3 * w

    @staticmethod
    def backward(ctx, g):
        a, w = ctx.saved_tensors
        return g * 3 * a * a * w, g * a**3


def test_a_function_of_ones_own_inside_and_outside_a_level(x):
    w = torch.tensor([1.0, 2.0, 0.5])
    mapped = torch.func.grad(lambda w: torch.vmap(Cube.apply, (0, None))(x, w).sum())(w)
    same(mapped, (x**3).sum(0))
    inside = torch.vmap(torch.func.grad(lambda a, w: Cube.apply(a, w).sum()), (0, None))(x, w)
    same(inside, 3 * x * x * w)
