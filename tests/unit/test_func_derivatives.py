"""Derivatives of functions, and of derivatives; the numbers are those of calculus."""

from __future__ import annotations

import pytest

import dispatchtorch as torch
from dispatchtorch.func import (
    functional_call,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    stack_module_state,
    vjp,
    vmap,
)


@pytest.fixture(params=["numpy", "jax"])
def backend(request):
    if request.param == "jax":
        pytest.importorskip("jax")
    with torch.use_backend(request.param):
        yield request.param


@pytest.fixture
def x(backend):
    return torch.tensor([0.5, -1.0, 2.0])


def same(got, wanted):
    torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-5)


def quartic(x):
    return (x**4).sum() + x[0] * x[1]


def test_gradients_of_gradients(x):
    same(grad(quartic)(x), 4 * x**3 + torch.tensor([-1.0, 0.5, 0.0]))
    same(grad(grad(grad(lambda t: t**5)))(x[2]), 60 * x[2] ** 2)


def test_results_have_no_history_unless_somebody_wants_it(x):
    assert not grad(quartic)(x).requires_grad
    w = torch.ones(3, requires_grad=True)
    outside = grad(lambda t: (w * t * t).sum())(x)
    outside.sum().backward()
    same(w.grad, 2 * x)
    with torch.no_grad():
        same(grad(quartic)(x), grad(quartic)(x))


def test_an_auxiliary_result_comes_along(x):
    gradient, aux = grad(lambda t: (quartic(t), {"twice": t * 2}), has_aux=True)(x)
    same(aux["twice"], x * 2)
    assert not aux["twice"].requires_grad
    assert gradient.shape == (3,)


def test_products_with_the_jacobian_from_both_sides(x):
    value, back = vjp(torch.sin, x)
    same(value, x.sin())
    same(back(torch.ones(3))[0], x.cos())
    same(jvp(torch.sin, (x,), (x,))[1], x * x.cos())
    same(linearize(torch.sin, x)[1](x), x * x.cos())
    same(grad(lambda t: jvp(lambda s: s**3, (t,), (x,))[1].sum())(x), 6 * x * x)


@pytest.mark.parametrize("jacobian", [jacrev, jacfwd, lambda f: jacrev(f, chunk_size=2)])
def test_jacobians(x, jacobian):
    same(jacobian(torch.sin)(x), x.cos().diag())
    blocks = jacobian(lambda t: {"sum": t.sum(), "all": t * t})(x)
    same(blocks["sum"], torch.ones(3))
    same(blocks["all"], (2 * x).diag())


@pytest.mark.parametrize("outer", [jacrev, jacfwd])
@pytest.mark.parametrize("inner", [jacrev, jacfwd])
def test_second_derivatives_in_every_way(outer, inner):
    x = torch.tensor([0.5, -1.0, 2.0])
    wanted = (12 * x * x).diag()
    wanted[0, 1] = wanted[1, 0] = 1.0
    same(outer(inner(quartic))(x), wanted)


def test_derivatives_of_every_example(x):
    rows = torch.stack([x, x + 1])
    same(vmap(hessian(quartic))(rows), torch.stack([hessian(quartic)(row) for row in rows]))
    same(vmap(jacfwd(lambda t: t.cumsum(0) * t))(rows)[1], jacrev(lambda t: t.cumsum(0) * t)(rows[1]))


def test_gradients_per_example_of_a_module():
    torch.manual_seed(0)
    layer = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    params = {name: p.detach() for name, p in layer.named_parameters()}
    inputs, targets = torch.randn(5, 3), torch.randint(0, 2, (5,))

    def loss(params, a, t):
        out = functional_call(layer, params, a.unsqueeze(0))
        return torch.nn.functional.cross_entropy(out, t.unsqueeze(0))

    mapped = vmap(grad(loss), (None, 0, 0))(params, inputs, targets)
    for i in range(5):
        alone = grad(loss)(params, inputs[i], targets[i])
        for name, g in alone.items():
            same(mapped[name][i], g)


def test_an_ensemble_of_modules():
    models = [torch.nn.Linear(3, 2) for _ in range(4)]
    params, buffers = stack_module_state(models)
    inputs = torch.ones(5, 3)
    out = vmap(lambda p, b, a: functional_call(models[0], (p, b), a), (0, 0, None))(params, buffers, inputs)
    same(out, torch.stack([m(inputs) for m in models]))
    out.sum().backward()
    assert params["weight"].grad.shape == (4, 2, 3)


def test_a_module_gets_its_own_tensors_back():
    layer = torch.nn.Linear(2, 1)
    own = layer.weight
    functional_call(layer, {"weight": torch.zeros(1, 2)}, torch.ones(2))
    assert layer.weight is own
    with pytest.raises(RuntimeError, match="Unexpected key"):
        functional_call(layer, {"w": torch.zeros(1, 2)}, torch.ones(2), strict=True)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda x: grad(lambda t: t)(x), "to return a scalar Tensor, got tensor with 1 dims"),
        (lambda x: grad(quartic, argnums=1)(x), "Got argnum=1, but only 1 positional inputs"),
        (lambda x: grad(lambda t: t.sum())(torch.arange(3)), "only Tensors of floating point dtype"),
        (lambda x: vjp(torch.sin, x)[1](x[:2]), "Mismatch in shape"),
        (lambda x: jvp(torch.sin, x, x), "Expected primals to be a tuple"),
        (lambda x: jvp(torch.sin, (x,), (x[:2],)), "forward gradient that has a different size"),
        (lambda x: stack_module_state([]), "Expected at least one model, got 0"),
    ],
)
def test_wrong_calls_get_their_sentences(call, sentence):
    x = torch.tensor([0.5, -1.0, 2.0])
    with pytest.raises(RuntimeError, match=sentence):
        call(x)
