"""How the elements of results lie in memory: as those of the arguments do; expectations are PyTorch's."""

from __future__ import annotations

import pytest

import dispatchtorch as torch


@pytest.fixture(params=["numpy", "jax"], autouse=True)
def backend(request):
    if request.param == "jax":
        pytest.importorskip("jax")
    with torch.use_backend(request.param):
        yield request.param


def turned():
    return torch.arange(6.0).reshape(2, 3).t()


def picture():
    return torch.arange(48.0).reshape(2, 3, 2, 4).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("program", "strides"),
    [
        (lambda: turned() + 1, (1, 3)),
        (lambda: (turned() + 1) * 2, (1, 3)),
        (lambda: turned() > 1, (1, 3)),
        (lambda: torch.where(turned() > 1, turned(), 0), (1, 3)),
        (lambda: turned().clone(), (1, 3)),
        (lambda: turned().double(), (1, 3)),
        (lambda: turned().detach() + 1, (1, 3)),
        (lambda: turned() + torch.ones(2), (1, 3)),
        (lambda: torch.zeros_like(turned()), (1, 3)),
        (lambda: torch.ones_like(turned(), memory_format=torch.contiguous_format), (2, 1)),
        (lambda: turned().t()[:, ::2] + 1, (2, 1)),
        (lambda: torch.arange(6.0).reshape(2, 3).expand(4, 2, 3).clone(), (6, 3, 1)),
        (lambda: picture().relu() + 1, (24, 1, 12, 3)),
        (lambda: torch.empty_like(picture()), (24, 1, 12, 3)),
        (lambda: torch.empty(2, 3, 4, 5, memory_format=torch.channels_last), (60, 1, 15, 3)),
    ],
)
def test_results_lie_as_their_arguments_do(program, strides):
    assert program().stride() == strides


def test_views_of_such_results_alias_and_know_their_memory():
    y = turned() + 1
    z = y.t()
    assert z.is_contiguous()
    z[0, 1] = 50
    y[1].mul_(2)
    y.add_(1)
    assert y.tolist() == [[2.0, 5.0], [101.0, 11.0], [4.0, 7.0]]
    assert z.view(-1).tolist() == y.storage().tolist() == [2.0, 101.0, 4.0, 5.0, 11.0, 7.0]
    with pytest.raises(RuntimeError, match="view size is not compatible"):
        y.view(6)


def test_gradients_do_not_mind():
    a = torch.arange(6.0).reshape(2, 3).requires_grad_()
    y = a.t() * 2
    y[0].mul_(3)
    y.add_(1)
    (y * y).sum().backward()
    assert a.grad.tolist() == [[12.0, 12.0, 20.0], [228.0, 36.0, 44.0]]
    assert y.stride() == (1, 3)
