"""The older doors to the same derivatives: autograd.functional, forward_ad, gradients of many cotangents at once."""

from __future__ import annotations

import pytest

import dispatchtorch as torch
from dispatchtorch.autograd import forward_ad, functional


@pytest.fixture(params=["numpy", "jax"])
def backend(request):
    if request.param == "jax":
        pytest.importorskip("jax")
    with torch.use_backend(request.param):
        yield request.param


@pytest.fixture
def x(backend):
    return torch.tensor([1.0, 2.0])


def cubes(t):
    return t**3


@pytest.mark.parametrize(
    ("vectorize", "strategy"), [(False, "reverse-mode"), (True, "reverse-mode"), (True, "forward-mode")]
)
def test_matrices(x, vectorize, strategy):
    assert functional.jacobian(cubes, x, vectorize=vectorize, strategy=strategy).tolist() == [[3.0, 0.0], [0.0, 12.0]]
    found = functional.hessian(
        lambda a, b: (a * b).sum() ** 2, (x, x), vectorize=vectorize, outer_jacobian_strategy=strategy
    )
    assert found[0][1].tolist() == [[12.0, 4.0], [4.0, 18.0]]


def test_products(x):
    ones = torch.ones(2)
    assert functional.vjp(cubes, x, ones)[1].tolist() == [3.0, 12.0]
    assert functional.jvp(cubes, x, ones)[1].tolist() == [3.0, 12.0]
    assert functional.hvp(lambda t: cubes(t).sum(), x, ones)[1].tolist() == [6.0, 12.0]
    assert functional.vhp(lambda t: cubes(t).sum(), x, ones)[1].tolist() == [6.0, 12.0]


def test_history_is_kept_on_request(x):
    assert not functional.jacobian(cubes, x).requires_grad
    w = x.requires_grad_()
    functional.jacobian(cubes, w, create_graph=True).sum().backward()
    assert w.grad.tolist() == [6.0, 12.0]


def test_strict_refuses_what_does_not_depend(x):
    with pytest.raises(RuntimeError, match="Output 0 of the user-provided function does not require gradients"):
        functional.jacobian(lambda t: torch.ones(2), x, strict=True)
    with pytest.raises(RuntimeError, match="independent of input 1"):
        functional.vjp(lambda a, b: a * 2, (x, x), x, strict=True)
    with pytest.raises(RuntimeError, match="jacobian of the user-provided function with respect to input 0"):
        functional.hessian(lambda t: t.sum(), x, strict=True)


def test_a_dual_carries_its_tangent(x):
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, torch.ones(2))
        primal, tangent = forward_ad.unpack_dual(cubes(dual))
        assert forward_ad.unpack_dual(x).tangent is None
    assert primal.tolist() == [1.0, 8.0]
    assert tangent.tolist() == [3.0, 12.0]
    assert not tangent.requires_grad


def test_duals_need_a_level(x):
    with pytest.raises(RuntimeError, match="no level exists"):
        forward_ad.make_dual(x, x)
    with forward_ad.dual_level(), pytest.raises(RuntimeError, match="Nested forward mode AD"):
        forward_ad.enter_dual_level()


def test_many_cotangents_at_once(x):
    w = x.requires_grad_()
    assert torch.autograd.grad(cubes(w), w, torch.eye(2), is_grads_batched=True)[0].tolist() == [
        [3.0, 0.0],
        [0.0, 12.0],
    ]
    unused = torch.ones(1, requires_grad=True)
    got = torch.autograd.grad(cubes(w), (w, unused), torch.eye(2), is_grads_batched=True, allow_unused=True)
    assert got[1] is None
